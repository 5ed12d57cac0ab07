"""What is said about photos: comparisons, names, enrollments; what was found is an Analysis."""

from __future__ import annotations

from dataclasses import dataclass, field

from facelign.errors import FacelignError
from facelign.types.analysis import Analysis
from facelign.types.decisions import CandidateList, Decision
from facelign.types.faces import Face
from facelign.types.liveness import LiveAnswer
from facelign.types.tables import table
from facelign.types.wording import counted, some


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A verification with its circumstances: which face of how many was compared.

    refusal: why it is not said to be the same person however alike they are, such as a face that is
    taken for an attack where a living one is required; or "".
    """

    decision: Decision
    a: Analysis
    b: Analysis
    face_a: int
    face_b: int
    refusal: str = ""

    def __repr__(self) -> str:
        return f"Comparison({self.decision!r}, {self.a.photo.source!r}, {self.b.photo.source!r})"

    @property
    def same(self) -> bool:
        """Whether they are taken for one person: alike enough, and nothing refuses it."""
        return self.decision.is_match and not self.refusal


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedFace:
    """One face of a probe photo and the answer of the gallery.

    live: whether it is a living person's, where that was asked.
    """

    face: Face
    answer: CandidateList
    live: LiveAnswer | None = None

    def __repr__(self) -> str:
        return f"IdentifiedFace({self.face!r}, {self.answer!r})"

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

    def __repr__(self) -> str:
        said = f"Identification({self.analysis.photo.source!r}"
        if self.error is not None:
            return f"{said}, error={self.error.message!r})"
        names = [face.person or f"Unknown ({face.answer.reason})" for face in self.faces]
        return f"{said}, {counted(len(names), 'face')}{': ' * bool(names)}{some(names)})"

    def _repr_html_(self) -> str:
        source = self.analysis.photo.source
        if self.error is not None:
            return table(f"{source}: {self.error.message}", (), ())
        rows = []
        for face in self.faces:
            best = face.answer.candidates[0] if face.answer.candidates else None
            limit = face.answer.threshold
            rows.append(
                (
                    face.face.index,
                    face.face.box.text,
                    face.person or "Unknown",
                    face.answer.reason,
                    "" if best is None else f"{best.person} {best.score:.3f}",
                    "" if limit is None else f"{limit.threshold.score:.3f}",
                )
            )
        columns = ("face", "box, px", "person", "reason", "nearest", "threshold")
        return table(f"{source}: {counted(len(rows), 'face')}", columns, rows)


@dataclass(frozen=True, slots=True)
class Enrollment:
    """What enrolling one file did.

    failed: the file could not be used. held: it could, and was held back because its face is like
    another person's or unlike the person's other photos: somebody has to look at it. quality: of
    the face, where some was wanted.
    """

    image: str
    person: str
    enrolled: bool
    reason: str = ""
    failed: bool = False
    template_ids: tuple[int, ...] = field(default=())
    face_height: float | None = None
    held: bool = False
    quality: float | None = None
