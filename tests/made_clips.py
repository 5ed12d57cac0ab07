"""Films of people who walk, made from portraits, with the truth of who is where in each frame.

A head is cut out of a photo of LFW (250 x 250, the face in the middle) along a soft edge, and drawn
into a scene at a place, size, turn and light of its own, with motion blur, noise of the sensor and
the losses of JPEG. A scene and a seed give the same film each time::

    clip = made("cross", seed=3)
    for frame, seen in zip(clip.frames, clip.truth):
        ...  # seen: [("Tony_Blair", (x1, y1, x2, y2)), ...], nearest first

``SCENES`` lists what may happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from conftest import SHARED
from facelign.types.arrays import ByteArray, Float64Array
from facelign.types.contracts import Frame
from facelign.types.image import Image
from made_films import write_film

Seen = tuple[str, tuple[float, float, float, float]]

PHOTOS = SHARED / "data" / "recognition"
#: where YuNet sees the face of a photo of LFW (median of 150), and what is cut out around it:
#: center, half width and height, px
_FACE, _HEAD = (124.0, 128.0, 47.0, 62.0), (124.0, 122.0, 80.0, 100.0)
#: share of a face that may be hidden while it counts as seen
_HIDDEN = 0.5
#: an exposure lasts this long, s
_EXPOSURE_S = 0.012


@dataclass(frozen=True)
class Pose:
    """How a head is at a time. x, y: center of the face in heights of the picture. height: of the
    face, the same. roll, yaw: degrees. blur: of the lens, in heights of the face.
    """

    x: float
    y: float
    height: float
    roll: float = 0.0
    yaw: float = 0.0
    blur: float = 0.0


Way = Callable[[float], Pose | None]


@dataclass(frozen=True)
class Part:
    """One shot: who is in it and which way each goes. Times count from its start, s.

    back: which backdrop. pan: heights of the picture that the camera moves in a second. light: how
    much of it there is, 0 to 1.
    """

    ways: tuple[tuple[str, Way], ...]
    seconds: float
    back: int
    pan: float = 0.0
    light: Callable[[float], float] = lambda _: 1.0


@dataclass(frozen=True)
class Clip:
    """times_s, truth, cuts: when each frame is, who is seen in it (nearest first), which frames
    begin another shot. frames: drawn anew each time that they are gone through.
    """

    scene: str
    times_s: tuple[float, ...]
    truth: tuple[tuple[Seen, ...], ...]
    cuts: tuple[int, ...]
    size: tuple[int, int]
    photos: Mapping[str, Path]
    _draw: Callable[[int], ByteArray] = field(repr=False)

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who is seen, by name."""
        return tuple(sorted({person for seen in self.truth for person, _ in seen}))

    @property
    def frames(self) -> Iterator[Frame]:
        """The frames, one after another."""
        for number, time_s in enumerate(self.times_s):
            pixels = self._draw(number)
            yield Frame(Image.from_array(pixels, "rgb", f"{self.scene} {number}"), number, time_s)


def people_of(folder: str = "lfw_dev") -> dict[str, tuple[Path, ...]]:
    """Return the photos of each person of a folder beside the checkout, both in order."""
    people: dict[str, list[Path]] = {}
    for path in sorted((PHOTOS / folder / "images").rglob("*.jpg")):
        people.setdefault(path.parent.name, []).append(path)
    return {name: tuple(paths) for name, paths in people.items()}


def made(
    scene: str,
    seed: int,
    *,
    photos: Mapping[str, Path] | None = None,
    size: tuple[int, int] = (640, 360),
    fps: float = 25.0,
    variable: bool = False,
    quality: int = 75,
) -> Clip:
    """Return a film of one of ``SCENES``.

    photos: who plays, by name, in the order of the parts; at least ``SCENES[scene].cast`` people
    (else drawn by the seed from lfw_dev). size: width and height, px. variable: frames come at
    times of their own, some half a second late. quality: of the JPEG that each frame was.
    """
    rng = np.random.default_rng([seed, *scene.encode()])
    play = SCENES[scene]
    people = dict(photos) if photos is not None else _drawn(rng, play.cast)
    if len(people) < play.cast:
        raise ValueError(f"{scene} wants {play.cast} people, got {len(people)}")
    parts = play.made(list(people)[: play.cast], size[0] / size[1], rng)
    shots: list[tuple[Part, float]] = []
    times: list[float] = []
    cuts: list[int] = []
    start = 0.0
    for part in parts:
        own = _times(part.seconds, fps, variable, rng)
        cuts += [len(times)] if times else []
        times += [start + t for t in own]
        shots += [(part, t) for t in own]
        start += part.seconds
    draw = partial(_frame, shots, people, size, quality, seed)
    truth = tuple(_seen(part, t, size) for part, t in shots)
    return Clip(scene, tuple(times), truth, tuple(cuts), size, people, draw)


