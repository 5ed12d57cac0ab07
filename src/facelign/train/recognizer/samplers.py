"""Which photos make the batches of an epoch: a function of seed and epoch, nothing is kept.

A run that was killed goes on with the same batches, and so do several processes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facelign.errors import ConfigError
from facelign.types.arrays import IntArray


def shuffled(count: int, batch: int, seed: int, epoch: int) -> list[IntArray]:
    """Return the batches of an epoch in which each of ``count`` photos comes once, as places.

    Photos that fill no whole batch at the end are left out of this epoch, others of the next;
    fewer photos than a batch make one.
    """
    order = _random(seed, epoch).permutation(count)
    if count <= batch:
        return [order]
    return [order[i : i + batch] for i in range(0, count - batch + 1, batch)]


def people_times_photos(
    labels: npt.ArrayLike, people: int, photos: int, seed: int, epoch: int
) -> list[IntArray]:
    """Return batches of ``people`` persons with ``photos`` of each, as places in ``labels``.

    An epoch shows each person once or more: as often as her photos fill ``photos`` on average. Who
    has fewer photos shows some of them twice; who has one alone is left out, since no triplet has
    her as anchor. Raises ConfigError where fewer than two persons have two photos.
    """
    numbers = np.asarray(labels, np.int64)
    order = np.argsort(numbers, kind="stable")
    found, starts, counts = np.unique(numbers[order], return_index=True, return_counts=True)
    usable = np.flatnonzero(counts >= 2)
    if len(usable) < 2:
        raise ConfigError(
            f"Only {len(usable)} people of {len(found)} have two photos, and triplets need two.",
            "Add photos, or take a loss over classes such as arcface.",
        )
    random = _random(seed, epoch)
    people = min(people, len(usable))
    rounds = max(1, round(float(counts[usable].mean()) / photos))
    queue = np.concatenate([random.permutation(usable) for _ in range(rounds)])
    batches = []
    for begin in range(0, max(1, len(queue) - people + 1), people):
        chosen = _distinct(queue[begin : begin + people], usable, people, random)
        places = [_photos(order, starts[p], counts[p], photos, random) for p in chosen.tolist()]
        batches.append(np.concatenate(places))
    return batches


def _distinct(
    chosen: IntArray, usable: IntArray, wanted: int, random: np.random.Generator
) -> IntArray:
    """Return ``wanted`` different persons, the chosen ones first."""
    once = np.array(list(dict.fromkeys(chosen.tolist())), np.int64)
    if len(once) == wanted:
        return once
    others = np.setdiff1d(usable, once)
    more = random.permutation(others)[: wanted - len(once)]
    return np.concatenate([once, more])


def _photos(
    order: IntArray, start: int, count: int, wanted: int, random: np.random.Generator
) -> IntArray:
    """Return ``wanted`` photos of a person, each once before one comes twice."""
    turns = -(-wanted // count)
    places = np.concatenate([random.permutation(count) for _ in range(turns)])[:wanted]
    return order[start + places].astype(np.int64)


def _random(seed: int, epoch: int) -> np.random.Generator:
    return np.random.default_rng((seed, epoch))
