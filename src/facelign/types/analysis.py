"""What was found in a photo: one value that every step of the walk adds to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facelign.errors import FacelignError
from facelign.types.arrays import IntArray
from facelign.types.chips import Chips
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.liveness import LiveAnswer
from facelign.types.tables import table
from facelign.types.wording import counted


@dataclass(frozen=True, slots=True)
class PhotoInfo:
    """Where a photo came from. size: (width, height) of the upright file, px."""

    source: str
    digest: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """One photo, as far as it was carried: found, aligned, embedded.

    faces: every face found, in the file's plane. embedded: (m,) indices of the faces that have a
    chip and, once embedded, a vector; embeddings: their m vectors, in that order. dropped: (face
    index, reason) of the others. attempts: the tries that were made beyond the plain look, in
    order: "padded", "turned-90", "turned-180", "turned-270". found_by: the try that found the
    faces, or "". turned_deg: degrees clockwise by which the photo was turned to find them. error:
    why the photo gave nothing, in a batch.

    live: the answer for each face, where somebody asked whether they are living persons.

    image, prepared (what the models saw of it: light evened) and chips (one set a layout, of the
    faces ``embedded``) are kept when asked for, and are None and empty in cached results.
    """

    photo: PhotoInfo
    faces: Faces
    embedded: IntArray
    embeddings: Embeddings | None = None
    dropped: tuple[tuple[int, str], ...] = ()
    attempts: tuple[str, ...] = ()
    image: Image | None = None
    chips: tuple[Chips, ...] = ()
    cached: bool = False
    error: FacelignError | None = None
    found_by: str = ""
    turned_deg: int = 0
    prepared: Image | None = None
    live: tuple[LiveAnswer, ...] = ()

    def __repr__(self) -> str:
        if self.error is not None:
            return f"Analysis({self.photo.source!r}, error={self.error.message!r})"
        said = f"Analysis({self.photo.source!r}, {counted(len(self.faces), 'face')}"
        if self.embeddings is not None:
            said += f", {len(self.embeddings)} embedded in {self.embeddings.space.id!r}"
        return f"{said})"

    def _repr_html_(self) -> str:
        rows = [
            (
                face.index,
                face.box.text,
                f"{face.box.height:.0f}",
                f"{face.score:.2f}",
                "yes" if self.place_of(face.index) is not None else self.reason_of(face.index),
            )
            for face in self.faces
        ]
        columns = ("face", "box, px", "height, px", "score", "aligned")
        title = f"{self.photo.source}: {counted(len(self.faces), 'face')}"
        if self.error is not None:
            title = f"{self.photo.source}: {self.error.message}"
        return table(title, columns, rows)

    @classmethod
    def of(cls, image: Image, faces: Faces, prepared: Image | None = None) -> Analysis:
        """Return the record of faces that were found in ``image``, and of nothing else yet."""
        info = PhotoInfo(image.source, image.digest, image.size)
        nothing = np.zeros(0, np.int64)
        return cls(info, faces, nothing, image=image, prepared=prepared or image)

    @classmethod
    def failed(cls, source: str, error: FacelignError) -> Analysis:
        """Return the record of a photo that could not be used."""
        nothing = Faces.none("", (0, 0))
        return cls(PhotoInfo(source, "", (0, 0)), nothing, np.zeros(0, np.int64), error=error)

    def place_of(self, face: int) -> int | None:
        """Return the place of face ``face`` among chips and vectors, or None when it has none."""
        places = np.flatnonzero(self.embedded == face)
        return int(places[0]) if len(places) else None

    def vector_of(self, face: int) -> Embeddings | None:
        """Return the vector of face ``face`` as a set of one, or None when it has none."""
        place = self.place_of(face)
        if self.embeddings is None or place is None:
            return None
        return self.embeddings[place : place + 1]

    def reason_of(self, face: int) -> str:
        """Return why face ``face`` has no vector, or "" when it has one."""
        return dict(self.dropped).get(face, "")

    def without_pixels(self) -> Analysis:
        """Return the same without image and chips, as many photos at a time are kept."""
        return replace(self, image=None, prepared=None, chips=())
