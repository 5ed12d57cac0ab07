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
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facelign.compare import curves, fusion
from facelign.compare.curves import ScoreSet
from facelign.compare.fusion import Fusion, Scorer
from facelign.errors import BadArray, ConfigError, Refused
from facelign.lab.ensemble import figures as fitting
from facelign.lab.material import photos as walk
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.paired import Difference, System, differences, lowest_rate
from facelign.lab.statistics.resampling import SEED
from facelign.lab.verification.figures import RATES, PairScores
from facelign.recognition.fused import evidence, spaces_of, split
from facelign.recognition.recognizer import Recognizer
from facelign.types.arrays import BoolArray, Float64Array
from facelign.types.decisions import Threshold
from facelign.types.embeddings import Metric

#: how scores are fused: name -> what it is
RULES: Mapping[str, str] = {
    "weighted cosine": "cosines weighted by one over their spread: a space of its own (joint)",
    "mean": "the plain mean of the cosines",
    "z-norm": "the sum of cosines in units of the spread of non-mated ones",
    "logistic": "logistic regression on the cosines",
    "boosting": "gradient boosting on the cosines, rising in each",
}
#: instead of a rule: the one with the highest AUC on the people who are judged
BEST = "best"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
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
    gain: Difference | None
    ms: float | None
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
class Ensemble:
    """The record of a run. pairs: those that are judged, by system. fitted: each rule fitted on
    everybody, to be saved. parts: how people were parted, in words. rule: what the verdict is
    about, named before anything was measured; "best" for the best on these very people.
    """

    trials: Trials
    spaces: tuple[str, ...]
    judged: tuple[Judged, ...]
    pairs: Mapping[str, PairScores]
    fitted: Mapping[str, Scorer]
    parts: str
    rate: str
    failed_photos: int
    draws: int
    seed: int
    rule: str = "weighted cosine"

    @property
    def best_single(self) -> Judged:
        """The single model with the highest accuracy on the judged pairs, then the highest AUC.

        They are chosen on the people who are judged, which can only favor them.
        """
        return _best_single([j for j in self.judged if j.single])

    @property
    def best_fused(self) -> Judged:
        """The fusion with the highest AUC on the judged pairs: chosen by them, so flattered."""
        return max((j for j in self.judged if not j.single), key=lambda j: j.auc)

    @property
    def named(self) -> Judged:
        """The fusion of ``rule``: the one that the verdict is about."""
        if self.rule == BEST:
            return self.best_fused
        return next(j for j in self.judged if j.name == self.rule)

    @property
    def verdict(self) -> str:
        """One sentence: whether the ensemble beats every single model, with the interval."""
        single, fused = self.best_single, self.named
        gain = fused.gain
        if gain is None or "accuracy" not in gain.figures:
            return "Too few people to say whether an ensemble beats the best single model."
        said = {name: other.verdict for name, other in fused.gains.items()}
        told = f"against {single.name} {self._figures(gain)}"
        who = f"The ensemble ({fused.name})"
        if self.rule == BEST:
            who = f"The ensemble ({fused.name}, the best of {len(RULES)} rules on these people)"
        harms = [name for name, one in said.items() if one == "worse"]
        if harms:
            return f"{who} is worse than {' and '.join(harms)} alone: {told}."
        level = [name for name, one in said.items() if one != "better"]
        if level:
            return (
                f"On these people {who[0].lower()}{who[1:]} cannot be told from "
                f"{' and '.join(level)} alone: {told}."
            )
        return f"{who} beats the best single model ({single.name}) and every other: {told}."

    def _figures(self, gain: Difference) -> str:
        figures = gain.figures
        return "; ".join(
            f"{label} {figures[k].value:+.4f} ({figures[k].low:+.4f} to {figures[k].high:+.4f})"
            for k, label in (
                ("accuracy", "accuracy"),
                ("auc", "AUC"),
                ("tar", f"TAR at FMR {self.rate}"),
            )
            if k in figures
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        first = next(iter(self.pairs.values()))
        return {
            "set": self.trials.name,
            "photos": len(self.trials.photos),
            "subjects": self.trials.subjects,
            "pairs": len(self.trials),
            "pairs_judged": len(first),
            "mated": int(first.same.sum()),
            "non_mated": int((~first.same).sum()),
            "people_parted": self.parts,
            "spaces": list(self.spaces),
            "tar_at_fmr": self.rate,
            "failed_photos": self.failed_photos,
            "systems": [one.to_dict() for one in self.judged],
            "rule": self.named.name,
            "rule_named_before": self.rule != BEST,
            "best_single": self.best_single.name,
            "verdict": self.verdict,
            "draws": self.draws,
            "seed": self.seed,
        }


def run(
    trials: Trials,
    recognizer: Recognizer,
    *,
    done: Callable[[int], None] | None = None,
    times: Mapping[str, float] | None = None,
    rule: str = "weighted cosine",
    fmr: float = 1e-3,
    draws: int = 500,
    seed: int = SEED,
) -> Ensemble:
    """Return every model alone and every fusion, judged on people they were not fitted on.

    recognizer: of ``preset_of``. times: ms of a photo by model id, and "together". rule: of
    ``RULES``, the one of the verdict, or "best". Raises ConfigError for an unknown rule.
    """
    check_rule(rule)
    embedded = walk.embed(recognizer, trials.photos, done=done)
    vectors = np.zeros((len(trials.photos), embedded.named.vectors.shape[1]))
    held = embedded.rows >= 0
    vectors[held] = embedded.named.vectors[embedded.rows[held]]
    pieces = split(recognizer, vectors)
    spaces = spaces_of(recognizer)
    names = [part.model for part in recognizer.chain.preset.parts]
    scores = np.stack([trials.scores(piece, Metric.COSINE) for piece in pieces], axis=1)
    return judge(
        trials,
        names,
        spaces,
        scores,
        ~held,
        times=times,
        rule=rule,
        fmr=fmr,
        draws=draws,
        seed=seed,
    )


def judge(
    trials: Trials,
    names: Sequence[str],
    spaces: Sequence[str],
    scores: Float64Array,
    failed_photos: BoolArray,
    *,
    times: Mapping[str, float] | None = None,
    rule: str = "weighted cosine",
    fmr: float = 1e-3,
    draws: int = 500,
    seed: int = SEED,
) -> Ensemble:
    """Return the ensemble of k systems from their scores (p, k) on all pairs."""
    check_rule(rule)
    if scores.shape != (len(trials), len(names)):
        raise BadArray(f"ensemble: wanted ({len(trials)}, {len(names)}), got {scores.shape}.")
    ms = times or {}
    usable = ~(failed_photos[trials.a] | failed_photos[trials.b])
    parts, how = _parts(trials, usable, seed)
    systems: dict[str, Float64Array] = {
        name: scores[:, column].copy() for column, name in enumerate(names)
    }
    systems |= {name: np.zeros(len(trials)) for name in RULES}
    judged_mask = np.zeros(len(trials), bool)
    part_of = np.zeros(len(trials), np.int64)
    for number, (train, test) in enumerate(parts):
        for name, fitted in fit_all(spaces, scores[train], trials.same[train], trials.name).items():
            systems[name][test] = fitted.fused(scores[test])
        judged_mask |= test
        part_of[test] = number
    failed = ~usable
    pairs = {
        name: PairScores(
            values[judged_mask],
            trials.same[judged_mask],
            trials.person_a[judged_mask],
            trials.person_b[judged_mask],
            part_of[judged_mask],
            failed[judged_mask],
        )
        for name, values in systems.items()
    }
    ready = {name: System.of(held) for name, held in pairs.items()}
    rate = lowest_rate(int((~pairs[names[0]].same).sum()), fmr)
    gains: dict[str, dict[str, Difference]] = {fused: {} for fused in RULES}
    for name in names:
        gaps = differences(
            ready[name], [ready[fused] for fused in RULES], wanted=fmr, draws=draws, seed=seed
        )
        for fused, gap in zip(RULES, gaps, strict=True):
            gains[fused][name] = gap
    alone = [_judged(name, ready[name], {}, None, rate, ms.get(name)) for name in names]
    best = _best_single(alone).name
    judged = (
        *alone,
        *(_judged(r, ready[r], gains[r], gains[r][best], rate, ms.get("together")) for r in RULES),
    )
    everyone = fit_all(spaces, scores[usable], trials.same[usable], f"{trials.name}, everybody")
    return Ensemble(
        trials,
        tuple(spaces),
        judged,
        pairs,
        everyone,
        how,
        rate,
        int(failed_photos.sum()),
        draws,
        seed,
        rule,
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
        "weighted cosine": weighted,
        "mean": fusion.mean(spaces),
        "z-norm": fusion.z_norm(spaces, apart, fitted_on),
        "logistic": fitting.logistic(spaces, scores, same, fitted_on=fitted_on),
        "boosting": fitting.boosted(spaces, scores, same, fitted_on=fitted_on),
    }


def threshold_of(found: Ensemble, rule: str) -> Threshold:
    """Return the threshold of a rule at the run's FMR, with what it rests on.

    It comes from scores that the rule gave when it was fitted on other people.
    """
    pairs = found.pairs[rule]
    held = pairs.where(~pairs.failed)
    rate = RATES[found.rate]
    counts = {
        "mated": int(held.same.sum()),
        "non_mated": int((~held.same).sum()),
        "subjects": len(np.unique(np.concatenate([held.a, held.b]))),
    }
    return evidence(curves.threshold_at_fmr(held.set, rate), rate, found.trials.name, counts)


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
        first, second = trials.halves(seed)
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


def _judged(
    name: str,
    system: System,
    gains: Mapping[str, Difference],
    gain: Difference | None,
    rate: str,
    ms: float | None,
) -> Judged:
    scores: ScoreSet = system.pairs.set
    match = np.zeros(len(system.pairs), bool)
    for part in np.unique(system.pairs.folds):
        here = system.pairs.folds == part
        others = system.pairs.where(~here)
        match[here] = system.pairs.scores[here] >= curves.best_by_f1(others.set).threshold
    same = system.pairs.same
    true, false, missed = (int(m.sum()) for m in (match & same, match & ~same, ~match & same))
    return Judged(
        name,
        not gains,
        true / (true + false) if true + false else 0.0,
        true / (true + missed),
        2 * true / (2 * true + false + missed),
        system.decided.accuracy if system.decided else None,
        curves.auc(scores),
        curves.tar_at_fmr(scores, RATES[rate]).tar,
        gain,
        ms,
        gains,
    )


def _best_single(alone: Sequence[Judged]) -> Judged:
    return max(alone, key=lambda j: (j.accuracy or 0.0, j.auc))
