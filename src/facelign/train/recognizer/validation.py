"""Validation of an embedder in training: the laboratory's own verification, on its own chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np

from facelign.compare.pairs import Failures, PairScores
from facelign.datasets.lfw import read_pairs
from facelign.datasets.pairs_csv import read_pairs_csv
from facelign.datasets.records import Pair, PairList, Photo
from facelign.errors import ConfigError
from facelign.lab.material.photos import Failure
from facelign.lab.material.trials import Trials
from facelign.lab.verification.figures import Verification, evaluate
from facelign.types.arrays import ByteArray, Float32Array
from facelign.types.embeddings import Metric


class ChipSource(Protocol):
    """Chips by the place of their photo."""

    @property
    def reasons(self) -> dict[int, str]:
        """Place -> why a photo gave none."""
        ...

    def chip(self, place: int) -> ByteArray | None:
        """Return a chip, or None."""
        ...


Embed = Callable[[ByteArray], Float32Array]

#: chips that go through the network together
BATCH = 64
#: draws of people after an epoch, where nobody reads the interval
FEW_DRAWS = 20


@dataclass(frozen=True, slots=True, eq=False)
class PairSet:
    """Pairs of photos, and the chips of these. places: of each photo among the chips."""

    trials: Trials
    chips: ChipSource = field(repr=False)
    places: Sequence[int] = field(repr=False)

    def measured(self, embed: Embed, *, draws: int = FEW_DRAWS) -> Verification:
        """Return the figures of vectors that ``embed`` makes of chips (n, h, w, 3)."""
        return self.figures(self.scored(embed), draws=draws)

    def figures(self, scored: PairScores, *, draws: int = FEW_DRAWS) -> Verification:
        """Return the figures of pairs with their scores."""
        return evaluate(scored, counting=Failures.DIFFERENT, failures=self.failures, draws=draws)

    def scored(self, embed: Embed) -> PairScores:
        """Return the pairs with their scores; a photo without a face matches nobody."""
        vectors: list[Float32Array] = []
        waiting: list[ByteArray] = []
        there = np.zeros(len(self.places), bool)
        for number, place in enumerate(self.places):
            chip = self.chips.chip(place)
            if chip is None:
                continue
            there[number] = True
            waiting.append(chip)
            if len(waiting) == BATCH:
                vectors.append(embed(np.stack(waiting)))
                waiting = []
        if waiting:
            vectors.append(embed(np.stack(waiting)))
        if not vectors:
            raise ConfigError(
                f"None of the {len(self.places)} photos of {self.trials.name} gave a face.",
                "Look at the photos, or take another detector.",
            )
        found = np.concatenate(vectors)
        table = np.zeros((len(self.places), found.shape[1]), np.float32)
        table[there] = found
        scores = self.trials.scores(table, Metric.COSINE)
        return self.trials.measured(scores, ~there)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The photos that gave no face, with the reason."""
        known = self.chips.reasons
        return tuple(
            Failure(str(photo.path), known[place])
            for photo, place in zip(self.trials.photos, self.places, strict=True)
            if place in known
        )


def listed_trials(pairs: str | Path, images: str) -> Trials:
    """Return the pairs of a list; a name ending in .csv is a CSV, others are LFW's lists."""
    path = Path(pairs)
    if path.suffix.lower() == ".csv":
        found = read_pairs_csv(path, images or None)
    else:
        found = read_pairs(path, images or path.parent)
    return Trials.of_list(found, people=found.people)


def held_out_trials(photos: Sequence[Photo], most: int, seed: int, name: str) -> Trials:
    """Return pairs of photos held out: all mated ones, and so many others, ``most`` at the most.

    Raises ConfigError where two people, one of them with two photos, are not among them.
    """
    random = np.random.default_rng((seed, 0xAA))
    mine: dict[str, list[int]] = {}
    for place, photo in enumerate(photos):
        mine.setdefault(photo.person, []).append(place)
    mated = [pair for places in mine.values() for pair in combinations(places, 2)]
    if not mated or len(mine) < 2:
        raise ConfigError(
            f"{name}: {len(photos)} photos of {len(mine)} people make no pairs of both kinds.",
            "Raise data.validation and data.test, add photos, or name a list of pairs.",
        )
    if len(mated) > most // 2:
        chosen = np.sort(random.choice(len(mated), most // 2, replace=False))
        mated = [mated[n] for n in chosen.tolist()]
    others: set[tuple[int, int]] = set()
    possible = len(photos) * (len(photos) - 1) // 2 - sum(
        len(places) * (len(places) - 1) // 2 for places in mine.values()
    )
    wanted = min(possible, max(len(mated), most - len(mated)))
    while len(others) < wanted:
        for a, b in np.sort(random.integers(0, len(photos), (2 * wanted, 2))).tolist():
            if photos[a].person != photos[b].person and len(others) < wanted:
                others.add((a, b))
    pairs = tuple(
        Pair(photos[a].path, photos[b].path, same, 0, 0, photos[a].person, photos[b].person)
        for same, chosen_pairs in ((True, mated), (False, sorted(others)))
        for a, b in chosen_pairs
    )
    return Trials.of_list(PairList(name, pairs))
