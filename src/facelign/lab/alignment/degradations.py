"""What is done to photos to stand in for people who do not cooperate (A0-15).

All of it is synthetic and says so: a photo from afar, out of focus, in poor light, behind dark
glasses, a head that leans to the side. Each change is relative to the face (a reference face,
found in the untouched photo), so that it means the same in a portrait and in a street scene, and
keeps the size of the photo, so that every arm of a study gets the same pixels. Nothing is drawn
by chance that a second run would draw otherwise: a photo's own digest is the seed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from facelign.errors import ConfigError
from facelign.imaging.resize import resized, scaled
from facelign.types.arrays import ByteArray, Float64Array
from facelign.types.image import Image

#: raised when any of these changes looks different: cached vectors are computed anew
VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The face of the untouched photo that changes are relative to.

    box: (4,) xyxy px. eyes: (2, 2) centers of the subject's right and left eye, px.
    """

    box: Float64Array
    eyes: Float64Array

    @property
    def height(self) -> float:
        """Height of the box, px."""
        return float(self.box[3] - self.box[1])

    @property
    def center(self) -> tuple[float, float]:
        """Center of the box, px."""
        x, y = (self.box[:2] + self.box[2:]) / 2
        return float(x), float(y)


@dataclass(frozen=True, slots=True)
class Degradation:
    """One named change with one number. ``id`` is canonical and part of every cached chain."""

    name: str
    amount: float

    @property
    def id(self) -> str:
        """Such as "blur=0.02"; "none" has no number."""
        return self.name if self.name == "none" else f"{self.name}={self.amount:g}"

    def apply(self, image: Image, face: Reference | None) -> Image:
        """Return the changed photo, of the same size; needs the full pixels.

        Where there is no reference face, changes are relative to a face of half the photo's
        height, and glasses cannot be drawn: the photo comes back as it is.
        """
        changed = _CHANGES[self.name][1](image, face, self.amount)
        return image if changed is image.pixels else _with(image, changed)

    @property
    def words(self) -> str:
        """What is done to a photo."""
        return _CHANGES[self.name][2].format(self.amount)


def parse(text: str) -> Degradation:
    """Return the degradation of "name" or "name=amount"; raises ConfigError.

    >>> parse("blur").id, parse("low-resolution=16").id
    ('blur=0.02', 'low-resolution=16')
    """
    name, _, number = text.strip().partition("=")
    if name not in _CHANGES:
        raise ConfigError(
            f"There is no degradation '{name}'.", f"There are: {', '.join(_CHANGES)}."
        )
    try:
        amount = float(number) if number else _CHANGES[name][0]
    except ValueError as error:
        raise ConfigError(f"'{text}': the amount is no number.", f"Such as {name}=1.") from error
    if not (math.isfinite(amount) and (name == "none" or amount > 0)):
        raise ConfigError(f"'{text}': the amount must be above 0.")
    if amount > _MOST.get(name, math.inf):
        raise ConfigError(
            f"'{text}': the amount is too large.", f"Give one above 0 and up to {_MOST[name]:g}."
        )
    return Degradation(name, amount)


def lean(image: Image, face: Reference | None, degrees: float) -> Image:
    """Return the photo turned in its plane about the face (or its center), size kept.

    Half of all photos are turned to each side, by a bit of their digest, so that two photos of a
    pair lean alike or apart. What comes into view at the edges repeats the edge's pixels.
    """
    if degrees == 0:
        return image
    height, width = image.pixels.shape[:2]
    matrix = lean_matrix(image, face, degrees)
    turned = cv2.warpAffine(image.pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return _with(image, np.asarray(turned, np.uint8))


def lean_matrix(image: Image, face: Reference | None, degrees: float) -> Float64Array:
    """Return the map (2, 3) of ``lean``, photo px -> turned photo px."""
    width, height = image.size
    x, y = face.center if face else ((width - 1) / 2, (height - 1) / 2)
    turn = math.radians(degrees if _seed(image) & 1 else -degrees)
    cos, sin = math.cos(turn), math.sin(turn)
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]])


