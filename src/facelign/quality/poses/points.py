"""Head pose from the points of a face, laid onto a mean face; see ``quality.pose``.

Known limits: five points hardly follow a nod, and dlib's five not well a turn either; a landmarker
with more points helps. The mean face is not the subject's.
"""

from __future__ import annotations

from facelign.errors import ModelMismatch
from facelign.quality.pose import head_pose
from facelign.runtime.made import OfRecord
from facelign.types import specs
from facelign.types.arrays import Float32Array
from facelign.types.contracts import HeadPose
from facelign.types.faces import Faces
from facelign.types.image import Image

SPECS = (
    specs.ModelSpec.of(
        "points",
        "facelign.quality.poses.points:PointsPose",
        engine=specs.Engine.NUMPY,
        output=specs.PoseOutput(),
        license=specs.License(
            "MIT", "Apache-2.0", "none", "yes", "Sixteen places on MediaPipe's mean face."
        ),
        title="Head pose from points and a mean face, no network",
        paper="Terzakis and Lourakis: A Consistently Fast and Globally Optimal Solution to the "
        "Perspective-n-Point Problem, ECCV 2020, https://doi.org/10.1007/978-3-030-58452-8_28",
        origin="the mean face: google-ai-edge/mediapipe "
        "mediapipe/modules/face_geometry/data/canonical_face_model.obj",
    ),
)


class PointsPose(OfRecord, HeadPose):
    """Tells the pose of heads whose faces have points."""

    def estimate(self, image: Image, faces: Faces) -> Float32Array:
        """Return yaw, pitch and roll (n, 3), degrees; raises ModelMismatch without such points."""
        angles = None if faces.landmarks is None else head_pose(faces.landmarks)
        if angles is None:
            given = "no points" if faces.landmarks is None else faces.landmarks.scheme.id
            raise ModelMismatch(
                f"The pose 'points' wants points that place a head, and '{faces.detector}' gives "
                f"{given}.",
                "Use a detector with points, such as yunet, or the pose 'headpose-b66'.",
            )
        return angles
