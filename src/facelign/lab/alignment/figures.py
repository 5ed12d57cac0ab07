"""What alignment is worth: every arm against the unaligned one, on the same photos (A0-12 to 15).

Failures to find a face are counted three ways, because the way decides the figure: left out (kind
to a detector that gives up), the raw photo in place of the face (as some papers do), and an error
(the pair is called "different", as a product would). Differences between arms count failures as
errors: only then do all arms have the same pairs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facelign.compare import curves
from facelign.compare.curves import Curve
from facelign.compare.pairs import Failures
from facelign.errors import BadArray, ConfigError
from facelign.lab.alignment.degradations import parse
from facelign.lab.alignment.run import Arm, Condition, Vectors, check_known
from facelign.lab.defaults import DEGRADATIONS, LAYOUTS, LEANS
from facelign.lab.material.trials import Trials
from facelign.lab.plain import plain, told
from facelign.lab.statistics.paired import (
    Difference,
    PairedOptions,
    System,
    differences,
    verdict_of,
)
from facelign.lab.statistics.rates import lowest_rate, number, percent, rate_text, tar_label

#: which step between two layouts tells what apart
STEPS: Mapping[str, tuple[str, str]] = {
    "cropping": ("none", "square"),
    "rotating": ("square", "eyes"),
    "scaling and placing by points": ("eyes", "five"),
    "all of it": ("none", "five"),
}
#: layouts that a verdict may be about, the first that was measured, and what each aligns by
ALIGNED = {
    **{"five": "five points", "eyes": "the eyes", "native": "the model's own points"},
    **{"square": "the box", "crop": "the box"},
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
        raise ConfigError("A head leans by -90 to 90 degrees.", "Such as 0,15,30,45.")
    plain = parse("none")
    parsed = [plain, *(parse(text) for text in changes)]
    turns = [0.0, *leans]
    every = [Condition(change, lean) for change in parsed for lean in turns]
    if not cross:
        every = [c for c in every if c.degradation == plain or c.lean_deg == 0]
    return tuple(dict.fromkeys(every))


def check_layouts(layouts: Collection[str]) -> None:
    """Raise before anything is run: UnknownModel for a layout that the study does not have,
    ConfigError where no verdict could come of these.
    """
    check_known(layouts)
    if "none" not in layouts or not set(ALIGNED) & set(layouts):
        raise ConfigError(
            "A verdict compares the unaligned arm with an aligned one.",
            "Take at least none and five.",
        )


_WAYS = {"error": Failures.DIFFERENT, "left_out": Failures.LEFT_OUT, "raw_photo": Failures.RAW}


@dataclass(frozen=True, slots=True)
class Counted:
    """Figures of one way of counting failures. tar: at the study's rate, reached at threshold, None
    where too few pairs are left; accuracy: over folds, thresholds from the others (None where there
    are none).
    """

    pairs: int
    accuracy: float | None
    accuracy_se: float | None
    auc: float | None
    tar: float | None
    threshold: float | None

    @classmethod
    def of(cls, system: System, rate: float) -> Counted:
        """Return the figures of a system; none but the number of pairs without both kinds."""
        decided, scores = system.decided, system.pairs.set
        point = curves.tar_at_fmr(scores, rate)
        return cls(
            len(system.pairs),
            decided.accuracy if decided else None,
            decided.standard_error if decided else None,
            curves.auc(scores),
            point.tar,
            point.threshold if point.tar is not None else None,
        )


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

    @property
    def main(self) -> Counted:
        """Figures with failures as errors."""
        return self.ways[Failures.DIFFERENT]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        ways = {name: plain(self.ways[way]) for name, way in _WAYS.items() if way in self.ways}
        return {
            **told(self.arm, "model detector layout"),
            **self.arm.condition.to_dict(),
            **told(self, "failed_photos failed_pairs"),
            "failures_counted_as": ways,
            "gain_over_unaligned": self.gain.to_dict() if self.gain else None,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one step of alignment adds. arm: the one after it."""

    name: str
    arm: Arm
    difference: Difference

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "step": self.name,
            **told(self.arm, "model detector"),
            **self.arm.condition.to_dict(),
            **self.difference.to_dict(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """The record of a study; ``to_dict`` gives plain data for JSON, curves are left to reports."""

    trials: Trials
    rate: float
    results: tuple[ArmResult, ...]
    steps: tuple[Step, ...]
    options: PairedOptions

    def find(self, **wanted: object) -> list[ArmResult]:
        """Return the results whose arm has these values (model, detector, layout, condition)."""
        return [
            r
            for r in self.results
            if all(getattr(r.arm, name) == value for name, value in wanted.items())
        ]

    @property
    def conditions(self) -> list[Condition]:
        """The conditions of all arms, each once."""
        return list(dict.fromkeys(r.arm.condition for r in self.results))

    @property
    def best(self) -> tuple[ArmResult, ArmResult]:
        """The unaligned arm and the best aligned one, of undegraded upright photos.

        Of models and detectors one pair: the first model, and of its
        detectors the one whose five points (or eyes, where no other was measured) do best.
        """
        first = self.results[0].arm
        here = self.find(condition=first.condition, model=first.model)
        by_layout = {name: [r for r in here if r.arm.layout == name] for name in LAYOUTS}
        check_layouts([name for name, results in by_layout.items() if results])
        aligned = next(by_layout[name] for name in ALIGNED if by_layout[name])
        best = max(aligned, key=lambda r: (r.main.tar or 0, r.main.auc or 0))
        return by_layout["none"][0], best

    @property
    def verdict(self) -> str:
        """One sentence: does alignment help, by how much, and how many faces were not found."""
        raw, aligned = self.best
        gains = aligned.gain.figures if aligned.gain else {}
        key = "tar" if "tar" in gains else "auc"
        before, after = getattr(raw.main, key), getattr(aligned.main, key)
        lost = f"faces not found: {aligned.failed_photos} of {len(self.trials.photos)}"
        if key not in gains or before is None or after is None:
            return f"Too few pairs to say what alignment is worth here; {lost}."
        figure = tar_label(self.rate) if key == "tar" else "AUC"
        who = f"{aligned.arm.model} with {aligned.arm.detector}"
        by = f"lignment by {ALIGNED[aligned.arm.layout]}"
        gap = gains[key]
        tell, moved = (percent, gap.points) if key == "tar" else (number, gap.change())
        start, end = f"{tell(before)} (whole photo)", f"{tell(after)}: {moved}; {lost}."
        verdict = verdict_of(gap)
        if verdict == "same":
            unsure = f"These photos cannot tell whether a{by} helps {who}"
            return f"{unsure}: {figure} {start} and {end}"
        told = "helps" if verdict == "better" else "harms here"
        moves = "rises" if verdict == "better" else "falls"
        return f"A{by} {told}: {figure} of {who} {moves} from {start} to {end}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **self.trials.to_dict(),
            "tar_at_fmr": rate_text(self.rate),
            "layouts": dict(LAYOUTS),
            "verdict": self.verdict,
            "arms": [result.to_dict() for result in self.results],
            "steps": [step.to_dict() for step in self.steps],
            "trained": {"status": TRAINED, "arms": []},
            **told(self.options, "draws seed"),
        }


