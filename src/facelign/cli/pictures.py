"""What --draw writes: pictures with boxes, points and names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facelign.errors import ConfigError
from facelign.files import ledger

if TYPE_CHECKING:
    from facelign.cli.building import Listed
    from facelign.recognition.results import Comparison, Identification
    from facelign.types.analysis import Analysis
    from facelign.types.arrays import ByteArray

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


class Pictures:
    """Writes one picture a photo: into a file for one photo, else into a folder.

    In a folder the names mirror the tree that was named; photos of one name get numbers.
    """

    def __init__(self, target: Path | None, photos: Listed) -> None:
        self._target = target
        self._root = photos.root
        self._single = target is not None and target.suffix.lower() in SUFFIXES
        self._taken: set[Path] = set()
        if self._single and len(photos.files) > 1:
            raise ConfigError(
                f"--draw {target} is one picture, and {len(photos.files)} photos were given.",
                "Name a folder.",
            )
        if target is not None:
            spare([self._path(Path(file)) for file in photos.files], photos.files)
            self._taken.clear()

    def add(self, photo: Analysis, found: Identification | None = None) -> None:
        """Write the picture of one photo: its faces, or who they are."""
        if self._target is None or photo.image is None:
            return
        from facelign.imaging.write import write

        if not self._single:
            ledger.results_folder(self._target)
        write(self._path(Path(photo.photo.source)), drawn(photo, found))

    def _path(self, photo: Path) -> Path:
        from facelign.imaging.listing import named_as

        target = self._target or Path()
        if self._single:
            return target
        inside = named_as(photo)
        if self._root is not None and photo.is_relative_to(self._root):
            inside = photo.relative_to(self._root)
        path = (target / inside).with_suffix(".jpg")
        number = 1
        while path in self._taken:
            number += 1
            path = (target / inside).with_name(f"{inside.stem}-{number}.jpg")
        self._taken.add(path)
        return path


def spare(pictures: Sequence[Path], photos: Sequence[str], *, option: str = "--draw") -> None:
    """Raise ConfigError when a picture would be written over one of the photos.

    option: the flag that named the picture.
    """
    from facelign.files.disk import identity

    kept = {place for photo in photos if (place := identity(Path(photo))) is not None}
    for picture in pictures:
        if identity(picture) in kept:
            raise ConfigError(
                f"{option} would write over the photo {picture}.", "Name another file or folder."
            )


def drawn(photo: Analysis, found: Identification | None = None) -> ByteArray:
    """Return a copy of the whole photo, whose pixels were kept, with what was found in it."""
    import numpy as np

    from facelign.recognition.drawing import draw

    if photo.image is None:
        raise ValueError("the photo was walked without keeping its pixels")
    return np.asarray(draw(photo.image, found or photo))


def pair(path: Path, comparison: Comparison) -> None:
    """Write both photos side by side, the compared faces in color, the answer beneath."""
    from facelign.imaging.draw import COLORS, GRAY, Mark, contact_sheet, draw_faces
    from facelign.imaging.write import write

    decision = comparison.decision
    answer = "same person" if decision.is_match else "different people"
    captions = [f"{answer}: {decision.score:.3f}", f"threshold {decision.threshold.score:.3f}"]
    tiles = []
    for analysis, face in ((comparison.a, comparison.face_a), (comparison.b, comparison.face_b)):
        if analysis.image is None:
            return
        looks = [Mark(GRAY)] * len(analysis.faces)
        looks[face] = Mark(COLORS[0])
        tiles.append(draw_faces(analysis.image.full().pixels, analysis.faces, looks))
    write(path, contact_sheet(tiles, captions, columns=2))
