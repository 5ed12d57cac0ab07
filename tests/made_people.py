"""People, vectors and photos made up from a seed, for tests that measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facelign.datasets.records import Photo
from facelign.lab.material.named import Named
from facelign.lab.material.photos import Embedded, Failure
from facelign.types.embeddings import Metric, Space

SPACE = Space("made/up/five", 24, Metric.COSINE, unit=True)


def named_people(people: int = 80, photos: int = 4, seed: int = 0, spread: float = 0.35) -> Named:
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, 24)), photos, axis=0)
    rows = rows + rng.normal(scale=spread, size=rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = tuple(f"p{i:03d}" for i in np.repeat(np.arange(people), photos))
    heights = rng.uniform(20, 140, len(rows))
    digests = tuple(f"{seed}-{i}" for i in range(len(rows)))
    return Named(SPACE, rows.astype(np.float32), names, heights, digests)


def embedded_people(named: Named, lost: int = 0) -> Embedded:
    """Photos of ``named``, and some more that gave no face."""
    photos = [Photo(Path(f"{p}/{i}.jpg"), p) for i, p in enumerate(named.people)]
    more = [Photo(Path(f"{named.people[0]}/lost{i}.jpg"), named.people[0]) for i in range(lost)]
    rows = np.append(np.arange(len(photos)), np.full(lost, -1)).astype(np.int64)
    failures = tuple(Failure(str(p.path), "no face") for p in more)
    quality = {"height": np.asarray(named.heights, float)}
    boxes = ((0.0, 0.0, 1.0, 1.0),) * len(photos)
    return Embedded(named, rows, (*photos, *more), failures, (), boxes, quality)
