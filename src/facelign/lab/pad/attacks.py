"""Attacks that are made by arithmetic from a photo: a print, a screen, a cut-out mask.

They test machinery: that a folder of presentations is read, judged, counted and told. They say
nothing about real attacks: no camera, paper or display was in between, and a model that tells them
(or does not) says nothing of what it does before a door. What is imitated follows the traces that
the literature names: fewer colors, halftone and paper of prints; grid, moire, blue cast and glare
of screens; edges and holes of masks; the shaking of hands (Zhang et al.: CelebA-Spoof, ECCV 2020;
Patel, Han and Jain: Secure Face Unlock, IEEE TIFS 2016).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from facelign.errors import BadArray
from facelign.types.arrays import AnyArray, ByteArray, Float64Array
from facelign.types.faces import Box

#: how much around a face is printed or shown, in sides of its box, and the pixels of the instrument
#: for one of the photo
_AROUND, _FINE = 1.9, 2
#: border of paper and bezel of a telephone, as a share of the instrument's width
_PAPER, _BEZEL = 0.06, 0.05


class Species(StrEnum):
    """Presentation attack instrument species (ISO/IEC 30107-3), as far as they are imitated."""

    PRINT = "print"
    SCREEN = "screen"
    CUT_OUT = "cut-out"


@dataclass(frozen=True, slots=True)
class _Pose:
    """How an instrument is held: shift in shares of its width, turn in degrees, tilt in shares."""

    right: float = 0.0
    down: float = 0.0
    turn: float = 0.0
    size: float = 1.0
    tilt: float = 0.0


def attack(pixels: ByteArray, box: Box, species: Species, seed: int = 0) -> ByteArray:
    """Return a photo of an instrument that is held where the face was: (h, w, 3) uint8 RGB.

    pixels: (h, w, 3) uint8 RGB. box: of the face that is copied. The same seed gives the same
    pixels. Raises BadArray for a box that has no pixels.
    """
    return next(clip(pixels, box, species, seed, frames=1))


def clip(
    pixels: ByteArray, box: Box, species: Species, seed: int = 0, *, frames: int = 12
) -> Iterator[ByteArray]:
    """Yield frames of a hand that holds an instrument before a camera, as ``attack`` shows it."""
    generator = np.random.default_rng([seed, list(Species).index(species)])
    place, cut = _cut(pixels, box)
    made, solid = _MAKERS[species](cut, generator)
    behind = _room(pixels, generator) if species is not Species.CUT_OUT else _blurred(pixels)
    noise = float(generator.uniform(0.006, 0.014))
    hand, grain = generator.spawn(2)  # a longer clip begins as a shorter one
    for pose in _hand(hand, frames):
        seen = _held(made, solid, behind, place, pose, pixels.shape[1::-1])
        seen = cv2.GaussianBlur(seen, (0, 0), 0.6) + grain.normal(0, noise, seen.shape)
        yield np.asarray((seen.clip(0, 1) * 255).round(), np.uint8)


# -- what is held ----------------------------------------------------------------------------------


def _cut(pixels: ByteArray, box: Box) -> tuple[Float64Array, Float64Array]:
    """Return the corners (4, 2) of what is copied, in the photo, and its pixels, finer, 0 to 1."""
    tall, wide = pixels.shape[:2]
    x, y = box.center
    reach = _AROUND * max(box.width, box.height) / 2
    left, right = (int(np.clip(round(v), 0, wide)) for v in (x - reach, x + reach))
    top, bottom = (int(np.clip(round(v), 0, tall)) for v in (y - reach, y + reach))
    if right - left < 8 or bottom - top < 8:
        raise BadArray(f"box {box.text}: wanted a face inside of the photo.")
    cut = pixels[top:bottom, left:right].astype(np.float64) / 255
    size = (_FINE * (right - left), _FINE * (bottom - top))
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    return corners, np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_CUBIC)).clip(0, 1)


def _printed(cut: Float64Array, generator: np.random.Generator) -> Float64Array:
    """Return what a printer makes of a picture: fewer colors, dots of ink, the grain of paper."""
    gray = cut.mean(axis=2, keepdims=True)
    inked = 0.16 + 0.74 * (gray + 0.72 * (cut - gray))  # ink is never black, paper never white
    inked *= np.array([1.0, 0.985, 0.95])
    tall, wide = cut.shape[:2]
    down, right = np.mgrid[:tall, :wide].astype(np.float64)
    for channel, degrees in enumerate((15.0, 75.0, 45.0)):  # the angles of printers' screens
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        dots = np.cos((right * c + down * s) * 1.9) * np.cos((down * c - right * s) * 1.9)
        inked[..., channel] += 0.07 * dots * (1 - inked[..., channel])
    grain = cv2.GaussianBlur(generator.normal(0, 1, (tall, wide)), (0, 0), 1.2)
    return np.asarray(inked + 0.03 * grain[..., None])


def _framed(cut: Float64Array, share: float, color: tuple[float, float, float]) -> Float64Array:
    edge = max(2, round(share * cut.shape[1]))
    return np.asarray(
        cv2.copyMakeBorder(cut, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=color)
    )


def _print(cut: Float64Array, generator: np.random.Generator) -> tuple[Float64Array, Float64Array]:
    """Return a print with its border, curled, under a lamp, and where it is (1) or not (0)."""
    sheet = _framed(_printed(cut, generator), _PAPER, (0.9, 0.89, 0.86))
    tall, wide = sheet.shape[:2]
    across = np.linspace(0, 1, wide)
    bend = np.sin(np.pi * (across + generator.uniform(-0.2, 0.2)))
    rise = generator.uniform(0.01, 0.03) * tall * bend
    right, down = np.meshgrid(np.arange(wide), np.arange(tall))
    source = (right.astype(np.float32), (down + rise[None]).astype(np.float32))
    solid = cv2.remap(np.ones((tall, wide)), *source, cv2.INTER_LINEAR, borderValue=0)
    bent = np.asarray(cv2.remap(sheet, *source, cv2.INTER_LINEAR), np.float64)
    bent = bent * (0.9 + 0.14 * bend)[None, :, None]
    return _lit(bent, generator, 0.35, 0.16), np.asarray(solid, np.float64)


def _screen(cut: Float64Array, generator: np.random.Generator) -> tuple[Float64Array, Float64Array]:
    """Return a telephone that shows a picture: stripes of its pixels, moire, blue, a bezel."""
    tall, wide = cut.shape[:2]
    shown = (0.03 + 0.97 * cut) ** 0.85 * np.array([0.92, 1.0, 1.12])
    for channel in range(3):  # a pixel is three stripes and a dark line below
        shown[:, :, channel] *= 0.86 + 0.14 * ((np.arange(wide) % 3) == channel)
    shown[3::4] *= 0.9
    down, right = np.mgrid[:tall, :wide] / wide
    waves = generator.uniform(18, 34, 2)
    turn = generator.uniform(0.2, 1.2)
    along = right * np.cos(turn) + down * np.sin(turn)
    for channel, shift in enumerate((0.0, 0.8, 1.6)):  # beats of two grids, in color
        beat = np.cos(2 * np.pi * waves[0] * along + shift)
        beat = beat + np.cos(2 * np.pi * waves[1] * (right - down) * 0.5 + 2 * shift)
        shown[..., channel] *= 1 + 0.045 * beat
    framed = _framed(shown, _BEZEL, (0.02, 0.02, 0.025))
    # a window is mirrored in the glass
    height, width = framed.shape[:2]
    x, y = generator.uniform(0.1, 0.7) * width, generator.uniform(0.05, 0.3) * height
    pane = np.array([[x, y], [x + 0.2 * width, y + 4], [x + 0.16 * width, y + 0.3 * height],
                     [x - 0.05 * width, y + 0.27 * height]], np.int32)  # fmt: skip
    glare = cv2.GaussianBlur(cv2.fillConvexPoly(np.zeros((height, width)), pane, 1.0), (0, 0), 4)
    return framed + 0.22 * np.asarray(glare)[..., None], np.ones((height, width))


def _cut_out(
    cut: Float64Array, generator: np.random.Generator
) -> tuple[Float64Array, Float64Array]:
    """Return a print that is cut along the face, with holes where the eyes are."""
    sheet = _printed(cut, generator)
    tall, wide = sheet.shape[:2]
    solid = np.zeros((tall, wide))
    side = min(tall, wide) / _AROUND
    middle = (round(wide / 2), round(tall / 2))
    oval = (round(0.5 * side), round(0.62 * side))
    # scissors cut straight pieces
    corners = np.array(cv2.ellipse2Poly(middle, oval, 0, 0, 360, 9), np.float64)
    jagged = corners + generator.normal(0, 0.008 * side, corners.shape)
    cv2.fillPoly(solid, [jagged.round().astype(np.int32)], 1.0)
    for way in (-1, 1):
        eye = (round(middle[0] + way * 0.2 * side), round(middle[1] - 0.11 * side))
        cv2.ellipse(solid, eye, (round(0.1 * side), round(0.05 * side)), 0, 0, 360, 0.0, -1)
    rim = cv2.GaussianBlur(solid, (0, 0), 3)
    sheet = sheet * (0.75 + 0.25 * rim)[..., None] + 0.2 * ((rim > 0.45) & (rim < 0.62))[..., None]
    return _lit(np.asarray(sheet), generator, 0.2, 0.2), solid


def _lit(
    sheet: Float64Array, generator: np.random.Generator, strength: float, width: float
) -> Float64Array:
    """Return a glossy sheet with the reflection of a lamp."""
    tall, wide = sheet.shape[:2]
    down, right = np.mgrid[:tall, :wide]
    x, y = generator.uniform(0.2, 0.8) * wide, generator.uniform(0.1, 0.5) * tall
    away = ((right - x) ** 2 + 0.4 * (down - y) ** 2) / (width * wide) ** 2
    return np.asarray(sheet + strength * np.exp(-away)[..., None])


_MAKERS = {Species.PRINT: _print, Species.SCREEN: _screen, Species.CUT_OUT: _cut_out}

# -- who holds it, and where -----------------------------------------------------------------------


def _room(pixels: ByteArray, generator: np.random.Generator) -> Float64Array:
    """Return a wall that a lamp lights from one side."""
    tall, wide = pixels.shape[:2]
    wall = generator.uniform(0.45, 0.7, 3)
    light = np.linspace(1.1, 0.7, wide)[None] * np.linspace(1.05, 0.85, tall)[:, None]
    return np.asarray(light[..., None] * wall)


def _blurred(pixels: ByteArray) -> Float64Array:
    """Return who wears a mask: somebody in the place of the person, darker and out of focus."""
    scene = cv2.GaussianBlur(pixels.astype(np.float64) / 255, (0, 0), 5)
    return np.asarray(0.7 * scene)


def _hand(generator: np.random.Generator, frames: int) -> Iterator[_Pose]:
    """Yield how an instrument is held: at rest a little askew, and shaking slowly."""
    rest = generator.normal(0, (0.01, 0.01, 3.0, 0.02, 0.03))
    shake = generator.normal(0, 1, (frames + 8, 5))
    smooth = np.stack([np.convolve(s, np.ones(5) / 5, "valid") for s in shake.T], axis=1)
    for moved in smooth[:frames] * (0.012, 0.012, 1.2, 0.012, 0.008):
        right, down, turn, size, tilt = rest + moved
        yield _Pose(right, down, turn, 1 + size, tilt)


def _held(
    made: Float64Array,
    solid: Float64Array,
    behind: Float64Array,
    place: Float64Array,
    pose: _Pose,
    size: tuple[int, int],
) -> AnyArray:
    """Return the scene with the instrument where ``place`` (4, 2) says, moved by the pose."""
    tall, wide = made.shape[:2]
    corners = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float64)
    middle, width = place.mean(axis=0), float(np.ptp(place[:, 0]))
    # a frame makes the instrument larger, not the face smaller
    grown = np.array([wide, tall]) / (np.ptp(place, axis=0) * _FINE)
    turn = np.radians(pose.turn)
    round_ = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    where = ((place - middle) * grown * pose.size) @ round_.T
    where[[1, 2], 1] *= 1 + pose.tilt  # one side is nearer
    where += middle + np.array([pose.right, pose.down]) * width
    to_photo = cv2.getPerspectiveTransform(corners.astype(np.float32), where.astype(np.float32))
    seen = cv2.warpPerspective(made, to_photo, size, flags=cv2.INTER_LINEAR)
    alpha = cv2.warpPerspective(solid, to_photo, size, flags=cv2.INTER_LINEAR)[..., None]
    shadow = cv2.GaussianBlur(np.roll(alpha[..., 0], (6, 5), (0, 1)), (0, 0), 6)[..., None]
    return seen * alpha + behind * (1 - alpha) * (1 - 0.35 * shadow)
