"""What rows share: chains, their vectors (cached), distances on the articles' scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import real_faces as here

from facelign.compare import curves
from facelign.compare.pairs import PairScores
from facelign.datasets.folder import read_folder
from facelign.datasets.lfw import read_pairs
from facelign.files.home import cache_path
from facelign.gallery.cache import VectorCache
from facelign.lab.material import photos as walk
from facelign.lab.material.trials import Trials
from facelign.lab.statistics import resampling
from facelign.lab.statistics.folds import cross_validated
from facelign.lab.statistics.resampling import Interval
from facelign.recognition.recognizer import Recognizer
from facelign.recognition.selection import FacePolicy
from facelign.types.specs import Task

DRAWS = 1000
Told = dict[str, Any]


class Unavailable(Exception):
    """A row cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Chain:
    """A chain of models by the flags that name it. face: which face of a photo is meant."""

    told: str
    preset: str = "default"
    detector: str = ""
    landmarker: str = ""
    model: str = ""
    face: FacePolicy = FacePolicy.LARGEST

    @property
    def flags(self) -> str:
        """The flags of the command line."""
        words = [] if self.preset == "default" else [f"--preset {self.preset}"]
        for name, flag in (
            (self.detector, "detector"),
            (self.landmarker, "landmarks"),
            (self.model, "model"),
        ):
            words += [f"--{flag} {name}"] if name else []
        return " ".join(words)


DEFAULT = Chain("YuNet, SFace (preset default)")
ACCURATE = Chain("YuNet, SFace and dlib's ResNet (preset accurate)", preset="accurate")
FAST = Chain("YuNet, dlib's ResNet (preset fast)", preset="fast")
DLIB = Chain("MMOD, dlib's five points and ResNet (preset dlib)", preset="dlib")
DLIB_5 = Chain("dlib's HOG, 5 points and ResNet", preset="dlib", detector="hog")
DLIB_68 = Chain(
    "dlib's HOG, 68 points and ResNet", preset="dlib", detector="hog", landmarker="dlib-68"
)
MOBILE = Chain("YuNet, MobileFaceNet", model="mobilefacenet")


@dataclass
class Bench:
    """Sets of photos and the vectors of chains, made once and kept in the vector cache."""

    _held: dict[tuple[str, str], walk.Embedded] = field(default_factory=dict)
    _trials: dict[str, Trials] = field(default_factory=dict)

    def recognizer(self, chain: Chain) -> Recognizer:
        """Return a chain, its weights brought; raises Unavailable where they cannot be had."""
        why = here.absent_preset(chain.preset)
        for task, name in (
            (Task.DETECT, chain.detector),
            (Task.LANDMARK, chain.landmarker),
            (Task.EMBED, chain.model),
        ):
            why = why or (here.absent((task, name)) if name else "")
        if why:
            raise Unavailable(f"{chain.told}: {why}")
        return Recognizer(
            chain.preset,
            detector=chain.detector or None,
            landmarker=chain.landmarker or None,
            model=chain.model or None,
            cache=VectorCache(cache_path()),
            workers=2,
        )

    def trials(self, name: str) -> Trials:
        """Return all pairs of lfw_100, or the listed pairs of lfw_dev."""
        where = here.LFW_DEV if name == "lfw_dev" else here.LFW_100
        if not where.is_dir():
            raise Unavailable(f"The photos of {name} are not beside the checkout.")
        if name not in self._trials:
            self._trials[name] = (
                Trials.of_list(read_pairs(here.LFW_DEV / "pairs.txt", here.LFW_DEV / "images"))
                if name == "lfw_dev"
                else Trials.all_pairs(read_folder(here.LFW_100))
            )
        return self._trials[name]

    def embedded(self, chain: Chain, name: str = "lfw_100") -> walk.Embedded:
        """Return the vectors of every photo of a set."""
        key = (chain.told, name)
        if key not in self._held:
            trials = self.trials(name)
            policy = chain.face if name == "lfw_100" else FacePolicy.CENTRAL
            done = here.counter(f"{name}, {chain.told}", len(trials.photos))
            self._held[key] = walk.embed(self.recognizer(chain), trials.photos, policy, done=done)
        return self._held[key]

    def pairs(self, chain: Chain, name: str = "lfw_100") -> PairScores:
        """Return the scored pairs of a set."""
        return self.trials(name).scored(self.embedded(chain, name))

    def squares(self, chain: Chain) -> PairScores:
        """Return lfw_100's pairs with minus the squared distance of unit vectors as the score."""
        embedded = self.embedded(chain)
        trials = self.trials("lfw_100")
        vectors = np.zeros((len(trials.photos), embedded.named.vectors.shape[1]))
        held = embedded.rows >= 0
        found = embedded.named.vectors[embedded.rows[held]].astype(np.float64)
        vectors[held] = found / np.linalg.norm(found, axis=1, keepdims=True)
        gaps = ((vectors[trials.a] - vectors[trials.b]) ** 2).sum(axis=1)
        return trials.measured(-gaps, ~held)

    @staticmethod
    def photo(path: Path) -> str:
        """Return the name of a photo without its folder."""
        return path.name


def over_thresholds(pairs: PairScores, grid: np.ndarray) -> Mapping[str, Any]:
    """Return F1 and accuracy at distances below each threshold of the grid, and the best by F1.

    The article's rule is "same if distance < tau": on minus the distance that is score > -tau.
    """
    usable = pairs.where(~pairs.failed)
    distance, same = -usable.scores, usable.same
    f1, accuracy = [], []
    for tau in grid:
        said = distance < tau
        true = int((said & same).sum())
        wrong = int((said != same).sum())
        f1.append(2 * true / (2 * true + wrong) if true + wrong else 0.0)
        accuracy.append(float((said == same).mean()))
    best = int(np.argmax(f1))
    tau = float(grid[best])
    right = (distance < tau) == same
    return {
        "tau": round(tau, 4),
        "f1": f1[best],
        "accuracy": accuracy[best],
        "accuracy_interval": over_people(usable, right).to_dict(),
        "missed": int((same & ~right).sum()),
        "confused": int((~same & ~right).sum()),
        "curve": {
            "tau": np.round(grid, 4).tolist(),
            "f1": np.round(f1, 5).tolist(),
            "accuracy": np.round(accuracy, 5).tolist(),
        },
    }


def over_people(pairs: PairScores, said: np.ndarray) -> Interval:
    """Return the share of pairs of which something holds, with its interval over people.

    Where it holds of all, drawing people shows nothing: the rule of 3 bounds what may be left.
    """
    if said.all():
        return Interval(1.0, 1 - 3 / len(pairs), 1.0)

    found = resampling.share(pairs, said, draws=DRAWS)
    if found is None:
        raise Unavailable("There are no pairs with scores.")
    return found


def judged_on_others(pairs: PairScores) -> Mapping[str, float]:
    """Return F1 and accuracy with the threshold of best F1 chosen on other people."""
    found = cross_validated(pairs.where(~pairs.failed), curves.best_by_f1)
    return {"f1": found.f1, "accuracy": found.accuracy, "se": found.standard_error}


Measure = Callable[[Bench], Told]
