"""From the looks of a track to who it is: every look votes, and unknown votes too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from facelign.types.decisions import SearchThreshold
from facelign.video.looks import Look
from facelign.video.options import VoteOptions


@dataclass(frozen=True, slots=True)
class TrackVerdict:
    """Who a track is, as far as its looks say.

    person: the name, or None. sure: whether that may be told: later looks can still revoke it.
    score: of the best look for ``person``, or of the best candidate where there is no name; None
    without candidates. threshold: of the search. reason: why there is no name, or "". looks: how
    many voted.
    """

    person: str | None
    sure: bool
    score: float | None
    threshold: SearchThreshold | None
    reason: str
    looks: int


NOBODY = TrackVerdict(None, False, None, None, "not looked at yet", 0)


def verdict(looks: Sequence[Look], options: VoteOptions) -> TrackVerdict:
    """Return who a track is: the name with more than half of the weight of all looks."""
    if not looks:
        return NOBODY
    votes: defaultdict[str | None, float] = defaultdict(float)
    for look in looks:
        votes[look.answer.person] += max(look.view.worth, 1e-3)
    leader = max(votes, key=lambda name: votes[name])
    person = leader if votes[leader] > sum(votes.values()) / 2 else None
    scored = [
        (candidate.score, look)
        for look in looks
        for candidate in look.answer.candidates[:1]
        if person is None or look.answer.person == person
    ]
    score, best = max(scored, key=lambda pair: pair[0]) if scored else (None, looks[-1])
    return TrackVerdict(
        person,
        len(looks) >= options.confirm,
        score,
        best.answer.threshold,
        "" if person else best.answer.reason or "the looks do not agree",
        len(looks),
    )
