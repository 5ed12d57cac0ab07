"""How good faces are for recognition, how heads are turned, and whether they are those of living
persons, by models that are named.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from facelign.detect.attempts import turned_with
from facelign.errors import ConfigError, ModelMismatch, UnknownModel
from facelign.files.home import expanded
from facelign.liveness import checking, records
from facelign.models import catalog, load
from facelign.models.weights.store import Store
from facelign.quality.pose import head_pose
from facelign.recognition.options import DEFAULT_LIVENESS
from facelign.types.analysis import Analysis
from facelign.types.arrays import Float32Array
from facelign.types.contracts import HeadPose, Liveness, Quality
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.liveness import LiveThreshold
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


#: what stands behind the threshold that comes with a model
_OWN = "the model's own, no error rate stands behind it"


class LiveCheck:
    """Tells whether faces are those of living persons: passive, photo by photo.

    model: id of the liveness model. threshold: the score from which on a face is taken for live, a
    file that ``facelign calibrate --liveness`` wrote, or None for the model's own, behind which no
    error rate stands. Raises UnknownModel, WeightsMissing, LicenseRefused, ConfigError for what is
    no threshold, ModelMismatch for one of another model.
    """

    def __init__(
        self,
        model: str = DEFAULT_LIVENESS,
        threshold: float | str | Path | None = None,
        store: Store | None = None,
    ) -> None:
        spec = catalog.default().spec(Task.LIVENESS, model)
        said = None if threshold is None else _live_threshold(spec.id, threshold)
        self._judge: Liveness = load(spec, store or Store.from_environment())
        self.model = spec.id
        #: the score from which on a face is taken for live, and what stands behind it
        self.threshold = said or LiveThreshold(self._judge.threshold, _OWN)

    def of(self, analysis: Analysis) -> Analysis:
        """Return a photo whose pixels are at hand with the answer for each of its faces.

        The model sees the whole photo at full size, turned as the detector turned it. Raises
        ConfigError where the pixels were not kept.
        """
        if not len(analysis.faces):
            return replace(analysis, live=())
        if analysis.image is None:
            raise ConfigError(
                f"The pixels of {analysis.photo.source} were not kept.",
                "Hand in the photo, or what 'find' returned.",
            )
        turned = analysis.turned_deg
        photo, faces = analysis.image.full().turned(turned), turned_with(analysis.faces, turned)
        pose = None
        if self._judge.widest_yaw_deg is not None and faces.landmarks is not None:
            pose = head_pose(faces.landmarks)
        yaws = None if pose is None else pose[:, 0]
        live = checking.answers(self._judge, photo, faces, self.threshold.score, yaws)
        return replace(analysis, live=live)


def _live_threshold(model: str, said: float | str | Path) -> LiveThreshold:
    """Return what a score or the name of a file says."""
    text = str(said)
    if text.endswith(".json"):
        path = expanded(text)
        record = records.load(path)
        if record.model != model:
            raise ModelMismatch(
                f"The threshold {path.name} is of liveness model '{record.model}', and '{model}' "
                "is to judge.",
                "Choose that model, or give another threshold.",
            )
        return LiveThreshold(record.threshold, record.source)
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 < score < 1:
        raise ConfigError(
            f"The liveness threshold {said} is neither a score between 0 and 1 nor a file.",
            "Give a score such as 0.5, or FILE.json.",
        )
    return LiveThreshold(score, "given by the caller, no error rate stands behind it")
