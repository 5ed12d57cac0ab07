"""Detectors that look once at a photo, in the size that their network was made for."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.pyramid import reduced
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
    into it at the top left. CENTERED: whether it is fitted in the middle. BESIDE: the gray beside
    it, 0 to 255.
    """

    Options = OneLookOptions
    STRETCHED = CENTERED = False
    BESIDE = 0

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
        found = self.decode(self.run(feed), size)
        assert isinstance(self.spec.output, DetectorOutput)  # noqa: S101 - told by its task
        scheme = SCHEMES[self.spec.output.scheme] if self.spec.output.scheme else None
        kept = self.settled(found).back(plane)
        return kept.faces(self.spec.id, image, scheme)

    def run(self, feed: AnyArray) -> list[AnyArray]:
        """Return what the network gives for what it reads, in the order of its outputs."""
        return self._net.run({self._net.inputs[0].name: feed})

    def settled(self, found: Candidates) -> Candidates:
        """Return one candidate a face: the best of those that overlap."""
        return found.suppressed(self.options.nms_iou)

    def fitted(self, pixels: ByteArray) -> tuple[ByteArray, PlaneMap]:
        """Return the picture (h, w, 3) that the network reads, and the map into it."""
        tall, wide = pixels.shape[:2]
        width, height = self.spec.input.size or (wide, tall)
        if self.STRETCHED:
            return resized(pixels, (width, height)), PlaneMap((width / wide, height / tall))
        factor = min(width / wide, height / tall)
        inside = (max(1, round(wide * factor)), max(1, round(tall * factor)))
        picture = np.full((height, width, 3), self.BESIDE, np.uint8)
        x, y = ((width - inside[0]) // 2, (height - inside[1]) // 2) if self.CENTERED else (0, 0)
        picture[y : y + inside[1], x : x + inside[0]] = resized(pixels, inside)
        return picture, PlaneMap((inside[0] / wide, inside[1] / tall), (x, y))


#: sides of what a network of convolutions reads are multiples of it, px
MULTIPLE = 32


@dataclass(frozen=True, slots=True)
class AnySizeOptions(OneLookOptions):
    """As ``OneLookOptions``. max_side: longer photos are reduced to it, px."""

    max_side: int = 1000

    def __post_init__(self) -> None:
        OneLookOptions.__post_init__(self)
        if self.max_side < MULTIPLE:
            raise ConfigError(f"max_side: wanted at least {MULTIPLE} px, got {self.max_side}.")


class AnySize(OneLook):
    """A detector that looks once at pictures of any size whose sides are multiples of 32."""

    Options = AnySizeOptions

    def __init__(
        self, spec: ModelSpec, files: WeightPaths, options: AnySizeOptions, engine: OnnxOptions
    ) -> None:
        super().__init__(spec, files, options, engine)
        self._max_side = options.max_side

    @property
    def wants_px(self) -> int:  # type: ignore[override]
        """The long side that is looked at, px."""
        return self._max_side

    def fitted(self, pixels: ByteArray) -> tuple[ByteArray, PlaneMap]:
        """Return the picture, padded at the right and the bottom, and the map into it."""
        small, plane = reduced(pixels, self._max_side)
        tall, wide = small.shape[:2]
        if self.STRETCHED:
            size = upwards(wide), upwards(tall)
            return resized(small, size), PlaneMap(
                (size[0] / pixels.shape[1], size[1] / pixels.shape[0])
            )
        # padded with the mean, which is nothing to the network
        mean = self.spec.input.mean
        color = mean if self.spec.input.order == "rgb" else mean[::-1]
        picture = np.full((upwards(tall), upwards(wide), 3), color, np.uint8)
        picture[:tall, :wide] = small
        return picture, plane


def upwards(side: int) -> int:
    """Return the next multiple of 32."""
    return -(-side // MULTIPLE) * MULTIPLE
