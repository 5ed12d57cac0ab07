"""Error rates of presentation attack detection (ISO/IEC 30107-3), from scores.

APCER: the share of the presentations of one attack instrument species that are taken for bona
fide; the species that passes most often leads, since an attacker chooses. BPCER: the share of bona
fide presentations that are taken for attacks. Both are over the presentations that were answered;
APNRR and BPNRR are the shares that were not (no face found, or not checked). ACER, a word of
papers, is the mean of the largest APCER and the BPCER.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facelign.compare.thresholds import RULE_OF_THREE
from facelign.lab.defaults import DRAWS, SEED
from facelign.lab.plain import PlainRecord
from facelign.lab.statistics.exact import exact_share
from facelign.lab.statistics.rates import shows
from facelign.lab.statistics.resampling import Interval, people_weights, room
from facelign.types.arrays import Arrays, BoolArray, Float64Array, IntArray, check
from facelign.types.wording import counted

#: rates of one kind of error at which the other is told
RATES = (0.01, 0.05, 0.10)
#: people behind each kind of presentation without whom no threshold and no bound is claimed, and
#: species of attacks: FIDO's Biometric Requirements ask for 15 subjects, an afternoon has ten
LEAST_PEOPLE, LEAST_SPECIES = 10, 2
#: devices from which on drawing them says something
LEAST_DEVICES = 5
BONA_FIDE = "bona fide"


@dataclass(frozen=True, slots=True, eq=False)
class Answers(Arrays):
    """What was answered to n presentations.

    scores: (n,) float64 in [0, 1]; answered: (n,) whether there was an answer, without which a
    score says nothing. species: (n,) int64, place in ``names``, or -1 for bona fide.
    subjects, devices: (n,) int64, numbers from 0.
    """

    scores: Float64Array
    answered: BoolArray
    species: IntArray
    subjects: IntArray
    devices: IntArray
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        check(self, np.float64, scores=("n",))
        n = len(self.scores)
        check(self, np.bool_, answered=(n,))
        check(self, np.int64, species=(n,), subjects=(n,), devices=(n,))

    def of(self, species: int) -> BoolArray:
        """Return (n,) which presentations are of a species; -1 for bona fide."""
        chosen: BoolArray = self.species == species
        return chosen

    def where(self, chosen: BoolArray) -> Answers:
        """Return some of the presentations."""
        return Answers(
            self.scores[chosen],
            self.answered[chosen],
            self.species[chosen],
            self.subjects[chosen],
            self.devices[chosen],
            self.names,
        )

    def scores_of(self, species: int) -> Float64Array:
        """Return the scores of a species that were answered, rising; -1 for bona fide."""
        rising: Float64Array = np.sort(self.scores[self.of(species) & self.answered])
        return rising


@dataclass(frozen=True, slots=True)
class Rate(PlainRecord):
    """How often one kind of presentation is taken for the other.

    name: the species, or "bona fide". presentations: of that kind. silent: that were not answered.
    wrong: taken for the other kind. rate: with its 95 % interval over people (drawn, with the rule
    of three over people where there was no error). by_presentation: the exact interval as if every
    presentation were of another person, which is too narrow. by_device: over devices, None for
    fewer than ``LEAST_DEVICES``, of which next to nothing follows for another. of_devices: the
    smallest and the largest rate of a device. people, devices: counts.
    """

    TOLD = (
        "species=name presentations not_checked=silent wrong rate by_presentation by_device "
        "of_devices people devices"
    )

    name: str
    presentations: int
    silent: int
    wrong: int
    rate: Interval
    by_presentation: Interval
    by_device: Interval | None
    of_devices: tuple[float, float]
    people: int
    devices: int

    @property
    def answered(self) -> int:
        """How many presentations got an answer."""
        return self.presentations - self.silent

    @property
    def silence(self) -> float:
        """APNRR, or BPNRR of bona fide ones: the share that got no answer."""
        return self.silent / self.presentations

    @property
    def upper(self) -> float:
        """The largest rate that the data leaves possible: of people and of presentations."""
        return max(self.rate.high, self.by_presentation.high)


def wrong(answers: Answers, threshold: float) -> BoolArray:
    """Return (n,) whether a presentation is taken for the other kind at a threshold."""
    live = answers.scores >= threshold
    found: BoolArray = (live == (answers.species >= 0)) & answers.answered
    return found


def rate_of(
    answers: Answers, species: int, threshold: float, *, draws: int = DRAWS, seed: int = SEED
) -> Rate | None:
    """Return APCER of a species, or BPCER (-1); None where no presentation was answered."""
    some = answers.where(answers.of(species))
    heard = some.where(some.answered)
    if not len(heard.scores):
        return None
    mistaken = wrong(heard, threshold)
    share = float(mistaken.mean())
    _, place = np.unique(heard.devices, return_inverse=True)
    each = np.bincount(place, mistaken) / np.bincount(place)
    devices = len(each)
    return Rate(
        BONA_FIDE if species < 0 else answers.names[species],
        len(some.scores),
        len(some.scores) - len(heard.scores),
        int(mistaken.sum()),
        _over(heard.subjects, mistaken, share, draws, seed),
        exact_share(int(mistaken.sum()), len(mistaken)),
        _over(heard.devices, mistaken, share, draws, seed) if devices >= LEAST_DEVICES else None,
        (float(each.min()), float(each.max())),
        len(np.unique(heard.subjects)),
        devices,
    )


def _over(clusters: IntArray, holds: BoolArray, value: float, draws: int, seed: int) -> Interval:
    """Return a share with its interval over clusters that are drawn whole."""
    _, place = np.unique(clusters, return_inverse=True)
    count = int(place.max()) + 1
    errors = np.bincount(place, holds, count)
    sizes = np.bincount(place, minlength=count)
    weights = people_weights(count, draws=draws, seed=seed)
    found = Interval.of_draws(value, (weights @ errors) / (weights @ sizes))
    if value in (0.0, 1.0):
        found = found.with_room(room(count), best=value)
    return found.within


def largest(answers: Answers, threshold: float) -> tuple[float, str]:
    """Return the largest APCER at a threshold and its species; (NaN, "") without attacks."""
    told = [
        (float((scores >= threshold).mean()), name)
        for k, name in enumerate(answers.names)
        if len(scores := answers.scores_of(k))
    ]
    return max(told, default=(math.nan, ""))


def bpcer(answers: Answers, threshold: float) -> float:
    """Return the BPCER at a threshold; NaN without bona fide presentations."""
    scores = answers.scores_of(-1)
    return float((scores < threshold).mean()) if len(scores) else math.nan


def threshold_at_bpcer(answers: Answers, rate: float) -> float | None:
    """Return the highest threshold whose BPCER is at most ``rate``; None where too few show it."""
    scores = answers.scores_of(-1)
    if not shows(len(scores), rate):
        return None
    return float(scores[min(math.floor(rate * len(scores) + 1e-9), len(scores) - 1)])


def threshold_at_apcer(answers: Answers, rate: float) -> float | None:
    """Return the lowest threshold at which no species' APCER exceeds ``rate``.

    None where the presentations of a species are too few to show it.
    """
    limits = []
    for k in range(len(answers.names)):
        falling = answers.scores_of(k)[::-1]
        if not len(falling):
            continue
        if not shows(len(falling), rate):
            return None
        allowed = math.floor(rate * len(falling) + 1e-9)
        limits.append(
            0.0 if allowed >= len(falling) else float(np.nextafter(falling[allowed], np.inf))
        )
    return max(limits, default=None)


@dataclass(frozen=True, slots=True)
class At(PlainRecord):
    """An operating point: APCER of the worst species and BPCER at a threshold."""

    threshold: float
    apcer: float
    species: str
    bpcer: float

    @classmethod
    def of(cls, answers: Answers, threshold: float) -> At:
        """Return the rates at a threshold."""
        return cls(threshold, *largest(answers, threshold), bpcer(answers, threshold))


def points(answers: Answers, at: Callable[[Answers, float], float | None]) -> dict[str, At | None]:
    """Return the operating points at ``RATES`` of one error, by rate; None where too few show it.

    at: ``threshold_at_bpcer`` or ``threshold_at_apcer``.
    """
    found = {f"{rate:g}": at(answers, rate) for rate in RATES}
    return {rate: None if t is None else At.of(answers, t) for rate, t in found.items()}


def det(answers: Answers, species: int) -> tuple[Float64Array, Float64Array]:
    """Return APCER of a species and BPCER (m,) at every threshold at which either changes."""
    attacks, people = answers.scores_of(species), answers.scores_of(-1)
    at = np.unique(np.concatenate([attacks, people, [np.inf]]))
    passed = 1 - np.searchsorted(attacks, at, side="left") / max(len(attacks), 1)
    refused = np.searchsorted(people, at, side="left") / max(len(people), 1)
    return np.asarray(passed, np.float64), np.asarray(refused, np.float64)


# -- what may be claimed ---------------------------------------------------------------------------


def needed(target: float) -> int:
    """Return how many trials without an error show a rate of ``target``: the rule of three."""
    return math.ceil(RULE_OF_THREE / target * (1 - 1e-12))


def missing(
    attacks: Sequence[Rate], bona_fide: Rate | None, target: float, people: int = LEAST_PEOPLE
) -> list[str]:
    """Return what the data lacks before an APCER of ``target`` can be shown, in words.

    By the rule of three every kind needs ``needed(target)`` presentations. people: how many must be
    behind an attack, ``needed(target)`` too where something is to follow for people who are not in
    the data; fewer than ``LEAST_PEOPLE`` or ``LEAST_SPECIES`` show nothing.
    """
    told = []
    short = LEAST_SPECIES - len(attacks)
    if short > 0:
        told.append(f"{short} more species of attack")
    if bona_fide is None:
        shown = counted(needed(target), "bona fide presentation")
        told.append(f"{shown} of {counted(LEAST_PEOPLE, 'person', 'people')}")
    for kind in [*attacks, *([] if bona_fide is None else [bona_fide])]:
        wanted = max(people, LEAST_PEOPLE) if kind is not bona_fide else LEAST_PEOPLE
        lacks = [
            (needed(target) - kind.answered, "more presentation", "more presentations"),
            (wanted - kind.people, "more person", "more people"),
        ]
        of = [counted(count, one, many) for count, one, many in lacks if count > 0]
        if of:
            told.append(f"{' and '.join(of)} of {kind.name}")
    return told
