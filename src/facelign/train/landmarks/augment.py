"""Other views of an annotated face: moved, turned, mirrored, worse light, worse files.

A view is one affine map and one warp, so that nothing is sampled twice; the points go through the
same map. A mirrored face has its points numbered anew, since the right eye of a mirrored face is a
left one: without it a network is told that both eyes are either (``swap``, which article A2
does not mention; ``flip_vertical`` is its own). A sample's view depends on its generator only.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from PIL import Image as Pillow

from facelign.errors import ConfigError
from facelign.geometry.transforms import apply, compose
from facelign.imaging.warp import warp
from facelign.train.config import PATH
from facelign.types.arrays import BoolArray, ByteArray, Float64Array
from facelign.types.options import Option, OptionSet

#: a shift of the color of the light, and the contrast, at most, as shares
_TINT, _CONTRAST = 0.12, 0.35
#: shares of the side that a blind patch covers
_PATCH = (0.1, 0.35)


def _chance(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} {value:g} is no chance.", "Give one from 0 to 1.")


def _amount(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0 <= value <= 180):
        raise ConfigError(f"{name} {value:g} is no amount.", "Give 0 or more.")


@dataclass(frozen=True, slots=True)
class Augmentation(OptionSet):
    """How much a face is changed each time that it is shown."""

    flip: Annotated[float, Option("Chance of a mirrored face.", check=_chance)] = 0.5
    swap: Annotated[bool, Option("Number the points of a flipped face anew.")] = True
    flip_vertical: Annotated[float, Option("Chance of an upside-down one.", check=_chance)] = 0.0
    rotate: Annotated[float, Option("Largest turn, degrees.", check=_amount)] = 25.0
    scale: Annotated[float, Option("Largest change of size, as a share.", check=_chance)] = 0.15
    shift: Annotated[float, Option("Largest move, share of the side.", check=_chance)] = 0.06
    blur: Annotated[float, Option("Chance of blur.", check=_chance)] = 0.15
    light: Annotated[float, Option("Chance of other light and color.", check=_chance)] = 0.6
    gray: Annotated[float, Option("Chance of no color.", check=_chance)] = 0.1
    jpeg: Annotated[float, Option("Chance of a worse file.", check=_chance)] = 0.1
    occlude: Annotated[float, Option("Chance of a blind patch.", check=_chance)] = 0.2
    background: Annotated[
        float,
        Option("Chance of another background, where there are such.", check=_chance),
    ] = 0.5
    backgrounds: Annotated[
        str,
        Option(
            "Folder of any pictures that stand behind faces; empty for the photo's own.",
            metavar=PATH,
        ),
    ] = ""


NONE = Augmentation(flip=0, rotate=0, scale=0, shift=0, blur=0, light=0, gray=0, jpeg=0, occlude=0)


def view(
    pixels: ByteArray,
    points: Float64Array,
    mask: BoolArray,
    onto_crop: Float64Array,
    side: int,
    mirror: tuple[int, ...],
    options: Augmentation,
    rng: np.random.Generator,
    behind: Callable[[ByteArray, Float64Array, BoolArray], ByteArray] | None = None,
) -> tuple[ByteArray, Float64Array, BoolArray]:
    """Return the crop (side, side, 3) uint8, its points (k, 2) px of the crop, and their mask (k,).

    pixels: (h, w, 3) uint8. points: (k, 2) px of ``pixels``. mask: which of them are known.
    onto_crop: (2, 3), pixel of ``pixels`` -> pixel of the crop. mirror: of the scheme. behind: puts
    a crop, by its points and mask, before another background.
    """
    moves, mirrored = _moves(side, options, rng)
    matrix = compose(moves, onto_crop)
    picture = warp(pixels, matrix, (side, side))
    moved, seen = apply(matrix, points), mask
    if mirrored and options.swap:
        order = list(mirror)
        moved, seen = moved[order], seen[order]
    if behind is not None:
        picture = behind(picture, moved, seen)
    return _worse(picture, options, rng), moved, seen


def _moves(side: int, options: Augmentation, rng: np.random.Generator) -> tuple[Float64Array, bool]:
    """Return the map of the crop onto itself, and whether points change sides in it.

    Every number is drawn whatever the options are, so that two runs with other options see the
    same faces turned alike.
    """
    drawn = rng.uniform(-1, 1, 4)
    across, down = rng.random(2) < (options.flip, options.flip_vertical)
    turn = math.radians(options.rotate) * drawn[0]
    size = math.exp(math.log1p(options.scale) * drawn[1])
    cos, sin = size * math.cos(turn), size * math.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag(
        [-1.0 if across else 1.0, -1.0 if down else 1.0]
    )
    middle = np.full(2, (side - 1) / 2)
    shift = middle - linear @ middle + options.shift * side * drawn[2:]
    # both flips together are a turn by 180 degrees: no point changes sides
    return np.concatenate([linear, shift[:, None]], axis=1), bool(across != down)


def _worse(picture: ByteArray, options: Augmentation, rng: np.random.Generator) -> ByteArray:
    """Return the picture in other light, blurred, without color, behind something, recompressed."""
    light, gray, blur, occlude, jpeg = rng.random(5) < (
        *(options.light, options.gray, options.blur),
        *(options.occlude, options.jpeg),
    )
    if light:
        contrast = 1 + _CONTRAST * rng.uniform(-1, 1)
        tint = 1 + _TINT * rng.uniform(-1, 1, 3)
        curve = (np.linspace(0, 1, 256)) ** math.exp(0.5 * rng.uniform(-1, 1)) * 255
        table = np.clip((curve[:, None] - 110) * contrast * tint + 110, 0, 255)
        channels = np.arange(3)
        picture = table.astype(np.uint8)[picture, channels]
    if gray:
        picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if blur:
        spread = rng.uniform(0.005, 0.016) * len(picture)
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), spread), np.uint8)
    if occlude:
        picture = _blind(picture, rng)
    if jpeg:
        picture = _recompressed(picture, int(rng.integers(15, 70)))
    return picture


def _blind(picture: ByteArray, rng: np.random.Generator) -> ByteArray:
    """Return the picture with a rectangle of one color, or of noise, over a part of it."""
    side = len(picture)
    wide, tall = (int(part * side) for part in rng.uniform(*_PATCH, 2))
    x, y = (int(part) for part in rng.uniform(-0.1, 0.9, 2) * side)
    color = rng.integers(0, 256, 3)
    noise = rng.integers(0, 256, (tall, wide, 3)) if rng.random() < 0.5 else None
    covered = picture.copy()
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + wide, side), min(y + tall, side)
    if right > left and bottom > top:
        patch = color if noise is None else noise[: bottom - top, : right - left]
        covered[top:bottom, left:right] = patch
    return covered


def _recompressed(picture: ByteArray, quality: int) -> ByteArray:
    held = io.BytesIO()
    Pillow.fromarray(picture).save(held, "JPEG", quality=quality)
    with Pillow.open(held) as opened:
        return np.asarray(opened.convert("RGB"), np.uint8)
