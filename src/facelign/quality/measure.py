"""Numbers that explain a refusal: size, sharpness, light, pose, how much of the face is there.

Simple measures of one face each, without a network; none is a verdict. Their limits are said
where they are computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np

from facelign.errors import BadArray
from facelign.geometry.boxes import clip
from facelign.imaging.resize import resized
from facelign.quality.pose import head_pose
from facelign.types.arrays import AnyArray, Arrays, ByteArray, Float32Array, Selector, check, picked
from facelign.types.chips import Chips
from facelign.types.contracts import Quality
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks

#: side of the square on which light and sharpness are measured, px: that of the common chips
SIDE = 112
#: share of each side that is looked at: the corners of a chip are background or empty
MIDDLE = 0.7
#: luma at or beyond which a pixel carries no detail
DARK, BRIGHT = 8, 247


@dataclass(frozen=True, slots=True, eq=False)
class FaceQuality(Arrays):
    """One number a face, (n,) float32 each.

    height_px: height of the box in the file. inside: share of the box that lies in the photo.
    sharpness: see ``sharpness``; about 0.1 blurred, 0.3 and more sharp. brightness: mean luma,
    0..1. contrast: standard deviation of luma, 0..1. dark, bright: shares of pixels at the ends.
    inter_eye_px: between the eyes' centers; roll_deg: in the picture (positive leans
    to the subject's right shoulder); yaw_offset: see ``yaw_offset``. These three are None for a
    detector without landmarks. yaw_deg, pitch_deg: positive when the subject looks to its own left,
    and down, see ``pose``; None without landmarks that place a head.
    """

    height_px: Float32Array
    inside: Float32Array
    sharpness: Float32Array
    brightness: Float32Array
    contrast: Float32Array
    dark: Float32Array
    bright: Float32Array
    inter_eye_px: Float32Array | None = None
    roll_deg: Float32Array | None = None
    yaw_offset: Float32Array | None = None
    yaw_deg: Float32Array | None = None
    pitch_deg: Float32Array | None = None

    def __post_init__(self) -> None:
        n = len(self.height_px)
        check(self, np.float32, **{item.name: (n,) for item in fields(self)})

    def __len__(self) -> int:
        return len(self.height_px)

    def __getitem__(self, index: int | Selector) -> FaceQuality:
        pick = picked("face", index, len(self))
        part: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            part[item.name] = None if value is None else value[pick]
        return FaceQuality(**part)

    def row(self, index: int) -> dict[str, float]:
        """Return the numbers of one face by name, without those that are not known."""
        values = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {name: float(value[index]) for name, value in values if value is not None}


class PlainQuality(Quality):
    """The measures of this module as a part that can be exchanged for a learned one."""

    names = tuple(item.name for item in fields(FaceQuality))

    def measure(
        self, image: Image, faces: Faces, chips: Chips | None = None
    ) -> Mapping[str, Float32Array]:
        """Return the numbers (n,) of n faces by name; those of points only where there are some."""
        numbers = assess(image, faces, chips)
        every = {name: getattr(numbers, name) for name in self.names}
        return {name: values for name, values in every.items() if values is not None}


def assess(image: Image, faces: Faces, chips: Chips | None = None) -> FaceQuality:
    """Return the numbers of every face.

    chips: the same faces aligned, of any layout; without them the boxes are cut out of the photo.
    Raises BadArray when chips and faces differ in number.
    """
    n = len(faces)
    if chips is not None and len(chips) != n:
        raise BadArray(f"chips: wanted those of {n} faces, got {len(chips)}.")
    light = np.zeros((5, n), np.float32)
    for i in range(n):
        pixels = _cut(image, faces.boxes[i]) if chips is None else chips.pixels[i]
        light[:, i] = _light(_middle(pixels))
    eyes = None if faces.landmarks is None else _eyes(faces.landmarks)
    pose = None if faces.landmarks is None else head_pose(faces.landmarks)
    return FaceQuality(
        faces.heights,
        _inside(faces),
        light[0],
        light[1],
        light[2],
        light[3],
        light[4],
        None if eyes is None else np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1),
        None if eyes is None else roll_deg(eyes),
        None if faces.landmarks is None else yaw_offset(faces.landmarks),
        None if pose is None else pose[:, 0],
        None if pose is None else pose[:, 1],
    )


def _cut(image: Image, box: AnyArray) -> ByteArray:
    """Return the pixels of a box (xyxy in the file's plane); at least one pixel."""
    tall, wide = image.pixels.shape[:2]
    edges = (np.asarray(box, np.float64) + 0.5) * image.scale
    x1, y1 = np.clip(np.floor(edges[:2]).astype(int), 0, (wide - 1, tall - 1))
    x2, y2 = np.clip(np.ceil(edges[2:]).astype(int), (x1 + 1, y1 + 1), (wide, tall))
    cut = image.pixels[y1:y2, x1:x2]
    step = max(1, min(cut.shape[:2]) // (4 * SIDE))  # far more pixels than are looked at
    return cut[::step, ::step]


def _middle(pixels: ByteArray) -> ByteArray:
    """Return the luma of the middle of a face, (m, m) uint8, at the scale of a 112 px chip."""
    luma = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    edge = round(SIDE * (1 - MIDDLE) / 2)
    return resized(np.asarray(luma, np.uint8), (SIDE, SIDE))[edge:-edge, edge:-edge]


def _light(luma: ByteArray) -> tuple[float, float, float, float, float]:
    mean, spread = (float(v[0, 0]) for v in cv2.meanStdDev(luma))
    counts = cv2.calcHist([luma], [0], None, [256], [0, 256]).ravel() / luma.size
    dark, bright = float(counts[: DARK + 1].sum()), float(counts[BRIGHT:].sum())
    return sharpness(luma), mean / 255, spread / 255, dark, bright


def sharpness(luma: ByteArray) -> float:
    """Return the spread of the Laplacian over the spread of luma, both standard deviations.

    luma: (h, w) uint8. Dividing makes it blind to contrast, so that a dark face is not called
    blurred. Noise and JPEG blocks count as sharp; a flat picture gives 0. (Variance of the
    Laplacian: Pech-Pacheco et al., ICPR 2000.)
    """
    spread = float(cv2.meanStdDev(luma)[1][0, 0])
    if spread < 1.0:
        return 0.0
    edges = cv2.Laplacian(luma, cv2.CV_32F)
    return float(cv2.meanStdDev(edges)[1][0, 0]) / spread


def _inside(faces: Faces) -> Float32Array:
    """Return the share of each box, 0..1, that lies in the photo."""
    kept = np.maximum(clip(faces.boxes, faces.image_size), -0.5)
    area = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)
    share: Float32Array = np.prod(kept[:, 2:] - kept[:, :2], axis=1) / area
    return share


def _eyes(landmarks: Landmarks) -> AnyArray:
    """Return (n, 2, 2): centers of the subject's right and left eye, px."""
    groups = landmarks.scheme.groups
    parts = [landmarks.points[:, list(groups[name])] for name in ("right_eye", "left_eye")]
    return np.stack([part.mean(axis=1) for part in parts], axis=1)


def roll_deg(eyes: AnyArray) -> Float32Array:
    """Return the roll, degrees in -180..180, of eyes (n, 2, 2) ordered right, left.

    Positive leans to the subject's right shoulder, anticlockwise in the picture.
    """
    right, left = eyes[:, 0], eyes[:, 1]
    radians = np.arctan2(right[:, 1] - left[:, 1], left[:, 0] - right[:, 0])
    return np.asarray(np.degrees(radians), np.float32)


def yaw_offset(landmarks: Landmarks) -> Float32Array:
    """Return how far the nose lies beside the middle of the eyes, over their distance.

    Along the line of the eyes, so roll does not matter. 0 when frontal; positive when the subject
    looks to the own left (nose moves right in the picture). It is tan(yaw) times
    how far the nose stands out before the eyes over the eyes' distance, which differs from face
    to face: an order of poses, no angle.
    """
    eyes, scheme = _eyes(landmarks), landmarks.scheme
    groups = scheme.groups
    own = groups["nose_tip"] if "nose_tip" in groups else groups["nose_base"]
    tip = own if scheme.to_five is None else scheme.to_five[2]
    nose = landmarks.points[:, list(tip)].mean(axis=1)
    across = eyes[:, 1] - eyes[:, 0]
    length = np.maximum((across * across).sum(axis=1), 1e-6)  # eyes that fall together: no offset
    offset: Float32Array = ((nose - eyes.mean(axis=1)) * across).sum(axis=1) / length
    return offset
