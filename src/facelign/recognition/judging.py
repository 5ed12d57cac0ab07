"""How good faces are for recognition, and how heads are turned, by models that are named."""

from __future__ import annotations

import numpy as np

from facelign.detect.attempts import turned_with
from facelign.errors import ModelMismatch, UnknownModel
from facelign.models import catalog, load
from facelign.models.weights.store import Store
from facelign.types.analysis import Analysis
from facelign.types.arrays import Float32Array
from facelign.types.contracts import HeadPose, Quality
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import QualityOutput, Task


class Judge:
    """Tells the quality of faces by a measure, larger is better.

    model: id of the measure, such as "measured". Raises UnknownModel, WeightsMissing and
    LicenseRefused.

    Example:
        >>> judge = Judge("measured")
        >>> judge.model
        'measured'
    """

    def __init__(self, model: str, store: Store | None = None) -> None:
        spec = catalog.default().spec(Task.QUALITY, model)
        if not isinstance(spec.output, QualityOutput):
            raise UnknownModel(f"The record of '{model}' is not that of a quality measure.")
        self.model, self._name = model, spec.output.name
        self._measure: Quality = load(spec, store or Store.from_environment())

    def numbers(self, image: Image, faces: Faces) -> Float32Array:
        """Return (n,) float32 of n faces; raises ModelMismatch for points that it cannot use."""
        if not len(faces):
            return np.zeros(0, np.float32)
        told = self._measure.measure(image, faces).get(self._name)
        if told is None:
            raise ModelMismatch(
                f"The quality '{self.model}' wants points of the face, and detector "
                f"'{faces.detector}' gives none that fit.",
                "Use a detector with five points, such as yunet.",
            )
        return told


class Heads:
    """Tells which way heads look.

    model: id of the model, such as "points". Raises UnknownModel, WeightsMissing, LicenseRefused.

    Example:
        >>> Heads("points").model
        'points'
    """

    def __init__(self, model: str, store: Store | None = None) -> None:
        self.model = model
        spec = catalog.default().spec(Task.POSE, model)
        self._pose: HeadPose = load(spec, store or Store.from_environment())

    def angles(self, analysis: Analysis) -> Float32Array:
        """Return yaw, pitch and roll (n, 3), degrees, of the n faces of a photo that is at hand.

        A network sees the photo as the detector did; roll is that in the file. Raises
        ModelMismatch for points that the model cannot use.
        """
        if analysis.image is None or not len(analysis.faces):
            return np.zeros((0, 3), np.float32)
        turned = analysis.turned_deg
        photo, faces = analysis.image.turned(turned), turned_with(analysis.faces, turned)
        found = self._pose.estimate(photo, faces)
        found[:, 2] = (found[:, 2] + turned + 180) % 360 - 180
        return found