def written(clip: Clip, path: Path) -> Path:
    """Write a clip as a film at its own times, to the millisecond (needs PyAV)."""
    pictures = (frame.image.pixels for frame in clip.frames)
    return write_film(path, pictures, times_s=clip.times_s, coding={"crf": "20"})


def _drawn(rng: np.random.Generator, cast: int) -> dict[str, Path]:
    people = people_of()
    drawn = rng.choice(sorted(people), cast, replace=False)
    return {str(name): people[str(name)][0] for name in drawn}


def _times(seconds: float, fps: float, variable: bool, rng: np.random.Generator) -> list[float]:
    if not variable:
        return [k / fps for k in range(round(seconds * fps))]
    steps = rng.uniform(0.3, 1.7, round(seconds * fps * 2)) / fps
    late = rng.random(len(steps)) < 0.02
    times = np.cumsum(np.where(late, rng.uniform(0.2, 0.5, len(steps)), steps)) - steps[0]
    return [float(t) for t in times if t < seconds]


# -- what happens ----------------------------------------------------------------------------------


def _sway(rng: np.random.Generator, size: float, speed: float = 1.0) -> Callable[[float], float]:
    """Return a smooth unrest around 0: three waves."""
    rates, phases = rng.uniform(0.4, 2.2, 3) * speed, rng.uniform(0, 7, 3)
    return lambda t: size * float(np.sin(rates * t * np.pi + phases).sum()) / 3


def _walking(
    rng: np.random.Generator,
    aspect: float,
    *,
    height: float | None = None,
    left: bool | None = None,
    y: float | None = None,
    start_s: float = 0.0,
    across_s: float | None = None,
) -> Way:
    """Return the way of somebody who walks through the picture, steps and all."""
    tall = rng.uniform(0.12, 0.28) if height is None else height
    # heights of a face a second: people who stroll, or walk at a slant to the camera
    across = aspect / (tall * rng.uniform(1.2, 4.0)) if across_s is None else across_s
    lies = rng.uniform(0.3, 0.6) if y is None else y
    to_left = bool(rng.random() < 0.5) if left is None else left
    sway, roll, grows = _sway(rng, 0.15 * tall), _sway(rng, 5.0), _sway(rng, 0.04)
    phase = rng.uniform(0, 7)

    def way(t: float) -> Pose | None:
        share = (t - start_s) / across
        if not -0.15 < share < 1.15:
            return None
        along = 1 - share if to_left else share
        step = 0.06 * tall * np.sin(2 * np.pi * 1.9 * t + phase)
        h = tall * (1 + grows(t))
        return Pose(along * aspect + sway(t), lies + step, h, roll(t), 12 if to_left else -12)

    return way


def _sitting(rng: np.random.Generator, x: float, y: float, height: float) -> Way:
    """Return the way of somebody who stays and talks."""
    across, down = _sway(rng, 0.12 * height), _sway(rng, 0.06 * height)
    roll, yaw, grows = _sway(rng, 7.0), _sway(rng, 18.0), _sway(rng, 0.05)
    return lambda t: Pose(x + across(t), y + down(t), height * (1 + grows(t)), roll(t), yaw(t))


def _changed(way: Way, change: Callable[[Pose, float], Pose | None]) -> Way:
    def changed(t: float) -> Pose | None:
        pose = way(t)
        return None if pose is None else change(pose, t)

    return changed


def _hump(t: float, start: float, end: float) -> float:
    """Return 0 before and after, 1 in the middle, smooth."""
    share = np.clip((t - start) / (end - start), 0, 1)
    return float(np.sin(np.pi * share) ** 0.5) if 0 < share < 1 else 0.0


