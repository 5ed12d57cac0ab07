"""A small network that tells which way a head looks, from the pixels around its box.

Origin: Shaw-git/Lightweight-Head-Pose-Estimation (2020), blocks of MobileNetV3, three heads of 66
bins of 3 degrees each, trained on 300W-LP. Input: RGB by ImageNet's mean and spread, a square of
1.2 times the longer side of the box. Output: roll, yaw and pitch as that set counts them, about
axes one after another in another order and of other signs than here; turned into ours.

Known limits: angles up to 99 degrees; a nod is read a little too small; hands and masks move it.
"""

from __future__ import annotations

import numpy as np

from facelign.imaging.warp import warp
from facelign.runtime.blob import blob_of
from facelign.runtime.made import OfOneNetwork
from facelign.types import specs
from facelign.types.arrays import AnyArray, ByteArray, Float32Array
from facelign.types.contracts import HeadPose
from facelign.types.faces import Faces
from facelign.types.image import Image

_SIDE, _WIDER = 224, 1.2
_COMMIT = "aed1802a34cccdd7e35beb788517cc6d01319d5c"
_FILE = "lightweight_headpose_b66.pth"
_DIGEST, _SIZE = "0398c6d13983bc9820dd60fcd00c2e8b655e7a78d4cd7572fa6b4a42b9064879", 877_453

SPECS = (
    specs.ModelSpec.of(
        "headpose-b66",
        "facelign.quality.poses.headpose:HeadPoseB66",
        specs.WeightFile(
            _FILE,
            (
                specs.Source.address(
                    "https://github.com/Shaw-git/Lightweight-Head-Pose-Estimation/raw/"
                    f"{_COMMIT}/models/model-b66.pkl",
                    sha256=_DIGEST,
                    size=_SIZE,
                ),
                specs.Source.mirrored(_FILE, sha256=_DIGEST, size=_SIZE),
            ),
            convert="headpose-b66",
        ),
        input=specs.InputSpec(
            (_SIDE, _SIDE), mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
        ),
        output=specs.PoseOutput(),
        license=specs.License.both(
            "MIT",
            "300W-LP (research use)",
            "Free by its text; the photos that it was trained on are for research.",
            unclear=True,
        ),
        title="Lightweight head pose, three times 66 bins",
        paper="the heads: Ruiz et al.: Fine-Grained Head Pose Estimation Without Keypoints, CVPRW "
        "2018, https://arxiv.org/abs/1710.00925",
        origin="Shaw-git/Lightweight-Head-Pose-Estimation models/model-b66.pkl",
    ),
)


class HeadPoseB66(OfOneNetwork, HeadPose):
    """Tells the pose of heads by their boxes."""

    def estimate(self, image: Image, faces: Faces) -> Float32Array:
        """Return yaw, pitch and roll (n, 3), degrees."""
        return np.array([self._one(image, box) for box in faces.boxes], np.float32).reshape(-1, 3)

    def _one(self, image: Image, box: AnyArray) -> tuple[float, float, float]:
        # one by one: a face has the same pose whoever is beside it
        feed = blob_of(around(image, box)[None], self.spec.input)
        roll, yaw, pitch = self._session.run({self._session.inputs[0].name: feed})[0][0].tolist()
        return as_ours(roll, yaw, pitch)


def around(image: Image, box: AnyArray) -> ByteArray:
    """Return the square (224, 224, 3) uint8 RGB around a box (4,), black outside of the photo."""
    left, top, right, bottom = (np.asarray(box, np.float64) + 0.5) * image.scale - 0.5
    scale = _SIDE / (_WIDER * max(right - left, bottom - top))
    middle = (_SIDE - 1) / 2
    moved = [middle - scale * (left + right) / 2, middle - scale * (top + bottom) / 2]
    return warp(
        image.pixels,
        np.array([[scale, 0.0, moved[0]], [0.0, scale, moved[1]]]),
        (_SIDE, _SIDE),
    )


def as_ours(roll: float, yaw: float, pitch: float) -> tuple[float, float, float]:
    """Return yaw, pitch and roll as facelign counts them, degrees, of angles of 300W-LP's labels.

    There a head is turned about its x, then y, then z axis (y up, z to the camera), all signs the
    other way.
    """
    a, b, c = np.radians([-pitch, -yaw, -roll])
    nod = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    shake = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    lean = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    down = np.diag([1.0, -1.0, -1.0])  # as cameras count: y down, z away
    r = down @ nod @ shake @ lean @ down
    ours = np.arcsin(np.clip(r[2, 0], -1, 1)), np.arctan2(r[2, 1], r[2, 2])
    found = np.degrees([*ours, -np.arctan2(r[1, 0], r[0, 0])])
    return float(found[0]), float(found[1]), float(found[2])
