"""Several models as one: does their ensemble beat the best of them, on people it was not fitted on?

One walk gives the vectors of all models (``embed.joint``), which are split again into the cosine
of each. Every fusion is fitted on some people and judged on others; all systems are judged on the
same pairs, so differences are paired.

The people who are judged choose nothing that flatters an ensemble: the rule of the verdict is named
before (the best of five on these people would be ahead by luck alone), and it has to beat every
single model, whichever is the best here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from facelign.compare import curves, fusion
from facelign.compare.fusion import Fusion, Scorer
from facelign.compare.pairs import PairScores
from facelign.compare.scores import listed_scores
from facelign.errors import BadArray, ConfigError, Refused
from facelign.lab.ensemble import figures as fitting
from facelign.lab.material.photos import embed
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.folds import RULES as RULES_OF_FOLDS
from facelign.lab.statistics.folds import cross_validated
from facelign.lab.statistics.paired import Difference, PairedOptions, System, differences
from facelign.lab.statistics.rates import lowest_rate, rate_text, tar_label
from facelign.lab.statistics.resampling import SEED
from facelign.recognition.fused import evidence, spaces_of, split
from facelign.recognition.recognizer import Recognizer
from facelign.types.arrays import BoolArray, Float64Array
from facelign.types.decisions import Threshold
from facelign.types.embeddings import Metric

#: the rule of the verdict, unless another is named
WEIGHTED = "weighted cosine"
#: how scores are fused: name -> what it is
RULES: Mapping[str, str] = {
    WEIGHTED: "cosines weighted by one over their spread: a space of its own (joint)",
    "mean": "the plain mean of the cosines",
    "z-norm": "the sum of cosines in units of the spread of non-mated ones",
    "logistic": "logistic regression on the cosines",
    "boosting": "gradient boosting on the cosines, rising in each",
}
#: instead of a rule: the one with the highest AUC on the people who are judged
BEST = "best"


@dataclass(frozen=True, slots=True)
class EnsembleOptions(PairedOptions):
    """rule: of ``RULES``, the one of the verdict, or "best". The rest as for paired differences."""

    rule: str = WEIGHTED

    def __post_init__(self) -> None:
        check_rule(self.rule)


@dataclass(frozen=True, slots=True, eq=False)
class SystemFigures:
    """One system on the pairs that are judged.

    precision, recall, f1: decisions with thresholds of the other people (best F1 there). gains:
    of a fusion over each single model; empty for the single models. gain: over the best of them.
    ms: of a photo, None where untimed.
    """

    name: str
    single: bool
    precision: float
    recall: float
    f1: float
    accuracy: float | None
    auc: float
    tar: float | None
    gain: Difference | None = None
    ms: float | None = None
    gains: Mapping[str, Difference] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "single": self.single,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "accuracy": self.accuracy,
            "auc": self.auc,
            "tar": self.tar,
            "gain_over_best_single": self.gain.to_dict() if self.gain else None,
            "gain_over": {name: gain.to_dict() for name, gain in self.gains.items()},
            "ms_per_photo": self.ms,
        }


@dataclass(frozen=True, slots=True, eq=False)
class EnsembleRun:
    """The record of a run. pairs: those that are judged, by system. fitted: each rule fitted on
    everybody, to be saved. parts: how people were parted, in words. rule: what the verdict is
    about, named before anything was measured; "best" for the best on these very people.
    """

    trials: Trials
    spaces: tuple[str, ...]
    judged: tuple[SystemFigures, ...]
    pairs: Mapping[str, PairScores]
    fitted: Mapping[str, Scorer]
    parts: str
    rate: float
    failed_photos: int
    options: EnsembleOptions

    @property
    def best_single(self) -> SystemFigures:
        """The single model with the highest accuracy on the judged pairs, then the highest AUC.

        They are chosen on the people who are judged, which can only favor them.
        """
        return _best_single([j for j in self.judged if j.single])

    @property
    def best_fused(self) -> SystemFigures:
        """The fusion with the highest AUC on the judged pairs: chosen by them, so flattered."""
        return max((j for j in self.judged if not j.single), key=lambda j: j.auc)

    @property
    def named(self) -> SystemFigures:
        """The fusion of ``rule``: the one that the verdict is about."""
        if self.options.rule == BEST:
            return self.best_fused
        return next(j for j in self.judged if j.name == self.options.rule)

    @property
    def verdict(self) -> str:
        """One sentence: whether the ensemble beats every single model, with the interval."""
        single, fused = self.best_single, self.named
        gain = fused.gain
        if gain is None or "accuracy" not in gain.figures:
            return "Too few people to say whether an ensemble beats the best single model."
        verdicts = {name: other.verdict for name, other in fused.gains.items()}
        figures = f"against {single.name} {self._figures(gain)}"
        who = f"The ensemble ({fused.name})"
        if self.options.rule == BEST:
            who = f"The ensemble ({fused.name}, the best of {len(RULES)} rules on these people)"
        harms = [name for name, verdict in verdicts.items() if verdict == "worse"]
        if harms:
            return f"{who} is worse than {' and '.join(harms)} alone: {figures}."
        level = [name for name, verdict in verdicts.items() if verdict != "better"]
        if level:
            return (
                f"On these people {who[0].lower()}{who[1:]} cannot be told from "
                f"{' and '.join(level)} alone: {figures}."
            )
        return f"{who} beats the best single model ({single.name}) and every other: {figures}."

    def _figures(self, gain: Difference) -> str:
        figures = gain.figures
        return "; ".join(
            f"{label} {figures[k].change() if k == 'auc' else figures[k].points}"
            for k, label in (
                ("accuracy", "accuracy"),
                ("auc", "AUC"),
                ("tar", tar_label(self.rate)),
            )
            if k in figures
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        first = next(iter(self.pairs.values()))
        record = self.trials.to_dict()
        return {
            **{name: record[name] for name in ("set", "photos", "subjects", "pairs")},
            "pairs_judged": len(first),
            "mated": int(first.same.sum()),
            "non_mated": int((~first.same).sum()),
            "people_parted": self.parts,
            "spaces": list(self.spaces),
            "tar_at_fmr": rate_text(self.rate),
            "failed_photos": self.failed_photos,
            "systems": [one.to_dict() for one in self.judged],
            "rule": self.named.name,
            "rule_named_before": self.options.rule != BEST,
            "best_single": self.best_single.name,
            "verdict": self.verdict,
            "draws": self.options.draws,
            "seed": self.options.seed,
        }


def run(
    trials: Trials,
    recognizer: Recognizer,
    options: EnsembleOptions | None = None,
    *,
    done: Callable[[int], None] | None = None,
    times: Mapping[str, float] | None = None,
) -> EnsembleRun:
    """Return every model alone and every fusion, judged on people they were not fitted on.

    recognizer: of ``preset_of``. times: ms of a photo by model id, and "together".
    """
    embedded = embed(recognizer, trials.photos, done=done)
    a, b = embedded.rows[trials.a], embedded.rows[trials.b]
    pieces = split(recognizer, embedded.named.vectors)
    scores = [listed_scores(piece, a, b, Metric.COSINE) for piece in pieces]
    names = [part.model for part in recognizer.chain.preset.parts]
    systems = Systems(names, spaces_of(recognizer), np.stack(scores, axis=1), embedded.lost)
    return judge(trials, systems, options, times=times)


@dataclass(frozen=True, slots=True, eq=False)
class Systems:
    """Scores (p, k) of k systems on all pairs. failed: (n,) photos that gave no face."""

    names: Sequence[str]
    spaces: Sequence[str]
    scores: Float64Array
    failed: BoolArray


def judge(
    trials: Trials,
    systems: Systems,
    options: EnsembleOptions | None = None,
    *,
    times: Mapping[str, float] | None = None,
) -> EnsembleRun:
    """Return the ensemble of systems from their scores on all pairs."""
    how = options or EnsembleOptions()
    names, spaces, scores = systems.names, systems.spaces, systems.scores
    if scores.shape != (len(trials), len(names)):
        raise BadArray(f"ensemble: wanted ({len(trials)}, {len(names)}), got {scores.shape}.")
    usable = ~(systems.failed[trials.a] | systems.failed[trials.b])
    parts, parted = _parts(trials, usable, how.seed)
    values: dict[str, Float64Array] = {
        name: scores[:, column].copy() for column, name in enumerate(names)
    }
    values |= {name: np.zeros(len(trials)) for name in RULES}
    part_of = np.full(len(trials), -1)
    for number, (train, test) in enumerate(parts):
        for name, fitted in fit_all(spaces, scores[train], trials.same[train], trials.name).items():
            values[name][test] = fitted.fused(scores[test])
        part_of[test] = number
    judged = part_of >= 0
    pairs = {
        name: replace(trials.measured(fused, systems.failed), folds=part_of).where(judged)
        for name, fused in values.items()
    }
    ready = {name: System.of(held) for name, held in pairs.items()}
    rate = lowest_rate(int((~pairs[names[0]].same).sum()), how.fmr)
    gains: dict[str, dict[str, Difference]] = {fused: {} for fused in RULES}
    for name in names:
        gaps = differences(ready[name], [ready[fused] for fused in RULES], how)
        for fused, gap in zip(RULES, gaps, strict=True):
            gains[fused][name] = gap
    ms = times or {}
    alone = [replace(_figures(name, ready[name], rate), ms=ms.get(name)) for name in names]
    best = _best_single(alone).name
    together = [
        replace(
            _figures(rule, ready[rule], rate),
            single=False,
            gain=gains[rule][best],
            gains=gains[rule],
            ms=ms.get("together"),
        )
        for rule in RULES
    ]
    everyone = fit_all(spaces, scores[usable], trials.same[usable], f"{trials.name}, everybody")
    return EnsembleRun(
        trials,
        tuple(spaces),
        (*alone, *together),
        pairs,
        everyone,
        parted,
        rate,
        int(systems.failed.sum()),
        how,
    )


def check_rule(rule: str) -> None:
    """Raise ConfigError unless ``rule`` is one of ``RULES`` or "best"."""
    if rule not in (*RULES, BEST):
        raise ConfigError(f"There is no rule '{rule}'.", f"There are: {', '.join(RULES)}, {BEST}.")


def fit_all(
    spaces: Sequence[str], scores: Float64Array, same: BoolArray, fitted_on: str
) -> dict[str, Scorer]:
    """Return every rule of ``RULES``, fitted on these pairs."""
    apart = scores[~same]
    spreads = apart.std(axis=0, ddof=1)
    weights = fusion.equal_shares(spreads)
    k = len(spaces)
    weighted = Fusion(
        "mean",
        tuple(spaces),
        tuple(float(w) for w in weights),
        (0.0,) * k,
        (1.0,) * k,
        fitted_on=fitted_on,
    )
    return {
        WEIGHTED: weighted,
        "mean": fusion.mean(spaces),
        "z-norm": fusion.z_norm(spaces, apart, fitted_on),
        "logistic": fitting.logistic(spaces, scores, same, fitted_on=fitted_on),
        "boosting": fitting.boosted(spaces, scores, same, fitted_on=fitted_on),
    }


def threshold_of(measured: EnsembleRun, rule: str) -> Threshold:
    """Return the threshold of a rule at the run's FMR, with what it rests on.

    It comes from scores that the rule gave when it was fitted on other people.
    """
    pairs = measured.pairs[rule]
    usable = pairs.where(~pairs.failed)
    counts = {
        "mated": int(usable.same.sum()),
        "non_mated": int((~usable.same).sum()),
        "subjects": usable.subjects,
    }
    limit = curves.threshold_at_fmr(usable.set, measured.rate)
    return evidence(limit, measured.rate, measured.trials.name, counts)


def _parts(
    trials: Trials, usable: BoolArray, seed: int
) -> tuple[list[tuple[BoolArray, BoolArray]], str]:
    """Return (train, test) masks without a person in both, and how people were parted."""
    made = [
        (train & usable, test)
        for train, test in _masks(trials, seed)
        if _both(trials.same[train & usable]) and _both(trials.same[test])
    ]
    if len(made) < 2:
        raise Refused(
            "Too few people to fit an ensemble on some and judge it on others.",
            "Give photos of at least four people, two photos of each.",
        )
    folds = len(np.unique(trials.folds))
    if folds > 1:
        return made, f"the {folds} folds of the list: fitted on the others, without shared people"
    return made, "two halves of the people: fitted on one, judged on the other, then swapped"


def _masks(trials: Trials, seed: int) -> Iterator[tuple[BoolArray, BoolArray]]:
    numbers = np.unique(trials.folds)
    if len(numbers) == 1:
        first, second = halves(trials, seed)
        yield first, second
        yield second, first
        return
    for fold in numbers:
        test = trials.folds == fold
        people = np.unique(np.concatenate([trials.person_a[test], trials.person_b[test]]))
        shared = np.isin(trials.person_a, people) | np.isin(trials.person_b, people)
        yield ~test & ~shared, test


def _both(same: BoolArray) -> bool:
    return bool(same.any()) and not bool(same.all())


def halves(trials: Trials, seed: int = SEED) -> tuple[BoolArray, BoolArray]:
    """Return the pairs of two disjoint halves of the people: masks (p,), (p,).

    Pairs between the halves are in neither.
    """
    people = np.unique(np.concatenate([trials.person_a, trials.person_b]))
    first = np.random.default_rng(seed).permutation(people)[: len(people) // 2]
    a, b = np.isin(trials.person_a, first), np.isin(trials.person_b, first)
    return a & b, ~a & ~b


def _figures(name: str, system: System, rate: float) -> SystemFigures:
    decided = cross_validated(system.pairs, RULES_OF_FOLDS["f1"])
    true, false, missed = decided.counts
    scores = system.pairs.set
    return SystemFigures(
        name,
        True,
        true / (true + false) if true + false else 0.0,
        true / (true + missed),
        decided.f1,
        system.decided.accuracy if system.decided else None,
        curves.auc(scores),
        curves.tar_at_fmr(scores, rate).tar,
    )


def _best_single(alone: Sequence[SystemFigures]) -> SystemFigures:
    return max(alone, key=lambda j: (j.accuracy or 0.0, j.auc))
