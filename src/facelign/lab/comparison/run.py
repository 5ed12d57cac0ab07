"""Which is best for these photos? Several chains over one set, with paired tests between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from facelign import models as models
from facelign.compare.pairs import PairScores
from facelign.errors import ConfigError, FacelignError, ModelError, Refused
from facelign.lab.defaults import TIMED
from facelign.lab.material.photos import Embedded, embed_together
from facelign.lab.material.timing import medians
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.paired import Difference, PairedOptions, System, differences
from facelign.lab.statistics.rates import lowest_rate, percent, rate_text, tar_label
from facelign.lab.verification.figures import Verification, evaluate
from facelign.models.convert import WEIGHTS_APART
from facelign.models.weights.store import Store
from facelign.recognition.recognizer import Recognizer


@dataclass(frozen=True, slots=True)
class ChainChoice:
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
) -> tuple[ChainChoice, ...]:
    """Return every combination: of the presets and models, with each detector and each layout.

    Where models are named and no preset is, they walk with the default preset's detector. Raises
    ConfigError for fewer than two.
    """
    heads = [ChainChoice(preset) for preset in presets]
    heads += [ChainChoice("default", model=model) for model in models]
    choices = [
        ChainChoice(head.preset, detector, layout, head.model)
        for head in heads
        for detector in (detectors or ("",))
        for layout in (layouts or ("",))
    ]
    if len(choices) < 2:
        raise ConfigError(
            "A comparison needs at least two contenders.",
            "Such as the presets default, fast and accurate, or the models sface and dlib-resnet.",
        )
    return tuple(dict.fromkeys(choices))


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """One chain measured. ms: median time of a photo from file to vectors, one thread, or None
    where it was not timed. megabytes: of its weights, ready for the engine.
    """

    choice: ChainChoice
    space: str
    pairs: PairScores
    result: Verification
    failed_photos: int
    ms: float | None
    megabytes: float

    @property
    def name(self) -> str:
        """The name of the chain."""
        return self.choice.name

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        record = self.result.to_dict()
        figures = ("accuracy", "accuracy_se", "auc", "eer", "tar_at_fmr", "intervals")
        return {
            "name": self.name,
            **{name: value or None for name, value in asdict(self.choice).items()},
            "space": self.space,
            **{name: record[name] for name in figures},
            "best_f1": self.result.best["f1"].f1,
            "failed_photos": self.failed_photos,
            "failed_pairs": self.result.failed_pairs,
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
class ComparisonRun:
    """The record of a comparison. refused: contenders that could not run, and why."""

    trials: Trials
    contenders: tuple[Contender, ...]
    duels: tuple[Duel, ...]
    refused: Mapping[str, str]
    rate: float
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
        best = self.ranking[0].name
        names = []
        for other in self.ranking[1:]:
            for duel in self.duels:
                if {duel.first, duel.second} == {best, other.name}:
                    beaten = "worse" if duel.first == best else "better"
                    if duel.difference.verdict != beaten:
                        names.append(other.name)
        return names

    @property
    def verdict(self) -> str:
        """One sentence: which is best for these photos, or that the data cannot tell."""
        best = self.ranking[0]
        equals = self.equals
        beaten = [c.name for c in self.ranking[1:] if c.name not in equals]
        figure = f"accuracy {percent(best.result.accuracy)}"
        tar = best.result.tar_at_fmr[self.rate].tar
        if tar is not None:
            figure += f", {tar_label(self.rate)} {percent(tar)}"
        name = best.name
        if not equals:
            return (
                f"Best on these photos: {name} ({figure}), ahead of each other: the paired 95 % "
                "intervals lie above zero."
            )
        fastest = min(
            [best, *(c for c in self.contenders if c.name in equals)],
            key=lambda c: math.inf if c.ms is None else c.ms,
        )
        advice = ""
        if fastest.ms is not None and fastest is not best:
            advice = f" Of these, {fastest.name} is the fastest ({fastest.ms:.0f} ms)."
        among = " and ".join([name, *equals]) if len(equals) == 1 else ", ".join([name, *equals])
        ahead = f" {name} is ahead of {', '.join(beaten)} (95 %)." if beaten else ""
        return (
            f"These photos cannot tell which of {among} is best ({name} leads with {figure})."
            f"{ahead}{advice}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **self.trials.to_dict(),
            "tar_at_fmr": rate_text(self.rate),
            "verdict": self.verdict,
            "contenders": [one.to_dict() for one in self.ranking],
            "paired": [duel.to_dict() for duel in self.duels],
            "refused": dict(self.refused),
            "draws": self.draws,
            "seed": self.seed,
        }


def run(
    trials: Trials,
    choices: Sequence[ChainChoice],
    build: Callable[[ChainChoice, bool], Recognizer],
    options: PairedOptions | None = None,
    *,
    timed: int = TIMED,
    done: Callable[[int], None] | None = None,
) -> ComparisonRun:
    """Return every contender measured on the same pairs, and the tests between each two.

    build: makes a recognizer, with the vector cache (True) or without it and with one worker, for
    timing (False). timed: photos that are timed. A photo is decoded once for all chains, and
    searched once by those that look for faces alike. done: called with the number of further photos
    that one of them has done. A chain that cannot be built is listed with its reason; where fewer
    than two remain, raises ModelError if a model was the reason, else Refused.
    """
    how = options or PairedOptions()
    contenders: list[Contender] = []
    refused: dict[str, FacelignError] = {}
    built: dict[ChainChoice, Recognizer] = {}
    for choice in choices:
        try:
            built[choice] = build(choice, True)
        except FacelignError as error:
            refused[choice.name] = error
    together = embed_together([*built.values()], trials.photos, done=done)
    for (choice, recognizer), embedded in zip(built.items(), together, strict=True):
        try:
            contenders.append(_measured(trials, choice, recognizer, embedded, how))
        except FacelignError as error:
            refused[choice.name] = error
    if timed:
        chains = [build(one.choice, False) for one in contenders]
        times = medians(chains, [photo.path for photo in trials.photos], timed)
        contenders = [replace(one, ms=ms) for one, ms in zip(contenders, times, strict=True)]
    told = {name: error.message for name, error in refused.items()}
    if len(contenders) < 2:
        reasons = "; ".join(f"{name}: {why.rstrip('.')}" for name, why in told.items())
        lacking = any(isinstance(error, ModelError) for error in refused.values())
        kind = ModelError if lacking else Refused
        raise kind(f"Fewer than two contenders could run. {reasons}.", "See the reasons.")
    rate = lowest_rate(int((~trials.same).sum()), how.fmr)
    duels = _duels(contenders, how)
    return ComparisonRun(trials, tuple(contenders), duels, told, rate, how.draws, how.seed)


def _measured(
    trials: Trials,
    choice: ChainChoice,
    recognizer: Recognizer,
    embedded: Embedded | FacelignError,
    how: PairedOptions,
) -> Contender:
    if isinstance(embedded, FacelignError):
        raise embedded
    pairs = trials.scored(embedded)
    result = evaluate(pairs, failures=embedded.failures, draws=how.draws, seed=how.seed)
    size = _megabytes(recognizer)
    lost = len(embedded.failures)
    return Contender(choice, recognizer.space.id, pairs, result, lost, None, size)


def _megabytes(recognizer: Recognizer) -> float:
    """Return the size of the weights of a chain as the engine reads them, MB."""
    known, store = models.default(), Store.from_environment()
    specs = [known.spec(task, model) for task, model in recognizer.chain.preset.models]
    graphs = {path for spec in specs for path in store.ready(spec).values()}
    beside = {path.with_name(WEIGHTS_APART) for path in graphs}
    return sum(path.stat().st_size for path in graphs | beside if path.is_file()) / 1e6


def _duels(contenders: Sequence[Contender], how: PairedOptions) -> tuple[Duel, ...]:
    systems = [System.of(one.pairs) for one in contenders]
    names = [one.name for one in contenders]
    tests: list[tuple[str, str, Difference]] = []
    for at in range(len(systems) - 1):
        gaps = differences(systems[at], systems[at + 1 :], how)
        rest = names[at + 1 :]
        tests += [(names[at], other, gap) for other, gap in zip(rest, gaps, strict=True)]
    corrected = holm([gap.p for _, _, gap in tests])
    return tuple(Duel(a, b, gap, p) for (a, b, gap), p in zip(tests, corrected, strict=True))


def holm(p: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979, step-down), in the given order."""
    order = np.argsort(p, kind="stable")
    corrected = [0.0] * len(p)
    highest = 0.0
    for place, number in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p) - place) * p[number]))
        corrected[number] = highest
    return corrected
