"""Light made even before faces are looked for: luma equalization, gamma, CLAHE.

Off by default. No step moves a pixel, so boxes and points stay valid. What was done changes
vectors, so ``Preprocessing.id`` is part of the id of their space.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from facelign.errors import ConfigError
from facelign.types.arrays import ByteArray
from facelign.types.image import Image

#: CLAHE as in OpenCV: clip limit 2 in tiles of 8 x 8 a picture (Zuiderveld 1994, Graphics Gems IV)
CLIP, TILES = 2.0, 8


@dataclass(frozen=True, slots=True)
class PhotometricStep:
    """One step: its name and its number, None where the step takes none."""

    name: str
    value: float | None = None

    @property
    def id(self) -> str:
        """The step as text, which ``parse`` reads back."""
        return self.name if self.value is None else f"{self.name}={self.value:g}"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Steps in the order in which they are applied.

    Example:
        >>> parse("gamma=1.50, clahe").id
        'gamma=1.5+clahe=2'
    """

    steps: tuple[PhotometricStep, ...] = ()

    @property
    def id(self) -> str:
        """The canonical text: "" when nothing is done; it is part of a space's id."""
        return "+".join(step.id for step in self.steps)

    @property
    def contour(self) -> int:
        """How many points make the contour outside of which chips are blanked (68, 468), or 0."""
        return next((int(s.value or 0) for s in self.steps if s.name == CONTOUR), 0)

    def apply(self, image: Image) -> Image:
        """Return the photo with the steps applied (itself when there are none).

        The contour is not cut here: chips are, once the points of their faces are known.
        """
        if all(step.name == CONTOUR for step in self.steps):
            return image
        pixels = image.pixels
        for step in self.steps:
            pixels = _STEPS[step.name].apply(pixels, step.value)
        again = image.reload
        return replace(
            image, pixels=pixels, reload=None if again is None else lambda: self.apply(again())
        )


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a step is applied, and the numbers that it takes (default None: it takes none)."""

    apply: Callable[[ByteArray, float | None], ByteArray]
    default: float | None = None
    low: float = 0.0
    high: float = 0.0
    #: the number with which the step changes nothing
    neutral: float | None = None


def equalized(pixels: ByteArray) -> ByteArray:
    """Return (h, w, 3) uint8 RGB with its luma (Y of YCrCb, ITU-R BT.601) spread evenly."""
    return _on_luma(pixels, cv2.equalizeHist)


def with_gamma(pixels: ByteArray, gamma: float) -> ByteArray:
    """Return v -> 255 (v / 255)^(1 / gamma) of every value: gamma over 1 lightens."""
    table = np.round(255 * (np.arange(256) / 255) ** (1 / gamma)).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table), np.uint8)


def with_clahe(pixels: ByteArray, clip: float = CLIP) -> ByteArray:
    """Return the picture with its luma equalized tile by tile, contrast limited to ``clip``."""
    return _on_luma(pixels, cv2.createCLAHE(clip, (TILES, TILES)).apply)


def _on_luma(pixels: ByteArray, change: Callable[..., object]) -> ByteArray:
    parts = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    parts[:, :, 0] = np.asarray(change(np.ascontiguousarray(parts[:, :, 0])), np.uint8)
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB), np.uint8)


#: the step that blanks what is outside of a face (``align.contour``)
CONTOUR = "contour"

_STEPS: Mapping[str, _Kind] = {
    CONTOUR: _Kind(lambda pixels, _: pixels, 468.0, 68.0, 468.0),
    "luma-equalize": _Kind(lambda pixels, _: equalized(pixels)),
    "gamma": _Kind(lambda pixels, g: with_gamma(pixels, g or 1.0), 1.0, 0.1, 10.0, 1.0),
    "clahe": _Kind(lambda pixels, c: with_clahe(pixels, c or CLIP), CLIP, 0.1, 100.0),
}
_HINT = (
    "Write for example 'gamma=1.5,clahe'; the steps are luma-equalize, gamma=G, clahe[=CLIP], "
    "contour=68 or 468."
)


def parse(text: str) -> Preprocessing:
    """Return the steps that a text names, separated by commas (or by + as in ids).

    ``luma-equalize``; ``gamma=G``, 0.1..10, over 1 lightens, 1 changes nothing and is left out;
    ``clahe`` or ``clahe=CLIP``; ``contour=68`` or ``=468``. Raises ConfigError.
    """
    steps = [_step(word) for word in re.split(r"[,+]", text)] if text.strip() else []
    names = [step.name for step in steps]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ConfigError(f"Preprocessing: '{min(twice)}' is named twice.", _HINT)
    return Preprocessing(
        tuple(s for s in steps if s.value is None or s.value != _STEPS[s.name].neutral)
    )


def _step(word: str) -> PhotometricStep:
    name, equals, number = (part.strip() for part in word.lower().partition("="))
    kind = _STEPS.get(name)
    if kind is None:
        raise ConfigError(f"Preprocessing: there is no step '{word.strip()}'.", _HINT)
    if not equals:
        return PhotometricStep(name, kind.default)
    if kind.default is None:
        raise ConfigError(f"Preprocessing: '{name}' takes no number.", _HINT)
    try:
        value = float(number)
    except ValueError:
        raise ConfigError(f"Preprocessing: '{number}' is no number for '{name}'.", _HINT) from None
    if not math.isfinite(value) or not kind.low <= value <= kind.high:
        raise ConfigError(
            f"Preprocessing: {name} must lie between {kind.low:g} and {kind.high:g}, got {number}.",
            _HINT,
        )
    if name == CONTOUR and value not in (68, 468):
        raise ConfigError(f"Preprocessing: a contour has 68 or 468 points, got {number}.", _HINT)
    return PhotometricStep(name, float(f"{value:g}"))
