"""Two saved runs of verification held against each other, which is what a gate needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from facelign.compare.pairs import PairScores
from facelign.errors import DatasetMalformed, Refused, Remedy
from facelign.lab.statistics.paired import PairedOptions, System, differences, verdict_of
from facelign.lab.statistics.rates import tar_name
from facelign.lab.statistics.resampling import Interval
from facelign.types.policies import VERIFY_FMR

#: figures of a saved run: name -> whether larger is better
FIGURES: Mapping[str, bool] = {"accuracy": True, "auc": True, "eer": False}
_ENDS = ("value", "low", "high")


@dataclass(frozen=True, slots=True)
class FigureChange:
    """One figure of two runs. verdict: "worse", "better" or "same" (not told apart)."""

    figure: str
    before: float
    after: float
    difference: Interval
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """The second run against the first. paired: whether pair by pair, or by the intervals."""

    changes: tuple[FigureChange, ...]
    paired: bool
    notes: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Whether any figure of the second run is significantly worse."""
        return any(change.verdict == "worse" for change in self.changes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "worse": self.worse,
            "paired": self.paired,
            "changes": [change.to_dict() for change in self.changes],
            "notes": list(self.notes),
        }


def compare_runs(
    first: Mapping[str, Any], second: Mapping[str, Any], *, fmr: float = VERIFY_FMR
) -> RunsCompared:
    """Return what became of the figures of ``evaluate verification --json`` from run to run.

    Where both records carry ``pair_scores`` of the same pairs, differences are paired; otherwise
    the intervals are taken as independent, which for runs on the same photos hides small changes.
    Raises DatasetMalformed for records that are no saved runs, Refused for runs on other pairs.
    """
    notes = _check_same(first, second)
    pairs = [saved_pairs(record) for record in (first, second)]
    if pairs[0] is not None and pairs[1] is not None:
        if _alike(pairs[0], pairs[1]):
            changes = _paired_changes(pairs[0], pairs[1], fmr) + _failures(first, second)
            return RunsCompared(tuple(changes), True, tuple(notes))
        notes.append("The runs list their pairs in another order, so they cannot be paired.")
    before, after = _intervals(first), _intervals(second)
    changes = [
        _change(key, before[key], after[key], FIGURES.get(key, True))
        for key in before
        if key in after and (key in FIGURES or key.startswith("tar_at_fmr_"))
    ]
    if not changes:
        raise Refused(
            "The two runs have no figure with an interval in common, so nothing can be compared.",
            Remedy.PAIR_SCORES,
        )
    changes += _failures(first, second)
    notes.append(
        "Compared by their intervals, as if the runs were independent: small changes stay unseen."
    )
    return RunsCompared(tuple(changes), False, tuple(notes))


def _check_same(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    for record in (first, second):
        if not isinstance(record, Mapping) or "tar_at_fmr" not in record:
            raise DatasetMalformed(
                "A report to compare is no record of a verification run.",
                Remedy.RUN,
            )
        if not isinstance(record.get("intervals"), Mapping):
            raise DatasetMalformed("A report to compare has no intervals.", "Make it again.")
        if not all(_count(record.get(name)) for name in ("pairs", "mated", "non_mated")):
            raise DatasetMalformed(
                "A report to compare does not say how many pairs it measured.", "Make it again."
            )
    counts = [
        tuple(record.get(k) for k in ("pairs", "mated", "non_mated")) for record in (first, second)
    ]
    if counts[0] != counts[1]:
        raise Refused(
            f"The runs measured other pairs: {counts[0][0]} and {counts[1][0]}.",
            "Compare two runs over the same list.",
        )
    if first.get("digest") == second.get("digest"):
        return []
    return [
        "The digests of the sets differ: other photos, or photos of which one run found no face."
    ]


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _alike(first: PairScores, second: PairScores) -> bool:
    """Return whether two runs hold the same comparisons in the same order."""
    return len(first) == len(second) and all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("same", "a", "b", "folds")
    )


