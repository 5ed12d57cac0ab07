"""What was decided on before cameras, as films with boxes and names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facelign.errors import InputError
from facelign.files.home import expanded
from facelign.imaging.mesh import draw_mesh
from facelign.types.arrays import ByteArray
from facelign.types.closing import Closing
from facelign.types.faces import Faces
from facelign.types.schemes import MESH_468, MESH_478
from facelign.video.following import Track
from facelign.video.marking import Shown, marked
from facelign.video.snapshots import plain
from facelign.video.sources.newest import LiveFrame
from facelign.video.sources.written import FilmWriter


class Recording(Closing):
    """Writes the frames of cameras that were decided on, each at its own time.

    target: a film for one camera, else a folder. names: of the cameras. blur: whose faces are
    hidden: "" for nobody, "all", "unknown" or a name. A picture of another size begins a film of
    its own.
    """

    def __init__(self, target: Path, names: Sequence[str], blur: str = "") -> None:
        self._target, self._names, self._blur = expanded(target), names, blur
        self._films: dict[int, tuple[tuple[int, int], FilmWriter]] = {}
        if not self._target.suffix:
            self._target.mkdir(parents=True, exist_ok=True)

    def add(self, place: int, frame: LiveFrame, faces: Faces, tracks: Sequence[Track]) -> None:
        """Write a frame of camera ``place``, with the meshes of faces that have one.

        Nobody's mesh is drawn where faces are to be hidden. Raises InputError where it cannot be
        written.
        """
        size = frame.image.size
        known = self._films.get(place)
        try:
            if known is None or known[0] != size:
                if known is not None:
                    known[1].close()
                known = self._films[place] = size, FilmWriter(self._free(place))
            pixels, points = frame.image.pixels, faces.landmarks
            if points is not None and points.scheme in (MESH_468, MESH_478) and not self._blur:
                pixels = draw_mesh(pixels, points)
            known[1].add(self._marked(pixels, tracks), frame.time_s)
        except OSError as problem:
            raise InputError(
                f"{self._target} cannot be written: {problem.strerror or problem}."
            ) from problem

    def close(self) -> None:
        """End the films."""
        for _, film in self._films.values():
            film.close()
        self._films.clear()

    def _marked(self, pixels: ByteArray, tracks: Sequence[Track]) -> ByteArray:
        here = [
            Shown(
                np.array(track.box.edges),
                track.verdict.person if track.verdict.sure else None,
                track.number,
            )
            for track in tracks
        ]
        return marked(pixels, here, self._blur)

    def _free(self, place: int) -> Path:
        """Return the name of the next film of a camera, which nothing bears yet."""
        one = bool(self._target.suffix)
        stem, folder = (
            (self._target.stem, self._target.parent)
            if one
            else (plain(self._names[place]), self._target)
        )
        suffix, number = self._target.suffix or ".mp4", 1
        path = folder / f"{stem}{suffix}"
        while path.exists():
            number += 1
            path = folder / f"{stem}-{number}{suffix}"
        return path
