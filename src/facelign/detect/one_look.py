"""Detectors that look once at a photo, in the size that their network was made for."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.errors import ConfigError
from facelign.geometry.letterbox import PlaneMap
from facelign.imaging.resize import resized
from facelign.runtime.blob import blob_of
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types.arrays import AnyArray, ByteArray
from facelign.types.contracts import Detector, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import SCHEMES
from facelign.types.specs import DetectorOutput, ModelSpec


@dataclass(frozen=True, slots=True)
class OneLookOptions:
    """Options of a detector that looks once.

    score_threshold: smallest score of a face, above 0 and up to 1. nms_iou: overlap above which
    two boxes are one face.
    """

    score_threshold: float = 0.5
    nms_iou: float = 0.4

    def __post_init__(self) -> None:
        for name in ("score_threshold", "nms_iou"):
            value = getattr(self, name)
            if not 0.0 < value <= 1.0:
                raise ConfigError(f"{name}: wanted a number in (0, 1], got {value}.")


class OneLook(Detector):
    """A detector that looks once; a model file adds ``decode``, and the record says the rest.

    STRETCHED: whether a photo is stretched to the network's size, as its author did, or fitted
    into it at the top left with black beside it.
    """

    Options = OneLookOptions
    STRETCHED = False

    def __init__(
        self, spec: ModelSpec, files: WeightPaths, options: OneLookOptions, engine: OnnxOptions
    ) -> None:
        self.spec, self.options = spec, options
        self.score_floor = options.score_threshold
        self._net = Session(files[spec.weights[0].name], engine)

    @property
    def wants_px(self) -> int | None:  # type: ignore[override]
        """Twice the longer side of what the network reads: reduced by area, not by leaving out."""
        return None if self.spec.input.size is None else 2 * max(self.spec.input.size)

    @abstractmethod
    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score, not suppressed, in the plane of the network's picture.

        outputs: of the graph, in its order. size: (width, height) of the picture.
        """
        ...

    def detect(self, image: Image) -> Faces:
        """Return the faces of ``image`` by falling score, in the plane of ``image.size``."""
        picture, plane = self.fitted(image.pixels)
        size = (picture.shape[1], picture.shape[0])
        feed = blob_of(picture[None], self.spec.input)
        found = self.decode(self._net.run({self._net.inputs[0].name: feed}), size)
        assert isinstance(self.spec.output, DetectorOutput)  # noqa: S101 - told by its task
        scheme = SCHEMES[self.spec.output.scheme] if self.spec.output.scheme else None
        kept = found.suppressed(self.options.nms_iou).back(plane)
        return kept.faces(self.spec.id, image, scheme)

    def fitted(self, pixels: ByteArray) -> tuple[ByteArray, PlaneMap]:
        """Return the picture (h, w, 3) that the network reads, and the map into it."""
        tall, wide = pixels.shape[:2]
        width, height = self.spec.input.size or (wide, tall)
        if self.STRETCHED:
            return resized(pixels, (width, height)), PlaneMap((width / wide, height / tall))
        factor = min(width / wide, height / tall)
        inside = (max(1, round(wide * factor)), max(1, round(tall * factor)))
        picture = np.zeros((height, width, 3), np.uint8)
        picture[: inside[1], : inside[0]] = resized(pixels, inside)
        return picture, PlaneMap((inside[0] / wide, inside[1] / tall))
