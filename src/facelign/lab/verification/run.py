"""A whole verification run: every figure, by group and by face height, as one record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from facelign.compare.pairs import Failures, PairScores
from facelign.errors import Refused
from facelign.lab.material.photos import Embedded
from facelign.lab.material.trials import Trials
from facelign.lab.plain import plain, told
from facelign.lab.statistics.rates import shows
from facelign.lab.statistics.resampling import DRAWS, SEED
from facelign.lab.verification.figures import (
    AtThreshold,
    PersonErrors,
    RejectCurve,
    Verification,
    at_threshold,
    by_development,
    culprits,
    error_versus_reject,
    evaluate,
)
from facelign.lab.verification.groups import ByGroup, by_group, by_height
from facelign.types.arrays import Float64Array
from facelign.types.decisions import Threshold

#: FMR at which groups and heights are compared, where the pairs allow it; else the next larger
GROUP_RATES = (1e-3, 1e-2, 1e-1)
#: missed pairs from which on an error-versus-reject curve shows more than single pairs
_MISSES = 10


@dataclass(frozen=True, slots=True)
class Choices:
    """How a run counts and draws. groups: path, file name or person to group, or None.

    overlap: lists of people in training sets -> how many of these people are in them.
    """

    counting: Failures = Failures.DIFFERENT
    groups: Mapping[str, str] | None = None
    heights: bool = False
    draws: int = DRAWS
    seed: int = SEED
    overlap: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, eq=False)
class VerificationRun:
    """The photos and pairs, the figures, and what a product's threshold does on them.

    pairs: with their scores; counted: as they counted (failed ones out, or below every threshold).
    fixed: the threshold of the product, or None where the space is uncalibrated.
    """

    trials: Trials
    embedded: Embedded
    choices: Choices
    result: Verification
    pairs: PairScores
    counted: PairScores
    fixed: AtThreshold | None
    groups: ByGroup | None
    by_height: ByGroup | None

    @property
    def threshold(self) -> float:
        """The threshold that pictures show: the product's, or else that of the best F1."""
        return self.fixed.threshold if self.fixed else self.result.best["f1"].threshold

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        trials, embedded = self.trials, self.embedded
        record = self.result.to_dict() | {
            "set": trials.name,
            "digest": trials.digest_of(embedded),
            "protocol": trials.protocol,
            "space": embedded.named.space.id,
            "photos": len(embedded.photos),
            "fallbacks": plain(embedded.fallbacks),
            "missing_photos": len(trials.missing),
            "fixed_threshold": plain(self.fixed),
            "overlap": dict(self.choices.overlap),
            "most_errors": {
                "threshold": self.threshold,
                "people": [each._asdict() for each in most_errors(self)],
            },
            "worst_pairs": {
                kind: [
                    {
                        "a": str(trials.photos[trials.a[place]].path),
                        "b": str(trials.photos[trials.b[place]].path),
                        "score": float(self.pairs.scores[place]),
                    }
                    for place in places
                ]
                for kind, places in zip(("mated", "non_mated"), worst_pairs(self), strict=True)
            },
            "error_versus_reject": {
                name: told(curve, "threshold area fnmr") for name, curve in rejects(self).items()
            },
        }
        if self.groups:
            record["by_group"] = self.groups.to_dict()
        if self.by_height:
            record["by_height"] = self.by_height.to_dict()
        return record


def run(
    trials: Trials,
    embedded: Embedded,
    choices: Choices | None = None,
    *,
    fixed: Threshold | None = None,
) -> VerificationRun:
    """Return every figure of the pairs of ``trials``, by the vectors of their photos.

    fixed: a threshold that was chosen on other data, such as the product's. Raises Refused without
    both kinds of pairs.
    """
    how = choices or Choices()
    pairs = trials.scored(embedded)
    counted = pairs.counted(how.counting)
    if not counted.same.any() or counted.same.all():
        raise Refused(
            f"{trials.name} has {int(counted.same.sum())} mated and {int((~counted.same).sum())} "
            "non-mated pairs that count, and both kinds are needed.",
            "Give at least two people, one of them with two photos in which a face is found.",
        )
    result = evaluate(
        pairs,
        counting=how.counting,
        failures=embedded.failures,
        draws=how.draws,
        seed=how.seed,
    )
    remarks = (*result.remarks, *trials.notes, *_absent(trials, pairs, how.counting))
    result = replace(result, remarks=remarks)
    if trials.development is not None:
        result = by_development(result, pairs, trials.development.scored(embedded))
    draws, seed = result.draws, how.seed
    return VerificationRun(
        trials,
        embedded,
        how,
        result,
        pairs,
        counted,
        None if fixed is None else at_threshold(counted, fixed, draws, seed),
        None
        if how.groups is None
        else by_group(
            pairs,
            trials.group_labels(how.groups),
            rate=_rate(pairs),
            counting=how.counting,
            draws=draws,
            seed=seed,
        ),
        _by_height(trials, embedded, pairs, draws, seed) if how.heights else None,
    )


