"""Points inside each box by an ONNX network: the part that such landmarkers share."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from facelign.errors import ModelMismatch
from facelign.runtime.blob import blob_of
from facelign.runtime.made import OfOneNetwork
from facelign.runtime.onnx import OnnxOptions
from facelign.types.arrays import AnyArray, ByteArray, Float32Array
from facelign.types.contracts import Landmarker, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.options import NoOptions
from facelign.types.schemes import SCHEMES, Scheme
from facelign.types.specs import LandmarkerOutput, ModelSpec


def scheme_of(spec: ModelSpec) -> Scheme:
    """Return the scheme of a landmarker's points; raises ModelMismatch for another record."""
    if not isinstance(spec.output, LandmarkerOutput):
        raise ModelMismatch(f"The record of '{spec.id}' is not that of a landmarker.")
    return SCHEMES[spec.output.scheme]


class LandmarkerByBox(OfOneNetwork, Landmarker):
    """Places points face by face; a model file adds ``placed``."""

    def __init__(
        self, spec: ModelSpec, files: WeightPaths, options: NoOptions, engine: OnnxOptions
    ) -> None:
        self.scheme = scheme_of(spec)
        super().__init__(spec, files, options, engine)

    def locate(self, image: Image, faces: Faces) -> Faces:
        """Return the same faces with points of ``scheme``, in the plane of ``image.size``."""
        points = [self.placed(image, box) for box in faces.boxes]
        stacked = np.stack(points) if points else np.zeros((0, self.scheme.k, 2), np.float32)
        return faces.with_landmarks(Landmarks(stacked, self.scheme))

    def run(self, picture: ByteArray) -> list[AnyArray]:
        """Return what the network gives for one picture (h, w, 3).

        One by one: a face has the same points whoever is beside it.
        """
        return self._session.run(
            {self._session.inputs[0].name: blob_of(picture[None], self.spec.input)}
        )

    @abstractmethod
    def placed(self, image: Image, box: AnyArray) -> Float32Array:
        """Return the points (k, 2) of the face in a box (4,), in the plane of ``image.size``."""
        ...