def _seed(image: Image) -> int:
    digest = image.digest or hashlib.sha256(image.pixels.tobytes()).hexdigest()
    return int(digest[:8], 16)


def _with(image: Image, pixels: ByteArray) -> Image:
    return Image(pixels, image.size, 1.0, image.source, image.digest, image.orientation)


def _height(image: Image, face: Reference | None) -> float:
    return face.height if face else image.size[1] / 2


def _none(image: Image, _face: Reference | None, _amount: float) -> ByteArray:
    return image.pixels


def _low_resolution(image: Image, face: Reference | None, amount: float) -> ByteArray:
    factor = amount / _height(image, face)
    if factor >= 1:
        return image.pixels
    height, width = image.pixels.shape[:2]
    small = resized(image.pixels, scaled((width, height), factor))
    return resized(small, (width, height), enlarge=cv2.INTER_CUBIC)


def _blur(image: Image, face: Reference | None, amount: float) -> ByteArray:
    sigma = amount * _height(image, face)
    blurred = cv2.GaussianBlur(image.pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def _dark(image: Image, _face: Reference | None, amount: float) -> ByteArray:
    """Scale the light, add the noise of a sensor that has little of it."""
    draws = np.random.default_rng(_seed(image))
    light = image.pixels.astype(np.float32) * np.float32(amount)
    noisy = light + draws.normal(0, _NOISE, light.shape).astype(np.float32)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def _glasses(image: Image, face: Reference | None, amount: float) -> ByteArray:
    """Draw dark lenses over both eyes, a bridge between and an arm on each side."""
    if face is None:
        return image.pixels
    right, left = face.eyes
    across = left - right
    gap = float(np.hypot(*across))
    if gap < 2:
        return image.pixels
    along, down = across / gap, np.array([-across[1], across[0]]) / gap
    wide, tall = _LENS[0] * gap, _LENS[1] * gap
    angle = math.degrees(math.atan2(across[1], across[0]))
    mask = np.zeros(image.pixels.shape[:2], np.uint8)
    line = max(1, round(0.06 * gap))
    for eye, side in ((right, -1.0), (left, 1.0)):
        middle = eye + 0.06 * gap * down
        lens = middle.tolist(), (2 * wide, 2 * tall), angle
        cv2.ellipse(mask, lens, 255, -1, cv2.LINE_AA)
        inner, outer = middle - side * wide * along, middle + side * wide * along
        bridge = (right + left) / 2 + 0.02 * gap * down
        arm = outer + side * 0.45 * gap * along
        cv2.line(mask, _point(inner), _point(bridge), 255, line, cv2.LINE_AA)
        cv2.line(mask, _point(outer), _point(arm), 255, line)
    share = (mask.astype(np.float32) / 255 * np.float32(amount))[..., None]
    tint = np.array(_TINT, np.float32)
    covered = image.pixels.astype(np.float32) * (1 - share) + tint * share
    return np.asarray(np.rint(covered), np.uint8)


def _point(point: Float64Array) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


#: standard deviation of the noise of ``dark``, of 255
_NOISE = 3.0
#: half axes of a lens as shares of the distance between the eyes' centers, and its color
_LENS = (0.40, 0.31)
_TINT = (18, 18, 20)

#: the largest amount that makes sense: shares of light, of the face's height, of opacity; px
_MOST: Mapping[str, float] = {"low-resolution": 1000.0, "blur": 1.0, "dark": 1.0, "glasses": 1.0}

_Change = Callable[[Image, Reference | None, float], ByteArray]
#: amount when none is given, the change, and what it is in words
_CHANGES: Mapping[str, tuple[float, _Change, str]] = {
    "none": (0.0, _none, "as they are"),
    "low-resolution": (
        24.0,
        _low_resolution,
        "the photo is reduced until the face is {:g} px high, then enlarged again",
    ),
    "blur": (0.02, _blur, "the photo is blurred by a Gaussian of {:g} times the face's height"),
    "dark": (
        0.12,
        _dark,
        "the photo is darkened to {:g} of its light, with the noise of a sensor (3 of 255)",
    ),
    "glasses": (0.97, _glasses, "dark glasses are drawn over the eyes ({:g} opaque; synthetic)"),
}
