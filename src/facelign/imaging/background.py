"""A picture with another background: colors are mixed as light is, and edges stay soft."""

from __future__ import annotations

import cv2
import numpy as np

from facelign.imaging.resize import resized
from facelign.types.arrays import ByteArray, Float32Array

#: levels of light that are told apart when it becomes bytes again: the darkest bytes are 1/3295 of
#: full light apart
_LEVELS = 1 << 14
#: a background is blurred in a smaller picture where that shows no difference, px of its radius
_FINE_PX = 4.0


def _light() -> Float32Array:
    """Return the light of each byte (IEC 61966-2-1)."""
    v = np.arange(256) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _bytes() -> ByteArray:
    v = np.arange(_LEVELS) / (_LEVELS - 1)
    coded = np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)
    return np.round(255 * coded).astype(np.uint8)


_LIGHT, _BYTES = _light(), _bytes()


def replaced(pixels: ByteArray, mask: Float32Array, background: ByteArray) -> ByteArray:
    """Return the people of a picture before another one, (h, w, 3) uint8 RGB.

    pixels: (h, w, 3) uint8 RGB. mask: (h, w) in [0, 1], how much of each pixel is a person.
    background: (., ., 3) uint8; it is cut and resized to cover the picture.
    """
    return _mixed(_LIGHT[pixels], mask, _LIGHT[covering(background, pixels.shape[1::-1])])


def colored(pixels: ByteArray, mask: Float32Array, color: tuple[int, int, int]) -> ByteArray:
    """Return the people of a picture before one color, RGB."""
    return _mixed(_LIGHT[pixels], mask, _LIGHT[np.array(color, np.uint8)])


def blurred(pixels: ByteArray, mask: Float32Array, radius_px: float) -> ByteArray:
    """Return the people of a picture before a background out of focus.

    radius_px: standard deviation of the blur. What is behind is blurred without the people, whose
    colors would shine around them else.
    """
    light = _LIGHT[pixels]
    tall, wide = mask.shape
    step = max(1, int(radius_px / _FINE_PX))
    size = (max(1, wide // step), max(1, tall // step))
    behind = (1 - mask)[..., None]
    parts = cv2.resize(np.concatenate([light * behind, behind], axis=2), size, interpolation=3)
    scale = size[0] / wide
    parts = cv2.GaussianBlur(parts, (0, 0), max(radius_px * scale, 1e-3))
    parts = cv2.resize(parts, (wide, tall), interpolation=cv2.INTER_LINEAR)
    shown = np.asarray(parts[..., :3] / np.maximum(parts[..., 3:], 1e-3), np.float32)
    return _mixed(light, mask, shown)


def covering(picture: ByteArray, size: tuple[int, int]) -> ByteArray:
    """Return the middle of a picture, cut and resized to ``size`` (width, height)."""
    wide, tall = size
    scale = max(wide / picture.shape[1], tall / picture.shape[0])
    cut_wide, cut_tall = min(picture.shape[1], wide / scale), min(picture.shape[0], tall / scale)
    x, y = int((picture.shape[1] - cut_wide) / 2), int((picture.shape[0] - cut_tall) / 2)
    cut = picture[y : y + max(1, round(cut_tall)), x : x + max(1, round(cut_wide))]
    return resized(np.ascontiguousarray(cut), size, enlarge=cv2.INTER_CUBIC)


def _mixed(light: Float32Array, mask: Float32Array, behind: Float32Array) -> ByteArray:
    mixed = behind + mask[..., None] * (light - behind)
    levels = np.clip(mixed * (_LEVELS - 1) + 0.5, 0, _LEVELS - 1).astype(np.uint16)
    return np.asarray(_BYTES[levels])


class SteadyMask:
    """Masks of a film without flicker: what is unsure follows what it was, what is sure is taken.

    As MediaPipe smooths its own (mediapipe/calculators/image/segmentation_smoothing_calculator.cc):
    the share of the mask before is the doubt of the new one, which is largest at one half. keep:
    the largest such share.
    """

    def __init__(self, keep: float = 0.7) -> None:
        self._keep = keep
        self._before: Float32Array | None = None

    def next(self, mask: Float32Array) -> Float32Array:
        """Return the mask of the next frame, (h, w); one of another size begins anew."""
        before = self._before
        if before is None or before.shape != mask.shape:
            self._before = mask
            return mask
        doubt = 1 - (2 * mask - 1) ** 2
        self._before = mask + self._keep * doubt * (before - mask)
        return self._before

    def reset(self) -> None:
        """Forget what was before, as at the cut of a film."""
        self._before = None
