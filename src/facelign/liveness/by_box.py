"""Liveness by what lies around each box: the part that such models share.

A model file adds ``score``, which says what its networks see of a face and how they answer.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from facelign.errors import ConfigError
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.contracts import Liveness, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import ModelSpec


@dataclass(frozen=True, slots=True)
class LivenessOptions:
    """threshold: score from which on a presentation is taken for bona fide, above 0 and below 1.

    batch: faces that go through a network together.
    """

    threshold: float = 0.5
    batch: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1 or self.batch < 1:
            raise ConfigError(
                f"Threshold {self.threshold:g} and batch {self.batch} cannot be meant.",
                "Give a threshold between 0 and 1, and a batch of 1 or more.",
            )


class LivenessByBox(Liveness):
    """Judges faces by their boxes, a batch at a time.

    NETS: how many networks there are, the first weight files of the record; ``nets`` runs them.
    REACH: how many times the box the nearest look takes in. A face of fewer pixels than fill the
    network's input at that reach would be enlarged, and the traces of a print or screen with it:
    that is the smallest one that is judged.
    """

    Options = LivenessOptions
    NETS = 1
    REACH = 1.0

    def __init__(
        self, spec: ModelSpec, files: WeightPaths, options: LivenessOptions, engine: OnnxOptions
    ) -> None:
        self.spec, self.options = spec, options
        self.id, self.threshold = spec.id, options.threshold
        self.smallest_px = (spec.input.size or (0, 0))[1] / self.REACH
        self.nets = tuple(Session(files[file.name], engine) for file in spec.weights[: self.NETS])

    def judge(self, image: Image, faces: Faces) -> Float32Array:
        """Return (n,) float32 in [0, 1]: larger is more likely a person before the camera."""
        scores = np.zeros(len(faces), np.float32)
        for at in range(0, len(faces), self.options.batch):
            batch = slice(at, at + self.options.batch)
            scores[batch] = self.score(image, faces.boxes[batch])
        return scores

    @abstractmethod
    def score(self, image: Image, boxes: Float32Array) -> AnyArray:
        """Return the score (n,) of each of n boxes (n, 4), n >= 1."""
        ...
