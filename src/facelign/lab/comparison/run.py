"""Which is best for these photos? Several chains over one set, with paired tests between them.

And two saved runs held against each other, which is what a gate needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from facelign import models as models
from facelign.errors import ConfigError, DatasetMalformed, FacelignError, Refused
from facelign.lab.material import photos as walk
from facelign.lab.material.timing import medians
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.paired import Difference, System, differences, lowest_rate
from facelign.lab.statistics.resampling import DRAWS, SEED, Interval
from facelign.lab.verification import figures as verification
from facelign.lab.verification.figures import RATES, PairScores, Verification
from facelign.models.convert import apart
from facelign.models.weights.store import Store
from facelign.recognition.recognizer import Recognizer
from facelign.types.arrays import BoolArray

#: photos that are timed, one by one, without the cache
TIMED = 15


@dataclass(frozen=True, slots=True)
class Wanted:
    """A chain to be compared: a preset and what is changed about it ("" = as the preset says)."""

    preset: str
    detector: str = ""
    layout: str = ""
    model: str = ""

    @property
    def name(self) -> str:
        """Such as "default", "default, mtcnn" or "dlib-resnet, crop"."""
        first = self.model or self.preset
        return ", ".join([first, *(w for w in (self.detector, self.layout) if w)])


def crossed(
    presets: Sequence[str],
    detectors: Sequence[str] = (),
    layouts: Sequence[str] = (),
    models: Sequence[str] = (),
) -> tuple[Wanted, ...]:
    """Return every combination: of the presets and models, with each detector and each layout.

    Where models are named and no preset is, they walk with the default preset's detector. Raises
    ConfigError for fewer than two.
    """
    heads = [Wanted(preset) for preset in presets]
    heads += [Wanted("default", model=model) for model in models]
    made = [
        Wanted(head.preset, detector, layout, head.model)
        for head in heads
        for detector in (detectors or ("",))
        for layout in (layouts or ("",))
    ]
    if len(made) < 2:
        raise ConfigError(
            "A comparison needs at least two contenders.",
            "Such as --presets default,fast,accurate or --models sface,dlib-resnet.",
        )
    return tuple(dict.fromkeys(made))


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """One chain measured. ms: median time of a photo from file to vectors, one thread, or None
    where it was not timed. megabytes: of its weights, ready for the engine.
    """

    wanted: Wanted
    space: str
    pairs: PairScores
    result: Verification
    failed_photos: int
    ms: float | None
    megabytes: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        told = self.result
        return {
            "name": self.wanted.name,
            "preset": self.wanted.preset,
            "detector": self.wanted.detector or None,
            "layout": self.wanted.layout or None,
            "model": self.wanted.model or None,
            "space": self.space,
            "accuracy": told.accuracy,
            "accuracy_se": told.accuracy_se,
            "auc": told.auc,
            "eer": told.eer,
            "tar_at_fmr": {key: found.tar for key, found in told.tar_at_fmr.items()},
            "intervals": {name: found.to_dict() for name, found in told.intervals.items()},
            "best_f1": told.best["f1"].f1 if "f1" in told.best else None,
            "failed_photos": self.failed_photos,
            "failed_pairs": told.failed_pairs,
            "ms_per_photo": self.ms,
            "megabytes": self.megabytes,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Duel:
    """A paired test. p_holm: p of McNemar's test, corrected for the number of duels (Holm)."""

    first: str
    second: str
    difference: Difference
    p_holm: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "first": self.first,
            "second": self.second,
            **self.difference.to_dict(),
            "p_holm": self.p_holm,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The record of a comparison. refused: contenders that could not run, and why."""

    trials: Trials
    contenders: tuple[Contender, ...]
    duels: tuple[Duel, ...]
    refused: Mapping[str, str]
    rate: str
    draws: int
    seed: int

    @property
    def ranking(self) -> list[Contender]:
        """The best first: by accuracy, then TAR at the rate, then AUC."""

        def key(one: Contender) -> tuple[float, float, float]:
            tar = one.result.tar_at_fmr[self.rate].tar
            return one.result.accuracy, tar or 0.0, one.result.auc

        return sorted(self.contenders, key=key, reverse=True)

    @property
    def equals(self) -> list[str]:
        """Who cannot be told from the best by the paired 95 % intervals."""
        best = self.ranking[0].wanted.name
        names = []
        for other in self.ranking[1:]:
            for duel in self.duels:
                if {duel.first, duel.second} == {best, other.wanted.name}:
                    said = duel.difference.verdict
                    beaten = "worse" if duel.first == best else "better"
                    if said != beaten:
                        names.append(other.wanted.name)
        return names

    @property
    def verdict(self) -> str:
        """One sentence: which is best for these photos, or that the data cannot tell."""
        best = self.ranking[0]
        equals = self.equals
        beaten = [c.wanted.name for c in self.ranking[1:] if c.wanted.name not in equals]
        figure = f"accuracy {best.result.accuracy:.4f}"
        tar = best.result.tar_at_fmr[self.rate].tar
        if tar is not None:
            figure += f", TAR at FMR {self.rate} {tar:.3f}"
        name = best.wanted.name
        if not equals:
            return (
                f"Best on these photos: {name} ({figure}), ahead of each other: the paired 95 % "
                "intervals lie above zero."
            )
        fastest = min(
            [best, *(c for c in self.contenders if c.wanted.name in equals)],
            key=lambda c: math.inf if c.ms is None else c.ms,
        )
        advice = ""
        if fastest.ms is not None and fastest is not best:
            advice = f" Of these, {fastest.wanted.name} is the fastest ({fastest.ms:.0f} ms)."
        among = " and ".join([name, *equals]) if len(equals) == 1 else ", ".join([name, *equals])
        ahead = f" {name} is ahead of {', '.join(beaten)} (95 %)." if beaten else ""
        return (
            f"These photos cannot tell which of {among} is best ({name} leads with {figure})."
            f"{ahead}{advice}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        trials = self.trials
        return {
            "set": trials.name,
            "photos": len(trials.photos),
            "subjects": trials.subjects,
            "pairs": len(trials),
            "mated": int(trials.same.sum()),
            "non_mated": int((~trials.same).sum()),
            "folds": len(np.unique(trials.folds)),
            "tar_at_fmr": self.rate,
            "verdict": self.verdict,
            "contenders": [one.to_dict() for one in self.ranking],
            "paired": [duel.to_dict() for duel in self.duels],
            "refused": dict(self.refused),
            "draws": self.draws,
            "seed": self.seed,
        }


def run(
    trials: Trials,
    wanted: Sequence[Wanted],
    build: Callable[[Wanted, bool], Recognizer],
    *,
    timed: int = TIMED,
    fmr: float = 1e-3,
    draws: int = DRAWS,
    seed: int = SEED,
    progress: Callable[[str], Callable[[int], None] | None] = lambda _name: None,
) -> Comparison:
    """Return every contender measured on the same pairs, and the tests between each two.

    build: makes a recognizer, with the vector cache (True) or without it and with one worker, for
    timing (False). progress: gives the callback of one contender. A chain that cannot be built is
    listed with its reason; raises Refused where fewer than two remain.
    """
    contenders: list[Contender] = []
    refused: dict[str, str] = {}
    for one in wanted:
        try:
            recognizer = build(one, True)
            contenders.append(_measured(trials, one, recognizer, progress(one.name), draws, seed))
        except FacelignError as error:
            refused[one.name] = error.message
    if timed:
        contenders = _timed(trials, contenders, build, timed)
    if len(contenders) < 2:
        reasons = "; ".join(f"{name}: {why.rstrip('.')}" for name, why in refused.items())
        raise Refused(f"Fewer than two contenders could run. {reasons}.", "See the reasons.")
    rate = lowest_rate(int((~trials.same).sum()), fmr)
    duels = _duels(contenders, fmr, draws, seed)
    return Comparison(trials, tuple(contenders), duels, refused, rate, draws, seed)


def _measured(
    trials: Trials,
    one: Wanted,
    recognizer: Recognizer,
    done: Callable[[int], None] | None,
    draws: int,
    seed: int,
) -> Contender:
    embedded = walk.embed(recognizer, trials.photos, done=done)
    pairs = pairs_of(trials, embedded)
    result = verification.evaluate(pairs, failures=embedded.failures, draws=draws, seed=seed)
    size = _megabytes(recognizer)
    space = recognizer.space.id
    return Contender(one, space, pairs, result, len(embedded.failures), None, size)


def pairs_of(trials: Trials, embedded: walk.Embedded) -> PairScores:
    """Return the scores of the trials by vectors of their photos."""
    vectors = np.zeros((len(trials.photos), embedded.named.vectors.shape[1]))
    held = embedded.rows >= 0
    vectors[held] = embedded.named.vectors[embedded.rows[held]]
    failed: BoolArray = ~held
    return trials.measured(trials.scores(vectors, embedded.named.space.metric), failed)


def _timed(
    trials: Trials,
    contenders: Sequence[Contender],
    build: Callable[[Wanted, bool], Recognizer],
    count: int,
) -> list[Contender]:
    """Return the contenders with their times."""
    chains = [build(one.wanted, False) for one in contenders]
    times = medians(chains, [photo.path for photo in trials.photos], count)
    return [replace(one, ms=ms) for one, ms in zip(contenders, times, strict=True)]


def _megabytes(recognizer: Recognizer) -> float:
    """Return the size of the weights of a chain as the engine reads them, MB."""
    known, store = models.default(), Store.from_environment()
    specs = [known.spec(task, model) for task, model in recognizer.chain.preset.models]
    graphs = {path for spec in specs for path in store.ready(spec).values()}
    beside = {path.with_name(apart.NAME) for path in graphs}
    return sum(path.stat().st_size for path in graphs | beside if path.is_file()) / 1e6


def _duels(contenders: Sequence[Contender], fmr: float, draws: int, seed: int) -> tuple[Duel, ...]:
    systems = [System.of(one.pairs) for one in contenders]
    names = [one.wanted.name for one in contenders]
    found: list[tuple[str, str, Difference]] = []
    for at in range(len(systems) - 1):
        gaps = differences(systems[at], systems[at + 1 :], wanted=fmr, draws=draws, seed=seed)
        rest = names[at + 1 :]
        found += [(names[at], other, gap) for other, gap in zip(rest, gaps, strict=True)]
    corrected = holm([gap.p for _, _, gap in found])
    return tuple(Duel(a, b, gap, p) for (a, b, gap), p in zip(found, corrected, strict=True))


def holm(p: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979, step-down), in the given order."""
    order = np.argsort(p, kind="stable")
    corrected = [0.0] * len(p)
    highest = 0.0
    for place, number in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p) - place) * p[number]))
        corrected[number] = highest
    return corrected


