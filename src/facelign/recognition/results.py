"""What is said about photos: comparisons, names, enrollments; what was found is an Analysis."""

from __future__ import annotations

from dataclasses import dataclass, field

from facelign.errors import FacelignError
from facelign.types.analysis import Analysis
from facelign.types.decisions import CandidateList, Decision
from facelign.types.faces import Face


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
    """All faces of a probe photo, named or not.

    people_elsewhere: how many people could not be found, since their templates lie in other spaces.
    """

    analysis: Analysis
    faces: tuple[IdentifiedFace, ...]
    error: FacelignError | None = None
    people_elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Enrollment:
    """What enrolling one file did.

    failed: the file could not be used. held: it could, and was held back because its face is like
    another person's or unlike the person's other photos: somebody has to look at it.
    """

    image: str
    person: str
    enrolled: bool
    reason: str = ""
    failed: bool = False
    template_ids: tuple[int, ...] = field(default=())
    face_height: float | None = None
    held: bool = False
