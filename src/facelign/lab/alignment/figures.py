"""What alignment is worth: every arm against the unaligned one, on the same photos (A0-12 to 15).

Failures to find a face are counted three ways, because the way decides the figure: left out (kind
to a detector that gives up), the raw photo in place of the face (as some papers do), and an error
(the pair is called "different", as a product would). Differences between arms count failures as
errors: only then do all arms have the same pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facelign.compare import curves
from facelign.compare.curves import Curve
from facelign.compare.pairs import Failures, PairScores
from facelign.errors import BadArray, ConfigError
from facelign.lab.alignment.degradations import parse
from facelign.lab.alignment.run import LAYOUTS, Arm, Condition, Vectors
from facelign.lab.defaults import PAIRED_DRAWS
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.paired import (
    Difference,
    PairedOptions,
    System,
    differences,
)
from facelign.lab.statistics.rates import lowest_rate, rate_text, tar_label
from facelign.lab.statistics.resampling import SEED
from facelign.types.arrays import BoolArray

#: the default star: every lean of undegraded photos, every degradation of upright ones
LEANS = (0.0, 15.0, 30.0, 45.0)
DEGRADATIONS = ("none", "low-resolution", "blur", "dark", "glasses")
#: which step between two layouts tells what apart
STEPS: Mapping[str, tuple[str, str]] = {
    "cropping": ("none", "square"),
    "rotating": ("square", "eyes"),
    "scaling and placing by points": ("eyes", "five"),
    "all of it": ("none", "five"),
}
TRAINED = "not measured: all models here were trained by others on aligned photos"


def conditions(
    leans: Sequence[float] = LEANS, changes: Sequence[str] = DEGRADATIONS, *, cross: bool = False
) -> tuple[Condition, ...]:
    """Return the conditions of a study, the untouched one first.

    A star by default: each lean without degradation, each degradation without lean. cross: every
    combination.
    """
    if any(not -90 <= lean <= 90 for lean in leans):
        raise ConfigError("A head leans by -90 to 90 degrees.", "Such as --rotations 0,15,30,45.")
    plain = parse("none")
    parsed = [plain, *(parse(text) for text in changes)]
    turns = [0.0, *leans]
    every = [Condition(change, lean) for change in parsed for lean in turns]
    if not cross:
        every = [c for c in every if c.degradation == plain or c.lean_deg == 0]
    return tuple(dict.fromkeys(every))


def check_layouts(layouts: Sequence[str]) -> None:
    """Raise ConfigError where no verdict could come of these layouts: before anything is run."""
    if "none" not in layouts or not {"five", "eyes", "square", "crop"} & set(layouts):
        raise ConfigError(
            "A verdict compares the unaligned arm with an aligned one.",
            "Take at least --layouts none,five.",
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """Figures of one way of counting failures. tar: at the study's rate, None where too few pairs
    are left; accuracy: over folds, thresholds from the others (None where there are none).
    """

    pairs: int
    accuracy: float | None
    accuracy_se: float | None
    auc: float | None
    tar: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class ArmResult:
    """One arm measured.

    failed_photos: how many gave no vector, failed_pairs: pairs with such a photo. ways: figures by
    way of counting. gain: against the unaligned arm of the same model and condition, failures
    counted as errors; None for that arm itself. curve: ROC, failures as errors.
    """

    arm: Arm
    failed_photos: int
    failed_pairs: int
    ways: Mapping[Failures, Counted]
    gain: Difference | None
    curve: Curve
    reasons: Mapping[int, str]

    @property
    def main(self) -> Counted:
        """Figures with failures as errors."""
        return self.ways[Failures.DIFFERENT]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        arm = self.arm
        return {
            "model": arm.model,
            "detector": arm.detector,
            "layout": arm.layout,
            "degradation": arm.condition.degradation.id,
            "rotation_deg": arm.condition.lean_deg,
            "failed_photos": self.failed_photos,
            "failed_pairs": self.failed_pairs,
            "failures_counted_as": {_NAMES[way]: c.to_dict() for way, c in self.ways.items()},
            "gain_over_unaligned": self.gain.to_dict() if self.gain else None,
        }


_NAMES = {
    Failures.DIFFERENT: "error",
    Failures.LEFT_OUT: "left_out",
    Failures.RAW: "raw_photo",
}


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one step of alignment adds, by model, detector and condition."""

    name: str
    model: str
    detector: str
    condition: Condition
    difference: Difference

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "step": self.name,
            "model": self.model,
            "detector": self.detector,
            "degradation": self.condition.degradation.id,
            "rotation_deg": self.condition.lean_deg,
            **self.difference.to_dict(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """The record of a study; ``to_dict`` gives plain data for JSON."""

    trials: Trials
    rate: float
    results: tuple[ArmResult, ...]
    steps: tuple[Step, ...]
    draws: int
    seed: int

    def find(self, **wanted: object) -> list[ArmResult]:
        """Return the results whose arm has these values (model, detector, layout, condition)."""
        return [
            r
            for r in self.results
            if all(getattr(r.arm, name) == value for name, value in wanted.items())
        ]

    @property
    def best(self) -> tuple[ArmResult, ArmResult]:
        """The unaligned arm and the best aligned one, of undegraded upright photos.

        Of models and detectors the pair that the article would show: the first model, and of its
        detectors the one whose five points (or eyes, where no other was measured) do best.
        """
        first = self.results[0].arm
        here = self.find(condition=first.condition, model=first.model)
        raw = next((r for r in here if r.arm.layout == "none"), None)
        for layout in ("five", "eyes", "square", "crop"):
            aligned = [r for r in here if r.arm.layout == layout]
            if raw is not None and aligned:
                return raw, max(aligned, key=lambda r: (r.main.tar or 0, r.main.auc or 0))
        raise ConfigError(
            "A verdict compares the unaligned arm with an aligned one.",
            "Take at least --layouts none,five.",
        )

    @property
    def verdict(self) -> str:
        """One sentence: does alignment help, by how much, and how many faces were not found."""
        raw, aligned = self.best
        gain = aligned.gain
        name = {"five": "five points", "eyes": "the eyes"}.get(aligned.arm.layout, "the box")
        who = f"{aligned.arm.model} with {aligned.arm.detector}"
        key = "tar" if gain is not None and "tar" in gain.figures else "auc"
        figure = tar_label(self.rate) if key == "tar" else "AUC"
        before, after = getattr(raw.main, key), getattr(aligned.main, key)
        lost = f"faces not found: {aligned.failed_photos} of {len(self.trials.photos)}"
        if gain is None or key not in gain.figures or before is None or after is None:
            return f"Too few pairs to say what alignment is worth here; {lost}."
        spread = gain.figures[key]
        inside = f"{spread.value:+.3f}, 95 % interval {spread.low:+.3f} to {spread.high:+.3f}"
        if spread.low > 0:
            return (
                f"Alignment by {name} helps: {figure} of {who} rises from {before:.3f} (whole "
                f"photo) to {after:.3f} ({inside}); {lost}."
            )
        if spread.high < 0:
            return (
                f"Alignment by {name} harms here: {figure} of {who} falls from {before:.3f} (whole "
                f"photo) to {after:.3f} ({inside}); {lost}."
            )
        return (
            f"These photos cannot tell whether alignment by {name} helps {who}: {figure} "
            f"{before:.3f} (whole photo) and {after:.3f} ({inside}); {lost}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; curves are left to reports."""
        trials = self.trials
        return {
            "set": trials.name,
            "photos": len(trials.photos),
            "subjects": trials.subjects,
            "pairs": len(trials),
            "mated": int(trials.same.sum()),
            "non_mated": int((~trials.same).sum()),
            "folds": len(np.unique(trials.folds)),
            "tar_at_fmr": rate_text(self.rate),
            "layouts": dict(LAYOUTS),
            "verdict": self.verdict,
            "arms": [result.to_dict() for result in self.results],
            "steps": [step.to_dict() for step in self.steps],
            "trained": {"status": TRAINED, "arms": []},
            "draws": self.draws,
            "seed": self.seed,
        }


def summarize(
    trials: Trials,
    vectors: Mapping[Arm, Vectors],
    *,
    wanted: float = 1e-3,
    draws: int = PAIRED_DRAWS,
    seed: int = SEED,
) -> Study:
    """Return every figure of the arms in ``vectors`` on the pairs of ``trials``."""
    if not vectors:
        raise BadArray("study: there are no arms.")
    rate = lowest_rate(int((~trials.same).sum()), wanted)
    results: list[ArmResult] = []
    steps: list[Step] = []
    groups: dict[tuple[str, Condition], list[Arm]] = {}
    for arm in vectors:
        groups.setdefault((arm.model, arm.condition), []).append(arm)
    for (model, condition), arms in groups.items():
        raw = next((arm for arm in arms if arm.layout == "none"), None)
        whole = vectors[raw] if raw is not None else None
        pairs = {arm: _pairs(trials, vectors[arm]) for arm in arms}
        systems = {arm: System.of(pairs[arm]) for arm in arms}
        gains: dict[Arm, Difference] = {}
        if raw is not None:
            others = [arm for arm in arms if arm is not raw]
            found = differences(
                systems[raw],
                [systems[arm] for arm in others],
                PairedOptions(wanted, draws, seed),
            )
            gains = dict(zip(others, found, strict=True))
        results += [
            _result(
                trials, arm, vectors[arm], whole, pairs[arm], systems[arm], gains.get(arm), rate
            )
            for arm in arms
        ]
        for detector in dict.fromkeys(arm.detector for arm in arms if arm.detector != "-"):
            steps += _steps(model, detector, condition, systems, wanted, draws, seed)
    return Study(trials, rate, tuple(results), tuple(steps), draws, seed)


def _steps(
    model: str,
    detector: str,
    condition: Condition,
    systems: Mapping[Arm, System],
    wanted: float,
    draws: int,
    seed: int,
) -> list[Step]:
    by_layout = {
        arm.layout: system for arm, system in systems.items() if arm.detector in (detector, "-")
    }
    steps = []
    for name, (before, after) in STEPS.items():
        if before in by_layout and after in by_layout:
            (found,) = differences(
                by_layout[before], [by_layout[after]], PairedOptions(wanted, draws, seed)
            )
            steps.append(Step(name, model, detector, condition, found))
    return steps


def _pairs(trials: Trials, found: Vectors) -> PairScores:
    return trials.measured(trials.scores(found.vectors, found.space.metric), _failed(trials, found))


def _failed(trials: Trials, found: Vectors) -> BoolArray:
    failed = np.zeros(len(trials.photos), bool)
    failed[list(found.reasons)] = True
    return failed


def _result(
    trials: Trials,
    arm: Arm,
    found: Vectors,
    whole: Vectors | None,
    pairs: PairScores,
    system: System,
    gain: Difference | None,
    rate: float,
) -> ArmResult:
    ways = {Failures.DIFFERENT: _counted(system, rate)}
    if pairs.failed.any():
        left = pairs.counted(Failures.LEFT_OUT)
        if left.same.any() and not left.same.all():
            ways[Failures.LEFT_OUT] = _counted(System.of(left), rate)
        else:
            ways[Failures.LEFT_OUT] = Counted(len(left), None, None, None, None)
        if whole is not None:
            filled = found.vectors.copy()
            lost = _failed(trials, found)
            filled[lost] = whole.vectors[lost]
            scores = trials.scores(filled, found.space.metric)
            unreadable = _failed(trials, whole)
            ways[Failures.RAW] = _counted(System.of(trials.measured(scores, unreadable)), rate)
    else:
        ways |= dict.fromkeys((Failures.LEFT_OUT, Failures.RAW), ways[Failures.DIFFERENT])
    return ArmResult(
        arm,
        len(found.reasons),
        int(pairs.failed.sum()),
        ways,
        gain,
        curves.curve(system.pairs.set).thinned(600),
        dict(found.reasons),
    )


def _counted(system: System, rate: float) -> Counted:
    scores = system.pairs.set
    decided = system.decided
    return Counted(
        len(system.pairs),
        decided.accuracy if decided else None,
        decided.standard_error if decided else None,
        curves.auc(scores),
        curves.tar_at_fmr(scores, rate).tar,
    )
