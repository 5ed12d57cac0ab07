"""People made of numbers: trials and vectors whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facelign.compare.pairs import PairScores
from facelign.datasets.records import PeopleFolder, Photo
from facelign.lab.material.trials import Trials
from facelign.types.embeddings import Metric


def _people(count: int = 14, photos: int = 4) -> Trials:
    folder = Path("set")
    made = tuple(
        Photo(folder / f"p{p:02d}" / f"{k}.jpg", f"p{p:02d}")
        for p in range(count)
        for k in range(photos)
    )
    return Trials.all_pairs(PeopleFolder(folder, made))


def _vectors(trials: Trials, noise: float, seed: int = 1) -> np.ndarray:
    draws = np.random.default_rng(seed)
    centers = draws.normal(0, 1, (len(trials.people), 16))
    place = {name: k for k, name in enumerate(trials.people)}
    rows = np.array([place[photo.person] for photo in trials.photos])
    return centers[rows] + draws.normal(0, noise, (len(rows), 16))


def _measured(trials: Trials, noise: float, seed: int = 1) -> PairScores:
    scores = trials.scores(_vectors(trials, noise, seed), Metric.COSINE)
    return trials.measured(scores, np.zeros(len(trials.photos), bool))


@pytest.fixture(scope="session")
def people() -> Callable[..., Trials]:
    """All pairs of some people with some photos each."""
    return _people


@pytest.fixture(scope="session")
def vectors() -> Callable[..., np.ndarray]:
    """A vector a photo: the center of its person, and noise."""
    return _vectors


@pytest.fixture(scope="session")
def measured() -> Callable[..., PairScores]:
    """The pairs of trials, scored by such vectors."""
    return _measured