def rejects(
    measured: VerificationRun, more: Mapping[str, Float64Array] = MappingProxyType({})
) -> dict[str, RejectCurve]:
    """Return error-versus-reject curves by the name of the quality number.

    more: further numbers of the vectors (m,), larger is better, beside those of the walk. A pair
    is as good as the worse of its two photos; pairs without a face are refused by every number
    and are left out. Where fewer than ``_MISSES`` pairs miss the threshold there is nothing to
    see: then that of an FNMR of 5 % is taken; each curve names its threshold.
    """
    trials, pairs, rows = measured.trials, measured.pairs, measured.embedded.rows
    mated = pairs.same & ~pairs.failed
    if not mated.any():
        return {}
    a, b = rows[trials.a[mated]], rows[trials.b[mated]]
    scores = pairs.scores[mated]
    threshold = measured.threshold
    if (scores < threshold).sum() < _MISSES:
        threshold = float(np.quantile(scores, 0.05))
    return {
        name: error_versus_reject(scores, np.minimum(numbers[a], numbers[b]), threshold)
        for name, numbers in {**measured.embedded.quality, **more}.items()
        if np.ptp(numbers) > 0
    }


def most_errors(measured: VerificationRun, most: int = 10) -> list[PersonErrors]:
    """Return the people with most errors at the threshold shown, worst first.

    Pairs without a face are not among them: their failure is told elsewhere. Empty where people
    have no names.
    """
    usable = measured.pairs.where(~measured.pairs.failed)
    return culprits(usable, measured.trials.people, measured.threshold, most)


def worst_pairs(measured: VerificationRun, most: int = 12) -> tuple[list[int], list[int]]:
    """Return the mated pairs of the lowest and the non-mated pairs of the highest scores.

    Pairs without a face are not among them: their failure is told elsewhere.
    """
    pairs = measured.pairs
    worst: list[list[int]] = []
    for kind, keys in ((pairs.same, pairs.scores), (~pairs.same, -pairs.scores)):
        places = np.flatnonzero(kind & ~pairs.failed)
        worst.append(places[np.argsort(keys[places], kind="stable")[:most]].tolist())
    return worst[0], worst[1]


def _absent(trials: Trials, pairs: PairScores, counting: Failures) -> tuple[str, ...]:
    """Return the warning that is due where absent photos, not the model, make the figures."""
    lost, missing = int(pairs.failed.sum()), len(trials.missing)
    if counting is Failures.LEFT_OUT or not missing or lost < len(pairs) / 10:
        return ()
    return (
        f"{lost:,} of {len(pairs):,} pairs have no scores, and {missing:,} "
        "listed photos are not there: these figures tell more of that than of the model.",
    )


def _by_height(
    trials: Trials, embedded: Embedded, pairs: PairScores, draws: int, seed: int
) -> ByGroup:
    smaller = np.minimum(embedded.heights[trials.a], embedded.heights[trials.b])
    known = np.isfinite(smaller) & ~pairs.failed
    if not known.any():
        raise Refused("The heights of the faces are not known.", "Saved vectors have none.")
    part = pairs.where(known)
    return by_height(part, smaller[known], rate=_rate(part), draws=draws, seed=seed)


def _rate(pairs: PairScores) -> float:
    count = int((~pairs.same & ~pairs.failed).sum())
    return next((rate for rate in GROUP_RATES if shows(count, rate)), GROUP_RATES[-1])