def _walk(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    return [Part(((cast[0], _walking(rng, aspect, across_s=5.0)),), 5.0, int(rng.integers(1000)))]


def _cross(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    near = _walking(rng, aspect, height=0.26, left=False, y=0.45, across_s=5.0)
    far = _walking(rng, aspect, height=0.19, left=True, y=0.43, across_s=rng.uniform(5, 6))
    return [Part(((cast[0], near), (cast[1], far)), 5.5, int(rng.integers(1000)))]


def _crowd(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    ways = tuple((who, _walking(rng, aspect, start_s=rng.uniform(-1, 5))) for who in cast)
    return [Part(ways, 8.0, int(rng.integers(1000)))]


def _return(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    out = _walking(rng, aspect, left=True, across_s=3.5, height=0.22)
    back = _walking(rng, aspect, left=False, start_s=7.0, across_s=3.5, height=0.24)
    ways = ((cast[0], lambda t: out(t) if t < 5 else back(t)),)
    return [Part(ways, 11.0, int(rng.integers(1000)))]


def _pause(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    walk = _walking(rng, aspect, across_s=4.0, height=0.22)
    stays = 2.0  # in the middle of the way, for three seconds

    def way(t: float) -> Pose | None:
        return walk(t if t < stays else max(stays, t - 3.0))

    passer = _walking(rng, aspect, start_s=2.5, across_s=2.5, height=0.3, y=0.5)
    return [Part(((cast[0], way), (cast[1], passer)), 7.0, int(rng.integers(1000)))]


def _turn(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    sits = _sitting(rng, aspect / 2, 0.5, 0.3)
    side = 1 if rng.random() < 0.5 else -1
    way = _changed(sits, lambda p, t: replace(p, yaw=side * 85 * _hump(t, 1.5, 4.5)))
    return [Part(((cast[0], way),), 6.0, int(rng.integers(1000)))]


def _blur(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    walk = _walking(rng, aspect, across_s=6.0, height=0.24)
    way = _changed(walk, lambda p, t: replace(p, blur=0.12 * _hump(t, 2, 4)))
    return [Part(((cast[0], way),), 6.0, int(rng.integers(1000)))]


def _nearer(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    x = aspect * rng.uniform(0.35, 0.65)
    sits = _sitting(rng, x, 0.5, 1.0)

    def way(t: float) -> Pose | None:
        still, tall = sits(t), 0.06 * 9 ** (t / 6)
        assert still is not None
        return replace(
            still, x=x + (still.x - x) * tall, y=0.5 + (still.y - 0.5) * tall, height=tall
        )

    return [Part(((cast[0], way),), 6.0, int(rng.integers(1000)))]


def _dim(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    way = _walking(rng, aspect, across_s=6.0, height=0.24)
    light = partial(_lit, start=1.5, end=4.5, lost=0.85)
    return [Part(((cast[0], way),), 6.0, int(rng.integers(1000)), light=light)]


def _lit(t: float, start: float, end: float, lost: float) -> float:
    return 1 - lost * _hump(t, start, end)


def _sit(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    places = (np.arange(len(cast)) + 0.5) / len(cast) * aspect
    ways = tuple(
        (who, _sitting(rng, float(x), rng.uniform(0.4, 0.6), rng.uniform(0.2, 0.32)))
        for who, x in zip(cast, places, strict=True)
    )
    return [Part(ways, 6.0, int(rng.integers(1000)))]


def _cuts(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    """Four shots: another face is where one was, the first comes back in the third."""
    a, b, c = cast[:3]
    backs = [int(back) for back in rng.choice(1000, 4, replace=False)]
    x, y, tall = aspect / 2, 0.5, 0.3
    shots = (
        ((a, _sitting(rng, x, y, tall)),),
        ((b, _sitting(rng, x, y, tall)),),
        ((c, _sitting(rng, x * 0.5, y, tall)), (a, _sitting(rng, x * 1.4, y, tall))),
        ((b, _walking(rng, aspect, across_s=4.0)),),
    )
    return [Part(ways, 2.4, back) for ways, back in zip(shots, backs, strict=True)]


def _pan(cast: list[str], aspect: float, rng: np.random.Generator) -> list[Part]:
    """Two who sit while the camera goes over them."""
    speed = rng.uniform(0.15, 0.3) * (1 if rng.random() < 0.5 else -1)
    middle = aspect / 2
    ways = tuple(
        (
            who,
            _changed(_sitting(rng, x, 0.5, 0.24), lambda p, t: replace(p, x=p.x - speed * (t - 3))),
        )
        for who, x in zip(cast, (middle - 0.35, middle + 0.35), strict=True)
    )
    return [Part(ways, 6.0, int(rng.integers(1000)), pan=speed)]


@dataclass(frozen=True)
class Scene:
    """cast: how many people it wants."""

    cast: int
    made: Callable[[list[str], float, np.random.Generator], list[Part]]


#: walk, cross, crowd: through the picture. return: gone for three seconds. pause: stands, and
#: somebody walks by close. turn: away and back. blur, dim: for some seconds. nearer: from 6 to 54 %
#: of the picture's height. sit, pan: stay, the second before a camera that pans. cuts: four shots.
SCENES: Mapping[str, Scene] = {
    "walk": Scene(1, _walk), "cross": Scene(2, _cross), "crowd": Scene(5, _crowd),
    "return": Scene(1, _return), "pause": Scene(2, _pause), "turn": Scene(1, _turn),
    "blur": Scene(1, _blur), "nearer": Scene(1, _nearer), "dim": Scene(1, _dim),
    "sit": Scene(3, _sit), "cuts": Scene(3, _cuts), "pan": Scene(2, _pan),
}  # fmt: skip


# -- who is seen -----------------------------------------------------------------------------------


def _poses(part: Part, t: float) -> list[tuple[str, Pose, Way]]:
    """Return who is there at a time, nearest first."""
    there = [(who, way(t), way) for who, way in part.ways]
    here = [(who, pose, way) for who, pose, way in there if pose is not None]
    return sorted(here, key=lambda one: -one[1].height)


def _box(pose: Pose, size: tuple[int, int], share: float = 1.0) -> Float64Array:
    """Return (4,) px: the box of a face, on the cylinder that turns; share: of width and height."""
    unit = pose.height * size[1] / (2 * _FACE[3])  # px of the film for one of the photo
    angles = np.deg2rad(pose.yaw) + np.array([-1, 1]) * np.arcsin(_FACE[2] / _HEAD[2])
    x1, x2 = _HEAD[2] * np.sin(np.clip(angles, -np.pi / 2, np.pi / 2)) * unit
    x, y = pose.x * size[1] - 0.5, pose.y * size[1] - 0.5
    middle, wide, tall = x + (x1 + x2) / 2, (x2 - x1) / 2 * share, _FACE[3] * unit * share
    return np.array([middle - wide, y - tall, middle + wide, y + tall])


def _seen(part: Part, t: float, size: tuple[int, int]) -> tuple[Seen, ...]:
    seen: list[Seen] = []
    nearer: list[Float64Array] = []
    for who, pose, _ in _poses(part, t):
        box = _box(pose, size)
        edges = np.array([[size[0], -9e9, 9e9, 9e9], [-9e9, -9e9, 0, 9e9]])
        hidden = max((_hidden(box, other) for other in (*nearer, *edges)), default=0.0)
        if hidden <= _HIDDEN:
            x1, y1, x2, y2 = map(float, box)
            seen.append((who, (x1, y1, x2, y2)))
        nearer.append(_box(pose, size, 1.2))  # hair and chin hide as well
    return tuple(seen)


def _hidden(box: Float64Array, other: Float64Array) -> float:
    side = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    return float(np.prod(np.maximum(side, 0)) / np.prod(box[2:] - box[:2]))


# -- drawing ---------------------------------------------------------------------------------------


def _frame(
    shots: list[tuple[Part, float]],
    photos: Mapping[str, Path],
    size: tuple[int, int],
    quality: int,
    seed: int,
    number: int,
) -> ByteArray:
    part, t = shots[number]
    picture = _scenery(part, t, size)
    for who, pose, way in reversed(_poses(part, t)):
        later = way(t + _EXPOSURE_S) or pose
        moved = np.array([later.x - pose.x, later.y - pose.y]) * size[1]
        _draw_head(picture, photos[who], pose, moved)
    picture *= part.light(t)
    picture += _noise(size, seed, number)
    levels = np.clip(picture, 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", levels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB), np.uint8)


@cache
def _backdrop(back: int, size: tuple[int, int]) -> np.ndarray:
    """Return (h, 2 w, 3) float32: soft walls and furniture; no photo, so no face."""
    rng = np.random.default_rng([7, back])
    wide, tall = size[0] * 2, size[1]
    base = rng.uniform(50, 160) + rng.normal(0, 22, 3)
    coarse = base + rng.normal(0, 9, (5, 10, 3)) + rng.normal(0, 28, (5, 10, 1))
    wall = cv2.resize(coarse.astype(np.float32), (wide, tall), interpolation=cv2.INTER_CUBIC)
    for _ in range(24):  # furniture
        x, y = rng.integers(0, wide), rng.integers(0, tall)
        w, h = rng.integers(tall // 12, tall // 2, 2)
        color = base + rng.normal(0, 35) + rng.normal(0, 20, 3)
        wall[y : y + h, x : x + w] = 0.4 * wall[y : y + h, x : x + w] + 0.6 * color
    return np.clip(cv2.GaussianBlur(wall, (0, 0), tall / 240), 0, 255)


def _scenery(part: Part, t: float, size: tuple[int, int]) -> np.ndarray:
    """Return the part of the backdrop that the camera sees, which a hand holds."""
    x = size[0] / 2 + part.pan * size[1] * (t - part.seconds / 2) + 1.5 * np.sin(2.1 * t)
    matrix = np.array([[1, 0, -x], [0, 1, np.sin(1.7 * t)]])
    return cv2.warpAffine(_backdrop(part.back, size), matrix, size, borderMode=cv2.BORDER_REFLECT)


@cache
def _grain(size: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(11)
    return rng.normal(0, 2.5, (size[1] + 64, size[0] + 64, 3)).astype(np.float32)


def _noise(size: tuple[int, int], seed: int, number: int) -> np.ndarray:
    """Return the noise of one exposure, (h, w, 3); drawn anew it would take most of the time."""
    x, y = np.random.default_rng([seed, number]).integers(0, 64, 2)
    return _grain(size)[y : y + size[1], x : x + size[0]]


@cache
def _head(photo: Path, halvings: int) -> np.ndarray:
    """Return (250, 250, 4) float32, or halved: a head with its soft edge, colors times the edge."""
    pixels = cv2.imread(str(photo), cv2.IMREAD_COLOR_RGB)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    cx, cy, wide, tall = _HEAD
    radius = (np.abs((x - cx) / wide) ** 2.5 + np.abs((y - cy) / tall) ** 2.5) ** 0.4
    edge = np.clip((1 - radius) / 0.15, 0, 1)[..., None]
    whole = np.concatenate([pixels * edge, edge], axis=2).astype(np.float32)
    size = (whole.shape[1] >> halvings, whole.shape[0] >> halvings)
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA)


def _turned(head: np.ndarray, yaw: float) -> np.ndarray:
    """Return the head turned by some degrees, as if it were painted on a cylinder."""
    if not yaw:
        return head
    tall, wide = head.shape[:2]
    cx, reach = _HEAD[0] * wide / 250, _HEAD[2] * wide / 250
    across = np.clip((np.arange(wide, dtype=np.float32) - cx) / reach, -1, 1)
    # at the very edge there is nothing: what turns into view repeats what was seen last
    angle = np.clip(np.arcsin(across) - np.deg2rad(yaw), -1.1, 1.1)
    source = np.float32(cx + reach * np.sin(angle))
    x = np.ascontiguousarray(np.broadcast_to(source, (tall, wide)), np.float32)
    y = np.repeat(np.arange(tall, dtype=np.float32)[:, None], wide, axis=1)
    turned = cv2.remap(head, x, y, cv2.INTER_LINEAR)
    edge = head[..., 3:]
    return np.concatenate([turned[..., :3] / np.maximum(turned[..., 3:], 1e-3) * edge, edge], 2)


def _draw_head(picture: np.ndarray, photo: Path, pose: Pose, moved: Float64Array) -> None:
    """Draw a head into the picture; moved: how far it goes during the exposure, px."""
    tall, wide = picture.shape[:2]
    scale = pose.height * tall / (2 * _FACE[3])
    halvings = min(5, max(0, int(-np.log2(scale))))
    patch = _turned(_head(photo, halvings), pose.yaw)
    center = np.array([pose.x, pose.y]) * tall - 0.5
    blur = pose.blur * pose.height * tall
    reach = 1.35 * _HEAD[3] * scale + 3 * blur + float(np.abs(moved).max()) + 3
    low = np.maximum(np.floor(center - reach), 0).astype(int)
    high = np.minimum(np.ceil(center + reach), (wide, tall)).astype(int)
    if (high <= low).any():
        return
    turn = cv2.getRotationMatrix2D((_FACE[0], _FACE[1]), pose.roll, scale)
    turn[:, 2] += center - (_FACE[0], _FACE[1]) - low
    fewer = 2.0**halvings  # pixels of the photo that one of the patch stands for
    turn[:, 2] += turn[:, :2] @ np.full(2, (fewer - 1) / 2)
    turn[:, :2] *= fewer
    drawn = cv2.warpAffine(patch, turn, tuple(map(int, high - low)), flags=cv2.INTER_LINEAR)
    if blur > 0.3:
        drawn = cv2.GaussianBlur(drawn, (0, 0), blur)
    if float(np.hypot(*moved)) > 1:
        drawn = cv2.filter2D(drawn, -1, _streak(moved))
    place = picture[low[1] : high[1], low[0] : high[0]]
    place *= 1 - drawn[..., 3:]
    place += drawn[..., :3]


def _streak(moved: Float64Array) -> np.ndarray:
    """Return the kernel of a straight motion, px."""
    half = int(np.ceil(np.abs(moved).max() / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for share in np.linspace(-0.5, 0.5, 8 * half):
        x, y = np.rint(half + share * moved).astype(int)
        kernel[y, x] += 1
    return kernel / kernel.sum()