def summarize(
    trials: Trials, vectors: Mapping[Arm, Vectors], options: PairedOptions | None = None
) -> Study:
    """Return every figure of the arms in ``vectors`` on the pairs of ``trials``."""
    if not vectors:
        raise BadArray("study: there are no arms.")
    how = options or PairedOptions()
    rate = lowest_rate(int((~trials.same).sum()), how.fmr)
    results: list[ArmResult] = []
    steps: list[Step] = []
    groups: dict[tuple[str, Condition], list[Arm]] = {}
    for arm in vectors:
        groups.setdefault((arm.model, arm.condition), []).append(arm)
    for arms in groups.values():
        raw = next((arm for arm in arms if arm.layout == "none"), None)
        whole = vectors[raw] if raw else None
        systems = {arm: _system(trials, vectors[arm]) for arm in arms}
        gains: dict[Arm, Difference] = {}
        if raw is not None:
            others = [arm for arm in arms if arm is not raw]
            gaps = differences(systems[raw], [systems[arm] for arm in others], how)
            gains = dict(zip(others, gaps, strict=True))
        results += [
            ArmResult(
                arm,
                len(vectors[arm].reasons),
                int(system.pairs.failed.sum()),
                _ways(trials, system, vectors[arm], whole, rate),
                gains.get(arm),
                curves.curve(system.pairs.set).thinned(600),
            )
            for arm, system in systems.items()
        ]
        steps += _steps(systems, how)
    return Study(trials, rate, tuple(results), tuple(steps), how)


def _steps(systems: Mapping[Arm, System], how: PairedOptions) -> list[Step]:
    """Return the steps between arms of one model in one condition, detector by detector."""
    steps = []
    for detector in dict.fromkeys(arm.detector for arm in systems if arm.detector != "-"):
        arms = {arm.layout: arm for arm in systems if arm.detector in (detector, "-")}
        for name, (before, after) in STEPS.items():
            if before in arms and after in arms:
                (gap,) = differences(systems[arms[before]], [systems[arms[after]]], how)
                steps.append(Step(name, arms[after], gap))
    return steps


def _system(trials: Trials, arm: Vectors) -> System:
    scores = trials.scores(arm.vectors, arm.space.metric)
    return System.of(trials.measured(scores, arm.failed))


def _ways(
    trials: Trials, system: System, arm: Vectors, whole: Vectors | None, rate: float
) -> dict[Failures, Counted]:
    """Return the figures by way of counting; "raw photo" takes the vectors of ``whole``."""
    ways = dict.fromkeys(_WAYS.values(), Counted.of(system, rate))
    if not system.pairs.failed.any():
        return ways
    left = system.pairs.counted(Failures.LEFT_OUT)
    both = left.same.any() and not left.same.all()
    ways[Failures.LEFT_OUT] = (
        Counted.of(System.of(left), rate) if both else Counted(len(left), *[None] * 4)
    )
    if whole is None:
        del ways[Failures.RAW]
    else:
        filled = np.where(arm.failed[:, None], whole.vectors, arm.vectors)
        pairs = trials.measured(trials.scores(filled, arm.space.metric), whole.failed)
        ways[Failures.RAW] = Counted.of(System.of(pairs), rate)
    return ways
