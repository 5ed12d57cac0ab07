"""What the pipeline says about a photo. Nothing is computed twice: results keep the stages."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from facelign.errors import FacelignError
from facelign.types.arrays import IntArray
from facelign.types.chips import Chips
from facelign.types.decisions import CandidateList, Decision
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Face, Faces
from facelign.types.image import Image


@dataclass(frozen=True, slots=True)
class PhotoInfo:
    """Where a photo came from. size: (width, height) of the upright file, px."""

    source: str
    digest: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """One photo after the walk.

    faces: every face found, in the file's plane. embedded: (m,) indices of the faces that have a
    vector; embeddings: their m vectors, in that order. dropped: (face index, reason) of the others.
    attempts: what was tried beyond the plain look. error: why the photo gave nothing, in a batch.
    image and chips are kept when asked for (``keep``), and are None in cached results.
    """

    photo: PhotoInfo
    faces: Faces
    embedded: IntArray
    embeddings: Embeddings | None
    dropped: tuple[tuple[int, str], ...] = ()
    attempts: tuple[str, ...] = ()
    image: Image | None = None
    chips: tuple[Chips, ...] = ()
    cached: bool = False
    error: FacelignError | None = None

    def vector_of(self, face: int) -> Embeddings | None:
        """Return the vector of face ``face`` as a set of one, or None when it has none."""
        place = np.flatnonzero(self.embedded == face)
        if self.embeddings is None or not len(place):
            return None
        return self.embeddings[place]

    def reason_of(self, face: int) -> str:
        """Return why face ``face`` has no vector, or "" when it has one."""
        return dict(self.dropped).get(face, "")

    @classmethod
    def failed(cls, source: str, error: FacelignError) -> Analysis:
        """Return the record of a photo that could not be used."""
        nothing = Faces.none("", (0, 0))
        return cls(PhotoInfo(source, "", (0, 0)), nothing, np.zeros(0, np.int64), None, error=error)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A verification with its circumstances: which face of how many was compared."""

    decision: Decision
    a: Analysis
    b: Analysis
    face_a: int
    face_b: int


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedFace:
    """One face of a probe photo and the answer of the gallery."""

    face: Face
    answer: CandidateList

    @property
    def person(self) -> str | None:
        """The name, or None."""
        return self.answer.person


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """All faces of a probe photo, named or not."""

    analysis: Analysis
    faces: tuple[IdentifiedFace, ...]
    error: FacelignError | None = None


@dataclass(frozen=True, slots=True)
class Enrollment:
    """What enrolling one file did. failed: the file could not be used (not: was held back)."""

    image: str
    person: str
    enrolled: bool
    reason: str = ""
    failed: bool = False
    template_ids: tuple[int, ...] = field(default=())
    face_height: float | None = None
