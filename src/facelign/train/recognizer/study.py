"""What alignment is worth when the network is trained so too: the source article's two arms, a
third, and the cross arms that it lacks (A0-05, A0-12 to A0-14).

One list of photos, one budget and one network: arms differ in how the photos are cut, and seeds in
all that is drawn at random. A network that was trained on one cut is tested on every cut. Photos of
which one arm finds no face train in none, and count as errors in the test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facelign.compare import curves
from facelign.compare.pairs import PairScores
from facelign.errors import ConfigError
from facelign.lab.defaults import PAIRED_DRAWS, SEED
from facelign.lab.statistics.paired import System, verdict_of
from facelign.lab.statistics.rates import lowest_rate, number, percent, rate_text, tar_label
from facelign.lab.statistics.resampling import Interval, pair_weights
from facelign.models import catalog
from facelign.models.weights.store import Store
from facelign.recognition.finding import require
from facelign.report.page import Fact, Mood, Report, Section, Table
from facelign.report.plot import Plot, Series
from facelign.report.plots import roc
from facelign.train import checkpoint
from facelign.train.learner import judging
from facelign.train.loop import fit
from facelign.train.recognizer.config import RecognizerConfig
from facelign.train.recognizer.task import RecognizerTask, embedder_of
from facelign.train.run_folder import RunFolder
from facelign.train.told import Told
from facelign.types.arrays import Float64Array
from facelign.types.specs import Task

#: arms by name: what is done to a photo, the layout ("" where no face is looked for)
TRAINED_ARMS: Mapping[str, tuple[str, str]] = {
    "none": ("unaligned (whole photo)", ""),
    "crop": ("box and margin", "crop"),
    "five": ("five points", "arcface-112"),
}
#: false match rates at which mean curves are drawn
_RATES = np.concatenate([[0.0], np.geomspace(1e-4, 1, 200)])


@dataclass(frozen=True, slots=True, eq=False)
class TrainedArm:
    """One way of training, tested on one cut, for every seed.

    failed_photos: of the test, in which no face was found.
    """

    trained: str
    tested: str
    systems: tuple[System, ...]
    failed_photos: int

    def figures(self, rate: float) -> dict[str, list[float]]:
        """Return AUC, accuracy and TAR by seed; what the pairs do not show is left out."""
        found: dict[str, list[float]] = {"auc": [], "accuracy": [], "tar": []}
        for system in self.systems:
            scores = system.pairs.set
            found["auc"].append(curves.auc(scores))
            if system.decided is not None:
                found["accuracy"].append(system.decided.accuracy)
            tar = curves.tar_at_fmr(scores, rate).tar
            if tar is not None:
                found["tar"].append(tar)
        return {name: values for name, values in found.items() if values}


@dataclass(frozen=True, slots=True, eq=False)
class TrainedStudy:
    """What came of all arms. data: what trained, of the first arm. gains: against "none"."""

    arms: tuple[TrainedArm, ...]
    seeds: tuple[int, ...]
    rate: float
    gains: Mapping[str, Mapping[str, Interval]]
    data: Mapping[str, Any]
    epochs: int

    def own(self, name: str) -> TrainedArm:
        """Return the arm that was trained and tested on the same cut."""
        return next(a for a in self.arms if (a.trained, a.tested) == (name, name))

    @property
    def verdict(self) -> str:
        """One sentence: does alignment help a network that is trained on it, by how much."""
        gap = self.gains["five"]["auc"]
        before, after = (float(np.mean(self.own(n).figures(self.rate)["auc"])) for n in _PAIR)
        words = {
            "better": "Training and testing on faces aligned by five points helps",
            "worse": "Training and testing on faces aligned by five points harms here",
            "same": "These runs cannot tell whether training on faces aligned by five points helps",
        }
        return (
            f"{words[verdict_of(gap)]}: AUC {number(before)} unaligned and {number(after)} "
            f"aligned, {gap.change()}, over {len(self.seeds)} seeds; faces not found: "
            f"{self.own('five').failed_photos}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        arms = []
        for arm in self.arms:
            found = arm.figures(self.rate)
            means = {name: float(np.mean(values)) for name, values in found.items()}
            record = {"trained": arm.trained, "tested": arm.tested, **means}
            arms.append(record | {"by_seed": found, "failed_photos": arm.failed_photos})
        return {
            "status": "measured",
            "verdict": self.verdict,
            "tar_at_fmr": rate_text(self.rate),
            "seeds": list(self.seeds),
            "epochs": self.epochs,
            "arms": arms,
            "gains": {
                name: {figure: gap.to_dict() for figure, gap in gains.items()}
                for name, gains in self.gains.items()
            },
            "data": dict(self.data),
        }


_PAIR = ("none", "five")


def study(
    config: RecognizerConfig,
    folder: Path,
    seeds: Sequence[int],
    *,
    told: Callable[[str], object] = lambda _text: None,
    stopped: Callable[[], bool] = lambda: False,
    draws: int = PAIRED_DRAWS,
) -> TrainedStudy:
    """Train every arm with every seed and test it on every cut.

    config: network, loss and budget of all arms; its list ``test.pairs`` is the test. folder: of
    the runs; one that has ended is not trained again. told: of each run that begins.
    Raises ConfigError without a list of pairs or with fewer than two seeds.
    """
    if not config.test.pairs:
        raise ConfigError("The trained arms are tested on a list of pairs.", "Name test.pairs.")
    if len(seeds) < 2:
        raise ConfigError("One seed tells nothing of chance.", "Take two or more.")
    # the arm of whole photos looks for no face, so that this would be told after all were read
    require(Store.from_environment(), [catalog.default().spec(Task.DETECT, config.data.detector)])
    systems: dict[tuple[str, str], list[System]] = {}
    failed: dict[str, int] = {}
    data: dict[str, Any] = {}
    for seed in seeds:
        tasks = {name: RecognizerTask(_arm(config, name, seed)) for name in TRAINED_ARMS}
        common = reduce(np.intersect1d, [task.train for task in tasks.values()])
        for name, task in tasks.items():
            task.train = common
            told(f"{name}, seed {seed}: {len(common):,} photos")
            run = RunFolder(folder / f"{name}-{seed}")
            if not run.config.exists():
                run.begin(task.config, task.data())
            if run.finished() is None:
                fit(task, task.config, run, Told(stopped=stopped))
            network = task.network()
            network.load_state_dict(checkpoint.load(run.last)["network"])
            with judging(network) as ready, torch.inference_mode():
                for cut, other in tasks.items():
                    pairs = other.test_set.scored(embedder_of(ready))
                    systems.setdefault((name, cut), []).append(System.of(pairs))
                    failed[cut] = len(other.test_set.failures)
        data = data or tasks["five"].data()
    arms = tuple(
        TrainedArm(trained, tested, tuple(found), failed[tested])
        for (trained, tested), found in systems.items()
    )
    rate = lowest_rate(int((~arms[0].systems[0].pairs.same).sum()))
    own = {a.trained: a.systems for a in arms if a.trained == a.tested}
    gains = {
        name: gaps(own["none"], own[name], rate, draws=draws) for name in own if name != "none"
    }
    return TrainedStudy(arms, tuple(seeds), rate, gains, data, config.epochs)


def _arm(config: RecognizerConfig, name: str, seed: int) -> RecognizerConfig:
    layout = TRAINED_ARMS[name][1]
    data = replace(config.data, align=bool(layout), layout=layout, judge="")
    return replace(config, data=data, seed=seed)


def gaps(
    first: Sequence[System],
    second: Sequence[System],
    rate: float,
    *,
    draws: int = PAIRED_DRAWS,
    seed: int = SEED,
) -> dict[str, Interval]:
    """Return the second arm minus the first, with intervals over people and seeds.

    In every draw people are drawn, and runs of each arm too: both arms on the same people.
    """
    random = np.random.default_rng(seed)
    pairs = first[0].pairs
    whole = _means(first, second, np.ones(len(pairs)), rate)
    table = []
    for weights in pair_weights(pairs, draws=draws, seed=seed):
        one, other = (
            [runs[n] for n in random.integers(0, len(runs), len(runs))] for runs in (first, second)
        )
        table.append(_means(one, other, weights, rate))
    reached = np.array(table)
    return {
        name: Interval.of_draws(whole[n], reached[:, n])
        for n, name in enumerate(("auc", "tar", "accuracy"))
        if np.isfinite(whole[n])
    }


def _means(
    first: Sequence[System], second: Sequence[System], weights: Float64Array, rate: float
) -> list[float]:
    one, other = (
        np.mean([system.figures(weights, [rate]) for system in runs], axis=0)
        for runs in (first, second)
    )
    found: list[float] = (other - one).tolist()
    return found


def roc_of(found: TrainedStudy) -> Plot:
    """Return the ROC of the arms that were tested as they were trained, means over the seeds."""
    lines = []
    for name, (words, _) in TRAINED_ARMS.items():
        arm = found.own(name)
        curve = np.mean([_tar(system.pairs) for system in arm.systems], axis=0)
        auc = float(np.mean(arm.figures(found.rate)["auc"]))
        lines.append(Series(words, _RATES, curve, note=f"AUC {number(auc)}"))
    non_mated = int((~found.arms[0].systems[0].pairs.same).sum())
    title = f"ROC, trained and tested so, {len(found.seeds)} seeds"
    return roc.draw(lines, lowest=1 / max(non_mated, 10), title=title)


def _tar(pairs: PairScores) -> Float64Array:
    """Return the TAR of pairs at ``_RATES``."""
    fmr, tar = curves.roc(pairs.set)
    order = np.lexsort((tar, fmr))
    # at one FMR the highest TAR counts
    places = np.searchsorted(fmr[order], _RATES, side="right") - 1
    reached: Float64Array = np.where(places >= 0, tar[order][np.maximum(places, 0)], 0.0)
    return reached


def report(found: TrainedStudy, provenance: Mapping[str, str]) -> Report:
    """Return the study as a report."""
    columns = ("trained on", "tested on", "AUC", "by seed", "accuracy", "TAR", "faces not found")
    rows = []
    for arm in found.arms:
        values = arm.figures(found.rate)
        means = {name: float(np.mean(v)) for name, v in values.items()}
        each = ", ".join(number(value, 3) for value in values["auc"])
        words = (TRAINED_ARMS[name][0] for name in (arm.trained, arm.tested))
        told = (number(means["auc"]), each, percent(means.get("accuracy")))
        rows.append((*words, *told, percent(means.get("tar")), str(arm.failed_photos)))
    note = f"Means over {len(found.seeds)} seeds; {tar_label(found.rate)}."
    mood = {"better": Mood.GOOD, "worse": Mood.BAD, "same": Mood.PLAIN}
    data = found.data
    return Report(
        "What alignment is worth to a network that is trained on it",
        found.verdict,
        [
            Fact(
                f"Gain in AUC, {TRAINED_ARMS[name][0]}",
                f"{gap['auc'].value:+.4f}",
                f"{gap['auc'].ends(4, '+')} (95 %, over people and seeds)",
            )
            for name, gap in found.gains.items()
        ],
        [
            Section("ROC", figures=[roc_of(found)]),
            Section("Every arm on every cut", tables=[Table("Arms", columns, rows, note)]),
        ],
        dict(provenance),
        f"{data['people that train']} people. {data['split']}",
        mood[verdict_of(found.gains["five"]["auc"])],
        (
            "The network is small and so are the data: the direction is measured, the size belongs "
            "to them.",
        ),
    )
