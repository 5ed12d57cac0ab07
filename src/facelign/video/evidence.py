"""From the looks of a track to who it is: every look votes, and unknown votes too.

The vectors of all looks are added by their weights to one, and that one is searched for. A look
that shows nobody who is enrolled draws the sum away from everybody, as a vote against each name.
The threshold follows the gallery and the number of looks, so that the rate of strangers who are
given a name holds for a whole visit (docs/explanation/votes.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from facelign.recognition.options import IdentifyOptions
from facelign.types.decisions import CandidateList, SearchThreshold
from facelign.types.embeddings import Embeddings, Metric
from facelign.types.wording import counted
from facelign.video.looks import Look
from facelign.video.options import FollowOptions


@dataclass(frozen=True, slots=True)
class TrackVerdict:
    """Who a track is, as far as its looks say.

    person: the name, or None. sure: whether that may be told: later looks can still revoke it.
    score: of all looks together for ``person``, or for the nearest where there is no name; None
    without candidates. threshold: of that search; its FPIR holds for the visit. reason: why there
    is no name, or "". looks: how many voted. nearest: who is nearest, named or not. agreed: weight
    of the looks for which that is so, as a share of all.
    """

    person: str | None
    sure: bool
    score: float | None
    threshold: SearchThreshold | None
    reason: str
    looks: int
    nearest: str | None = None
    agreed: float = 0.0


NOBODY = TrackVerdict(None, False, None, None, "not seen yet", 0)


def unseen(reason: str) -> TrackVerdict:
    """Return the verdict over a track that was not looked at; reason: why, in words."""
    return replace(NOBODY, reason=reason)


def searches(looks: int) -> float:
    """Return how many searches a visit of so many looks counts as: 1 + 1/2 + 1/3 + ...

    A name may be told after each look, so each is a chance to be wrong; but the looks of one track
    are alike, and what is searched for is their mean, which the k-th look can turn by a k-th only.
    """
    return sum(1 / k for k in range(1, max(looks, 1) + 1))


def visit_naming(options: IdentifyOptions, looks: int) -> IdentifyOptions:
    """Return how the looks together are named, for ``options.fpir`` to hold for a visit.

    looks: how many a track may take. The threshold stays the same from its first look to its last.
    """
    return replace(options, fpir=options.fpir / searches(looks))


def together(looks: Sequence[Look]) -> Embeddings:
    """Return the vector (a set of one) of one look or more together: their mean by weight.

    Directions are added where the space compares directions, and the sum has unit length.
    """
    vectors = Embeddings.joined([look.vector for look in looks])
    space, rows = vectors.space, vectors.vectors.astype(np.float64)
    by_direction = space.unit or space.metric is Metric.COSINE
    if by_direction:
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    weights = np.array([look.weight for look in looks])
    mean = weights @ rows / weights.sum()
    if by_direction:
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
    norm = weights @ vectors.norms / weights.sum()
    return Embeddings(mean[None].astype(np.float32), space, np.array([norm], np.float32))


def verdict(
    looks: Sequence[Look],
    answer: CandidateList,
    options: FollowOptions,
) -> TrackVerdict:
    """Return who a track is.

    answer: of the search for all its looks together, by ``visit_naming``. A name needs both: the
    looks together reach the threshold, and the person is the nearest one for more than half of the
    weight of the looks.
    """
    nearest = answer.candidates[0] if answer.candidates else None
    chosen = next((c for c in answer.candidates if c.person == answer.person), nearest)
    who = None if chosen is None else chosen.person
    agreed = _share(looks, who)
    named = answer.person is not None and agreed > 0.5
    needed = options.votes.confirm if named else options.votes.doubt
    return TrackVerdict(
        person=answer.person if named else None,
        sure=len(looks) >= min(needed, options.looks.looks),
        score=None if chosen is None else chosen.score,
        threshold=_for_the_visit(answer.threshold, options, len(looks)),
        reason="" if named else _reason(looks, answer, who, agreed),
        looks=len(looks),
        nearest=who,
        agreed=agreed,
    )


def _share(looks: Sequence[Look], person: str | None) -> float:
    """Return the weight of the looks for which the person is nearest, as a share of all."""
    weights = [look.weight for look in looks]
    mine = [
        weight
        for look, weight in zip(looks, weights, strict=True)
        if look.answer.candidates and look.answer.candidates[0].person == person
    ]
    return sum(mine) / sum(weights)


def _reason(
    looks: Sequence[Look], answer: CandidateList, nearest: str | None, agreed: float
) -> str:
    """Return why there is no name, in words for people."""
    if nearest is None or answer.threshold is None:
        return answer.reason
    if answer.person is not None:
        return f"the looks do not agree: {agreed:.0%} of their weight are for {nearest}"
    score, limit = answer.candidates[0].score, answer.threshold.threshold.score
    if score >= limit:  # it is something else: a classifier, a living face that is required
        return answer.reason
    told = f"nearest is {nearest} at {score:.3f}, {limit:.3f} needed"
    lacks = max(looks, key=lambda look: look.view.worth).view.lacks
    return f"{told}; the best view is {lacks}" if lacks else told


def _for_the_visit(
    limit: SearchThreshold | None, options: FollowOptions, looks: int
) -> SearchThreshold | None:
    """Return the threshold with what it means for the visit; one that was given says what it is."""
    if limit is None or options.naming.threshold is not None:
        return limit
    allowed = options.looks.looks
    note = (
        f"FPIR {options.naming.fpir:g} for a visit of up to {counted(allowed, 'look')} ({looks} so "
        f"far), which count as {searches(allowed):.3g} searches. {limit.note}"
    )
    return replace(limit, fpir=options.naming.fpir, note=note)
