"""A whole verification run: every figure, by group and by face height, as one record."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from facelign.compare import curves
from facelign.errors import Refused
from facelign.lab.material.sources import Material
from facelign.lab.statistics import resampling
from facelign.lab.statistics.resampling import DRAWS, SEED, Interval
from facelign.lab.verification import figures as verification
from facelign.lab.verification.figures import (
    ByGroup,
    Failures,
    PairScores,
    RejectCurve,
    Verification,
    by_group,
    by_height,
    culprits,
    error_versus_reject,
)
from facelign.types.arrays import BoolArray, Float64Array
from facelign.types.decisions import Threshold

#: FMR at which groups and heights are compared, where the pairs allow it; else the next larger
GROUP_RATES = (1e-3, 1e-2, 1e-1)
#: missed pairs from which on an error-versus-reject curve shows more than single pairs
_MISSES = 10


@dataclass(frozen=True, slots=True)
class Choices:
    """How a run counts and draws. groups: path, file name or person to group, or None."""

    counting: Failures = Failures.DIFFERENT
    groups: Mapping[str, str] | None = None
    heights: bool = False
    draws: int = DRAWS
    seed: int = SEED


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a threshold that was fixed before does on these pairs. None without such pairs."""

    threshold: float
    nominal_fmr: float | None
    source: str
    fmr: Interval | None
    fnmr: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "threshold": self.threshold,
            "nominal_fmr": self.nominal_fmr,
            "source": self.source,
            "fmr": self.fmr.to_dict() if self.fmr else None,
            "fnmr": self.fnmr.to_dict() if self.fnmr else None,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The material, the figures, and what a product's threshold does on it.

    counted: the pairs as they counted (failed ones out, or below every threshold). fixed: the
    threshold of the product, or None where the space is uncalibrated.
    """

    material: Material
    choices: Choices
    result: Verification
    counted: PairScores
    fixed: AtThreshold | None
    groups: ByGroup | None
    by_height: ByGroup | None
    overlap: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def threshold(self) -> float:
        """The threshold that pictures show: the product's, or else that of the best F1."""
        return self.fixed.threshold if self.fixed else self.result.best["f1"].threshold

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON.

        A TAR beyond the evidence is None, and ``tar_needs`` says how many pairs it takes.
        """
        record = self.result.to_dict()
        told = {key: found.tar for key, found in self.result.tar_at_fmr.items()}
        needs = {
            key: str(found.told())
            for key, found in self.result.tar_at_fmr.items()
            if found.tar is None
        }
        embedded = self.material.embedded
        record |= {
            "tar_at_fmr": told,
            "tar_needs": needs,
            "set": self.material.name,
            "digest": self.material.digest,
            "protocol": self.material.protocol,
            "space": self.material.named.space.id,
            "photos": len(embedded.photos),
            "fallbacks": [{"photo": f.photo, "reason": f.reason} for f in embedded.fallbacks],
            "missing_photos": self.material.missing,
            "fixed_threshold": self.fixed.to_dict() if self.fixed else None,
            "overlap": dict(self.overlap),
            "most_errors": {
                "threshold": self.threshold,
                "people": [
                    {"person": name, "false_matches": apart, "false_non_matches": together}
                    for name, apart, together in most_errors(self)
                ],
            },
            "worst_pairs": _pairs_told(self),
            "error_versus_reject": {
                name: {"threshold": found.threshold, "area": found.area, "fnmr": list(found.fnmr)}
                for name, found in rejects(self, {}).items()
            },
        }
        if self.groups:
            record["by_group"] = self.groups.to_dict()
        if self.by_height:
            record["by_height"] = self.by_height.to_dict()
        return record


def measure(
    material: Material,
    choices: Choices | None = None,
    *,
    fixed: Threshold | None = None,
    overlap: Mapping[str, int] | None = None,
) -> Measured:
    """Return every figure of the pairs of ``material``.

    fixed: a threshold that was chosen on other data, such as the product's. Raises Refused without
    both kinds of pairs.
    """
    how = choices or Choices()
    left = material.pairs.counted(how.counting).same
    if not left.any() or left.all():
        raise Refused(
            f"{material.name} has {int(left.sum())} mated and {int((~left).sum())} non-mated pairs "
            "that count, and both kinds are needed.",
            "Give at least two people, one of them with two photos in which a face is found.",
        )
    result = verification.evaluate(
        material.pairs,
        counting=how.counting,
        failures=material.embedded.failures,
        draws=how.draws,
        seed=how.seed,
    )
    result = replace(result, notes=(*result.notes, *material.notes, *_absent(material, how)))
    if material.development is not None:
        # its threshold comes from another list, so that folds have no part in it
        kept = tuple(note for note in result.notes if note != verification.NO_FOLDS)
        result = replace(result, notes=kept)
        result = _view_1(material.development, material.pairs, result, how)
    counted = material.pairs.counted(how.counting)
    return Measured(
        material,
        how,
        result,
        counted,
        None if fixed is None else at_threshold(counted, fixed, result.draws, how.seed),
        _grouped(material, how, result.draws),
        _by_height(material, how, result.draws) if how.heights else None,
        MappingProxyType(dict(overlap or {})),
    )


def at_threshold(
    pairs: PairScores, threshold: Threshold, draws: int = DRAWS, seed: int = SEED
) -> AtThreshold:
    """Return FMR and FNMR of pairs at a threshold, with intervals over people."""
    match = pairs.scores >= threshold.score
    return AtThreshold(
        threshold.score,
        threshold.fmr,
        threshold.source,
        _share(pairs.where(~pairs.same), match[~pairs.same], draws, seed),
        _share(pairs.where(pairs.same), ~match[pairs.same], draws, seed),
    )


def rejects(measured: Measured, more: Mapping[str, Float64Array]) -> dict[str, RejectCurve]:
    """Return error-versus-reject curves by the name of the quality number.

    more: further numbers of the vectors (m,), larger is better, beside those of the walk. A pair
    is as good as the worse of its two photos; pairs without a face are refused by every number
    and are left out. Where fewer than ``_MISSES`` pairs miss the threshold there is nothing to
    see: then that of an FNMR of 5 % is taken; each curve names its threshold.
    """
    material = measured.material
    rows = material.embedded.rows
    mated = material.pairs.same & ~material.pairs.failed
    if not mated.any():
        return {}
    a, b = rows[material.first[mated]], rows[material.second[mated]]
    scores = material.pairs.scores[mated]
    threshold = measured.threshold
    if (scores < threshold).sum() < _MISSES:
        threshold = float(np.quantile(scores, 0.05))
    found = {}
    for name, numbers in {**material.embedded.quality, **more}.items():
        if np.ptp(numbers) > 0:
            worse = np.minimum(numbers[a], numbers[b])
            found[name] = error_versus_reject(scores, worse, threshold)
    return found


def most_errors(measured: Measured, most: int = 10) -> list[tuple[str, int, int]]:
    """Return (person, false matches, false non-matches) at the threshold shown, worst first.

    Pairs without a face are not among them: their failure is told elsewhere. Empty where people
    have no names.
    """
    people = measured.material.people
    if not people:
        return []
    found = culprits(
        measured.material.pairs.where(~measured.material.pairs.failed), measured.threshold, most
    )
    return [(people[c.person], c.false_matches, c.false_non_matches) for c in found]


def _pairs_told(measured: Measured) -> dict[str, list[dict[str, Any]]]:
    material = measured.material
    told = {}
    for kind, places in zip(("mated", "non_mated"), worst_pairs(measured), strict=True):
        told[kind] = [
            {
                "a": str(material.photo(int(material.first[place])).path),
                "b": str(material.photo(int(material.second[place])).path),
                "score": float(material.pairs.scores[place]),
            }
            for place in places
        ]
    return told


def worst_pairs(measured: Measured, most: int = 12) -> tuple[list[int], list[int]]:
    """Return the mated pairs of the lowest and the non-mated pairs of the highest scores.

    Pairs without a face are not among them: their failure is told elsewhere.
    """
    pairs = measured.material.pairs
    usable = ~pairs.failed
    mated = np.flatnonzero(pairs.same & usable)
    other = np.flatnonzero(~pairs.same & usable)
    low = mated[np.argsort(pairs.scores[mated], kind="stable")[:most]]
    high = other[np.argsort(-pairs.scores[other], kind="stable")[:most]]
    return low.tolist(), high.tolist()


def _view_1(
    development: PairScores, pairs: PairScores, result: Verification, how: Choices
) -> Verification:
    """Return the result with the accuracy of View 1: the threshold comes from its training list."""
    chosen = curves.best_by_accuracy(development.counted(how.counting).set).threshold
    held = pairs.counted(how.counting)
    right = (held.scores >= chosen) == held.same
    codes = np.unique(np.concatenate([held.a, held.b]), return_inverse=True)[1]
    found = resampling.interval(
        lambda weights: verification.weighted_accuracy(right, held.same, weights),
        codes[: len(held)],
        codes[len(held) :],
        draws=result.draws,
        seed=how.seed,
    )
    note = f"View 1: the threshold {chosen:.4f} was chosen on {len(development):,} other pairs."
    return replace(
        result,
        accuracy=found.value,
        accuracy_se=0.0,
        intervals={**result.intervals, "accuracy": found},
        notes=(*result.notes, note),
    )


def _absent(material: Material, how: Choices) -> tuple[str, ...]:
    """Return the warning that is due where absent photos, not the model, make the figures."""
    lost = int(material.pairs.failed.sum())
    if how.counting is Failures.LEFT_OUT or not material.missing or lost < len(material.pairs) / 10:
        return ()
    return (
        f"{lost:,} of {len(material.pairs):,} pairs have no scores, and {material.missing:,} "
        "listed photos are not there: these figures tell more of that than of the model.",
    )


def _grouped(material: Material, how: Choices, draws: int) -> ByGroup | None:
    if how.groups is None:
        return None
    labels = material.group_labels(how.groups)
    pairs = material.pairs
    return by_group(
        pairs, labels, rate=_rate(pairs), counting=how.counting, draws=draws, seed=how.seed
    )


def _by_height(material: Material, how: Choices, draws: int) -> ByGroup | None:
    heights = material.heights
    seen = np.isfinite(heights).all(axis=1) & ~material.pairs.failed
    if not seen.any():
        raise Refused("The heights of the faces are not known.", "Saved vectors have none.")
    pairs = material.pairs.where(seen)
    found = by_height(
        pairs,
        heights[seen],
        rate=_rate(pairs),
        counting=Failures.LEFT_OUT,
        draws=draws,
        seed=how.seed,
    )
    rising = sorted(found.groups, key=lambda group: float(re.split("[- ]", group.group)[0]))
    return replace(found, groups=tuple(rising))


def _rate(pairs: PairScores) -> float:
    count = int((~pairs.same & ~pairs.failed).sum())
    return next((r for r in GROUP_RATES if count * r >= 1), GROUP_RATES[-1])


def _share(pairs: PairScores, said: BoolArray, draws: int, seed: int) -> Interval | None:
    """Return the share of pairs of which ``said`` (n,) holds, drawn by people; rule of 3 at 0."""
    if not len(pairs):
        return None
    if not said.any():
        return Interval(0.0, 0.0, min(1.0, 3 / len(pairs)))

    def share(weights: Float64Array) -> float:
        total = weights.sum()
        return float((weights * said).sum() / total) if total else math.nan

    codes = np.unique(np.concatenate([pairs.a, pairs.b]), return_inverse=True)[1]
    a, b = codes[: len(pairs)], codes[len(pairs) :]
    return resampling.interval(share, a, b, draws=draws, seed=seed)
