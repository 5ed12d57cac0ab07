"""A film of somebody who was asked to do things: measured frame by frame, and judged.

The face that is largest at first is followed; its mesh tells what it does, and it is embedded
wherever it looks into the camera, so that a change of people between two reactions is seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from facelign.errors import ModelMismatch
from facelign.liveness.asking import Request
from facelign.liveness.challenge import Challenge, Outcome
from facelign.liveness.expressions import Signs
from facelign.models.catalog import default
from facelign.models.load import load
from facelign.quality.pose import head_pose
from facelign.recognition.recognizer import Recognizer
from facelign.types.analysis import Analysis
from facelign.types.arrays import Arrays, Float32Array
from facelign.types.contracts import Frame, Landmarker
from facelign.types.embeddings import Metric
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE, MESH_468
from facelign.video.cuts import Cuts
from facelign.video.tracker import ByteTracker

#: the landmarker whose lids follow eyes that close
MESH = "mesh-478"
#: how often a face is embedded at most, s, and how far it may be turned then, degrees: vectors of
#: faces that look away are those of nobody
_EVERY_S, _FACING_DEG = 0.4, 20.0


@dataclass(frozen=True, slots=True, eq=False)
class Sight(Arrays):
    """What a frame shows of the face that is followed; None where it does not, or where it was
    not embedded. vector: (d,) of unit length.
    """

    signs: Signs | None
    vector: Float32Array | None = field(default=None, repr=False)


class Witness:
    """Follows one face through a film and measures it in every frame.

    mesh: a landmarker of the mesh (default: ``mesh-478`` with its lids). Raises WeightsMissing, and
    ModelMismatch for a recognizer whose vectors are not compared by their cosine.
    """

    def __init__(self, recognizer: Recognizer, mesh: Landmarker | None = None) -> None:
        if recognizer.space.metric is not Metric.COSINE:
            raise ModelMismatch(
                f"The vectors of '{recognizer.chain.preset.id}' are compared by their "
                f"{recognizer.space.metric}, and faces of a film by their cosine.",
                "Choose another preset, such as default.",
            )
        if mesh is None:
            (spec,) = default().find(MESH)
            mesh = load(spec, recognizer.chain.store, options={"lids": True})
        self._recognizer, self._mesh = recognizer, mesh
        self._tracker = ByteTracker()
        self._track: int | None = None
        self._embedded_s = -np.inf
        self._warm_up()

    def _warm_up(self) -> None:
        """Run every model once: a camera does not wait while the first frame opens them."""
        side = 128
        black = Image.from_array(np.zeros((side, side, 3), np.uint8), "rgb")
        five = np.array([[[44, 52], [84, 52], [64, 72], [48, 92], [80, 92]]], np.float32)
        box, score = np.array([[32, 24, 96, 112]], np.float32), np.ones(1, np.float32)
        face = Faces(box, score, Landmarks(five, FIVE), "made", (side, side))
        found = self._recognizer.find(black)
        self._mesh.locate(black, face)
        self._recognizer.embed(replace(found, faces=face))

    def look(self, frame: Frame) -> Sight:
        """Return what the next frame shows."""
        found = self._recognizer.find(frame.image)
        faces = self._tracker.update(found.faces, frame.time_s)
        if faces.track_ids is None or not len(faces):
            return Sight(None)
        if self._track is None:
            self._track = int(faces.track_ids[np.argmax(faces.heights)])
        mask = faces.track_ids == self._track
        if not mask.any():
            return Sight(None)
        one = found.faces[mask]
        meshed = self._mesh.locate(found.image or frame.image, one).landmarks
        if meshed is None or one.landmarks is None:
            return Sight(None)
        five = one.landmarks.as_scheme(FIVE.id).points[0].astype(np.float64)
        mesh = meshed.as_scheme(MESH_468.id)
        pose = head_pose(mesh)
        yaw = 0.0 if pose is None else float(pose[0, 0])
        signs = Signs(frame.time_s, mesh.points[0].astype(np.float64), five, yaw)
        return Sight(signs, self._vector(replace(found, faces=one), signs))

    def _vector(self, found: Analysis, signs: Signs) -> Float32Array | None:
        """Return the vector of the face where it is time for one and it can be had."""
        if abs(signs.yaw) > _FACING_DEG or signs.time_s - self._embedded_s < _EVERY_S:
            return None
        vectors = self._recognizer.embed(found).embeddings
        if vectors is None or not len(vectors):
            return None
        self._embedded_s = signs.time_s
        vector = vectors.vectors[0]
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)


def judge(
    request: Request,
    frames: Iterable[Frame],
    recognizer: Recognizer,
    *,
    same_score: float | None = None,
    now: datetime | None = None,
) -> Outcome:
    """Return how a film of a request went; it is read no further than it takes to tell.

    The clock of the film is that of the request: its first frame was taken when the request began.
    same_score: from which score on two frames show the same person (default: the calibrated one of
    a comparison; raises NoCalibration without one). now: the time at which it is judged.
    """
    if request.expired(now):
        return Outcome("failed", (f"the request expired at {request.expires:%H:%M:%S %Z}",))
    if same_score is None:
        same_score = recognizer.threshold().score
    challenge, witness, cuts = Challenge(request, same_score), Witness(recognizer), Cuts()
    for frame in frames:
        sight, cut = witness.look(frame), cuts.between(frame)
        outcome = challenge.see(frame.time_s, sight.signs, sight.vector, cut=cut)
        if outcome.decision != "pending":
            return outcome
    return challenge.end()