# -- two saved runs ------------------------------------------------------------------------------

#: figures of a saved run: name -> whether larger is better
FIGURES: Mapping[str, bool] = {"accuracy": True, "auc": True, "eer": False}
_ENDS = ("value", "low", "high")


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of two runs. verdict: "worse", "better" or "same" (not told apart)."""

    figure: str
    before: float
    after: float
    difference: Interval
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "figure": self.figure,
            "before": self.before,
            "after": self.after,
            "difference": self.difference.to_dict(),
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """The second run against the first. paired: whether pair by pair, or by the intervals."""

    changes: tuple[Change, ...]
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
    first: Mapping[str, Any], second: Mapping[str, Any], *, fmr: float = 1e-3
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
            return _paired_runs(pairs[0], pairs[1], fmr, first, second, notes)
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
            "Save both with: facelign evaluate verification --json --pair-scores",
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
                "Save one with: facelign evaluate verification --json > run.json",
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
    digests = [record.get("digest") for record in (first, second)]
    notes = []
    if digests[0] != digests[1]:
        notes.append(
            "The digests of the sets differ: other photos, or photos of which one run found no "
            "face."
        )
    return notes


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


def _paired_runs(
    before: PairScores,
    after: PairScores,
    fmr: float,
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    notes: list[str],
) -> RunsCompared:
    system = System.of(before)
    (gap,) = differences(system, [System.of(after)], wanted=fmr)
    told = {"accuracy": "accuracy", "auc": "auc", "tar": f"tar_at_fmr_{gap.rate}"}
    area, tar, accuracy = system.figures(np.ones(len(before)), [RATES[gap.rate]])
    starts = {"auc": area, "tar": tar, "accuracy": accuracy}
    changes = []
    for name, found in gap.figures.items():
        figure, start = told[name], starts[name]
        verdict = "worse" if found.high < 0 else "better" if found.low > 0 else "same"
        changes.append(Change(figure, start, start + found.value, found, verdict))
    return RunsCompared((*changes, *_failures(first, second)), True, tuple(notes))


def _change(
    figure: str, before: Mapping[str, float], after: Mapping[str, float], larger: bool
) -> Change:
    """Return the change of a figure by its two 95 % intervals."""
    gap = after["value"] - before["value"]
    # each side of an interval is 1.96 standard errors; skewed ones keep their longer arms
    down = math.hypot(after["value"] - after["low"], before["high"] - before["value"])
    up = math.hypot(after["high"] - after["value"], before["value"] - before["low"])
    found = Interval(gap, gap - down, gap + up)
    good, bad = (found.low > 0, found.high < 0) if larger else (found.high < 0, found.low > 0)
    verdict = "worse" if bad else "better" if good else "same"
    return Change(figure, before["value"], after["value"], found, verdict)


def _failures(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Change]:
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
    found = Interval(gap, gap - spread, gap + spread)
    return [Change("failures", share[0], share[1], found, verdict)]