def _intervals(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the intervals of a saved run; raises DatasetMalformed."""
    found: dict[str, dict[str, float]] = {}
    for name, held in record["intervals"].items():
        ends: list[float] = []
        for end in _ENDS:
            value = held.get(end) if isinstance(held, Mapping) else None
            if isinstance(value, int | float) and math.isfinite(value):
                ends.append(float(value))
        if len(ends) < len(_ENDS):
            raise DatasetMalformed(
                f"The interval of {name} in a report to compare is damaged.", "Make it again."
            )
        found[str(name)] = dict(zip(_ENDS, ends, strict=True))
    return found


def saved_pairs(record: Mapping[str, Any]) -> PairScores | None:
    """Return the pairs of a saved run, or None where it holds none; raises DatasetMalformed."""
    held = record.get("pair_scores")
    if not isinstance(held, Mapping):
        return None
    try:
        return PairScores(
            np.asarray(held["scores"], np.float64),
            np.asarray(held["same"], bool),
            np.asarray(held["a"], np.int64),
            np.asarray(held["b"], np.int64),
            np.asarray(held["folds"], np.int64),
            np.asarray(held["failed"], bool),
        )
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        said = f"there is no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise DatasetMalformed(
            f"The pair scores of a report are damaged: {said}.", "Make it again."
        ) from error


def pair_record(pairs: PairScores) -> dict[str, Any]:
    """Return pairs as plain data, for ``pair_scores`` of a saved run."""
    return {
        "scores": np.round(pairs.scores, 7).tolist(),
        "same": pairs.same.astype(int).tolist(),
        "a": pairs.a.tolist(),
        "b": pairs.b.tolist(),
        "folds": pairs.folds.tolist(),
        "failed": pairs.failed.astype(int).tolist(),
    }


def _paired_changes(before: PairScores, after: PairScores, fmr: float) -> list[FigureChange]:
    """Return the changes of figures over the same pairs."""
    system = System.of(before)
    (gap,) = differences(system, [System.of(after)], PairedOptions(fmr))
    area, tar, accuracy = system.figures(np.ones(len(before)), [gap.rate])
    starts = {"auc": area, "tar": tar, "accuracy": accuracy}
    return [
        FigureChange(
            tar_name(gap.rate) if name == "tar" else name,
            starts[name],
            starts[name] + change.value,
            change,
            verdict_of(change),
        )
        for name, change in gap.figures.items()
    ]


def _change(
    figure: str, before: Mapping[str, float], after: Mapping[str, float], larger: bool
) -> FigureChange:
    """Return the change of a figure by its two 95 % intervals."""
    gap = after["value"] - before["value"]
    # each side of an interval is 1.96 standard errors; skewed ones keep their longer arms
    down = math.hypot(after["value"] - after["low"], before["high"] - before["value"])
    up = math.hypot(after["high"] - after["value"], before["value"] - before["low"])
    change = Interval(gap, gap - down, gap + up)
    verdict = verdict_of(change, larger=larger)
    return FigureChange(figure, before["value"], after["value"], change, verdict)


def _failures(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[FigureChange]:
    """Return the change of photos without a face, by Fisher's exact test."""
    counts = []
    for record in (first, second):
        held = record.get("failures")
        counts.append(int(held.get("count", 0)) if isinstance(held, Mapping) else 0)
    photos = int(first.get("photos") or 0)
    if not photos:
        return []
    table = [[count, max(photos - count, 0)] for count in counts]
    p = float(stats.fisher_exact(table).pvalue)
    gap = (counts[1] - counts[0]) / photos
    verdict = "same" if p >= 0.05 else "worse" if gap > 0 else "better"
    share = [count / photos for count in counts]
    spread = 1.96 * math.sqrt(sum(s * (1 - s) / photos for s in share))
    change = Interval(gap, gap - spread, gap + spread)
    return [FigureChange("failures", share[0], share[1], change, verdict)]
