"""One threshold for everybody: what it does to groups of people, and to faces by their height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from facelign.compare import curves
from facelign.compare.curves import ScoreSet
from facelign.compare.pairs import Failures, PairScores
from facelign.errors import BadArray
from facelign.lab.plain import PlainRecord
from facelign.lab.statistics.bands import band_names, bands
from facelign.lab.statistics.resampling import DRAWS, SEED, Interval
from facelign.lab.verification.figures import error_rates
from facelign.types.policies import VERIFY_FMR


@dataclass(frozen=True, slots=True)
class GroupRates:
    """Error rates of one group at the common threshold; None where it has no such pairs."""

    group: str
    mated: int
    non_mated: int
    fmr: Interval | None
    fnmr: Interval | None
    own_threshold: float | None


@dataclass(frozen=True, slots=True)
class ByGroup(PlainRecord):
    """The same threshold for everybody, and what it does to each group.

    rate: the FMR that the threshold holds over all pairs. worst_fmr_ratio, worst_fnmr_ratio:
    largest over smallest rate above 0, or None. holds_for_all: the threshold at which no group's
    FMR exceeds the rate, as far as each has the pairs to say so.
    """

    TOLD = "fmr=rate threshold groups worst_fmr_ratio worst_fnmr_ratio holds_for_all notes"

    rate: float
    threshold: float
    groups: tuple[GroupRates, ...]
    worst_fmr_ratio: float | None
    worst_fnmr_ratio: float | None
    holds_for_all: float
    notes: tuple[str, ...] = ()


def by_group(
    pairs: PairScores,
    groups: Sequence[str],
    *,
    rate: float = VERIFY_FMR,
    counting: Failures = Failures.DIFFERENT,
    draws: int = DRAWS,
    seed: int = SEED,
) -> ByGroup:
    """Return error rates by group at one threshold.

    groups: n labels, one a pair, "" for pairs that belong to none (as those of two groups). Raises
    Refused where all pairs together are too few for the rate.
    """
    if len(groups) != len(pairs):
        raise BadArray(f"groups: wanted {len(pairs)} labels, got {len(groups)}.")
    labels = np.array(groups, dtype=str)
    if counting is Failures.LEFT_OUT:
        labels = labels[~pairs.failed]
    counted = pairs.counted(counting)
    threshold = curves.threshold_at_fmr(counted.set, rate)
    needs = curves.comparisons_needed(rate)
    every: list[GroupRates] = []
    notes: list[str] = []
    strictest = threshold
    for name in sorted(set(labels.tolist()) - {""}):
        part = counted.where(labels == name)
        apart = part.scores[~part.same]
        rates = error_rates(part, threshold, draws, seed)
        own: float | None = None
        if len(apart) >= needs:
            own = curves.threshold_at_fmr(ScoreSet(apart, apart), rate)
            strictest = max(strictest, own)
        else:
            notes.append(f"{name}: {len(apart)} non-mated pairs, {needs} are needed.")
        every.append(GroupRates(name, int(part.same.sum()), len(apart), *rates, own))
    return ByGroup(
        rate,
        threshold,
        tuple(every),
        _worst([group.fmr for group in every]),
        _worst([group.fnmr for group in every]),
        strictest,
        tuple(notes),
    )


def by_height(
    pairs: PairScores,
    heights: npt.ArrayLike,
    *,
    rate: float = VERIFY_FMR,
    draws: int = DRAWS,
    seed: int = SEED,
) -> ByGroup:
    """Return error rates by ``heights`` (n,) of the smaller face of each pair, px.

    The rest as ``by_group``.
    """
    names = band_names()
    labels = [names[band] for band in bands(heights)]
    rates = by_group(pairs, labels, rate=rate, draws=draws, seed=seed)
    rising = sorted(rates.groups, key=lambda group: names.index(group.group))
    return replace(rates, groups=tuple(rising))


def _worst(rates: Sequence[Interval | None]) -> float | None:
    seen = [rate.value for rate in rates if rate is not None and rate.value > 0]
    return max(seen) / min(seen) if len(seen) > 1 else None
