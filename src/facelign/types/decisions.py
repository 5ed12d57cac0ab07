"""Scores become decisions, searches become candidate lists."""

from __future__ import annotations

from dataclasses import dataclass, field

from facelign.types.embeddings import Space
from facelign.types.tables import table
from facelign.types.wording import some


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold and the evidence that earned it.

    score: match if ``score >= threshold.score`` (below or equal, for a distance: one rule, AX-6).
    fmr: nominal false match rate of one comparison, or None when no data stands behind it.
    interval: 95 % interval of the threshold's true FMR, or None. source: a sentence for people.
    subjects, non_mated, mated: counts of the calibration. calibration: id of its record, or None.
    """

    score: float
    fmr: float | None
    source: str
    interval: tuple[float, float] | None = None
    subjects: int = 0
    mated: int = 0
    non_mated: int = 0
    calibration: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of one comparison. It has no truth value of its own: ask ``is_match``.

    score: larger is more alike. distance: the native number of ``metric``, smaller is more alike.
    """

    score: float
    distance: float
    metric: str
    threshold: Threshold
    is_match: bool
    space: Space
    log_likelihood_ratio: float | None = None

    def __repr__(self) -> str:
        answer = "match" if self.is_match else "no match"
        limit = self.threshold.score
        return f"Decision({answer}: score {self.score:.3f}, threshold {limit:.3f})"

    def _repr_html_(self) -> str:
        limit = self.threshold
        rows = [
            ("score", f"{self.score:.3f} ({self.metric} distance {self.distance:.3f})"),
            ("threshold", f"{limit.score:.3f}"),
            ("its evidence", limit.source),
            ("space", self.space.id),
        ]
        return table("Same person" if self.is_match else "Different people", ("", ""), rows)

    def __bool__(self) -> bool:
        raise TypeError("a Decision is neither true nor false: ask decision.is_match")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person of a candidate list. rank counts from 1; score is larger when more alike.

    person_id: the number of the person in the gallery, which stays when the name changes; 0 where
    nobody knows it, as in a record that was read back.
    """

    rank: int
    person: str
    template_id: int
    score: float
    distance: float
    person_id: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SearchThreshold:
    """The threshold of a search: the FMR whose product with the gallery size is the wanted FPIR.

    fpir: target. templates: how many were searched. limited: whether the calibration's evidence
    ends before the target is reached (then the strictest supported threshold is used).
    """

    threshold: Threshold
    fpir: float
    templates: int
    limited: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class CandidateList:
    """The answer of a search: nearest people first, and whether the first is known.

    person: the name, or None (unknown). reason: why there is no name, or "".
    margin: score of rank 1 minus score of rank 2, or None. exact: False for an approximate index.
    """

    candidates: tuple[Candidate, ...]
    person: str | None
    reason: str
    threshold: SearchThreshold | None
    gallery_size: int
    margin: float | None = None
    exact: bool = True

    def __repr__(self) -> str:
        nearest = [f"{c.person} {c.score:.3f}" for c in self.candidates]
        said = self.person or f"Unknown ({self.reason})"
        return f"CandidateList({said}: {some(nearest)})" if nearest else f"CandidateList({said})"
