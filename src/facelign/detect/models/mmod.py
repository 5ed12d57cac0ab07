"""dlib's MMOD face detector: a small convolutional net over a tiled image pyramid.

Paper: King, "Max-Margin Object Detection", arXiv 1502.00046. Input: the pyramid (steps of 5/6) as
one picture, (RGB - mean) / 256, background 0. Output: square boxes, whole pixels, no points; the
boxes and (to 1e-4) the scores of dlib on the same photo. Known limits: no face under about 80 px
unless the photo is enlarged (``upsample=1``: 40 px, four times the work), 10 times slower than
YuNet. Constants are read off dlib and its file.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import cv2
import numpy as np

from facelign.detect.pyramid import doublings
from facelign.errors import ConfigError
from facelign.geometry.boxes import from_inclusive
from facelign.geometry.letterbox import PlaneMap
from facelign.imaging.resize import resized
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types import dlib_models, specs
from facelign.types.arrays import ByteArray, Float32Array, Float64Array, IntArray
from facelign.types.contracts import Detector, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image

_FILE = "mmod_human_face_detector.dat"

SPECS = (
    specs.ModelSpec.of(
        "mmod",
        "facelign.detect.models.mmod:Mmod",
        # dlib-models carries a later build under the same name (SHA-256 be467b1a...): another file
        dlib_models.weights(
            _FILE,
            "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
            729_940,
            "dlib-mmod",
        ),
        input=specs.InputSpec(None, mean=(122.782, 117.001, 104.298), std=(256.0, 256.0, 256.0)),
        output=specs.DetectorOutput(scheme=None, smallest_px=80),
        license=dlib_models.free(
            "faces from ImageNet, AFLW, PASCAL VOC, VGG, WIDER and FaceScrub, labeled by the author"
        ),
        title="dlib MMOD face detector",
        paper="King: Max-Margin Object Detection, arXiv 2015, https://arxiv.org/abs/1502.00046",
        origin="davisking/dlib-models mmod_human_face_detector.dat",
    ),
)


@dataclass(frozen=True, slots=True)
class MmodOptions:
    """Options of the detector.

    upsample: how often the photo is doubled first (0 as dlib; 1 finds faces from 40 px).
    score_threshold: dlib's is 0. max_pixels: larger photos (after doubling) are doubled less
    often, then reduced, so that time and memory are bounded (12 megapixels: about 11 s on one
    core and 800 MB); 0 for no bound.
    """

    upsample: int = 0
    score_threshold: float = 0.0
    max_pixels: int = 13_000_000

    def __post_init__(self) -> None:
        if not 0 <= self.upsample <= 4:
            raise ConfigError(f"upsample: wanted 0 to 4, got {self.upsample}.")
        if self.max_pixels < 0:
            raise ConfigError(f"max_pixels: wanted 0 or more, got {self.max_pixels}.")
        if not self.score_threshold >= 0:
            raise ConfigError(f"score_threshold: wanted 0 or more, got {self.score_threshold}.")


#: pyramid step, space between and around the levels (dlib input_rgb_image_pyramid<pyramid_down<6>>)
RATE, BETWEEN, AROUND = 5 / 6, 10, 11
#: dlib stops at levels lower than this
MIN_HEIGHT = 5
#: stride of the score map and where its cell 0 is centered, px; side of the sliding window
STRIDE, FIRST, WINDOW = 8, 14, 80
#: overlap (over the bounding rectangle of both) above which the weaker box falls
OVERLAP = 0.3382761351109955
#: px that one cell sees before the layers without stride (three 5x5 of stride 2), and how many
#: cells to each side those (three 5x5, one 9x9) look at
SEEN, HALO = 29, 10
#: pixels of the tiled picture that go through the network at once: about 80 MB of activations
STRIP_PIXELS = 2_000_000
#: numbers that are resampled at once: the scratch memory stays in the cache
CHUNK_NUMBERS = 100_000

_log = logging.getLogger(__name__)


class Mmod(Detector):
    """Finds faces as dlib's ``cnn_face_detection_model_v1`` does."""

    Options = MmodOptions

    def __init__(
        self, spec: specs.ModelSpec, files: WeightPaths, options: MmodOptions, engine: OnnxOptions
    ) -> None:
        self.spec = spec
        self.options = options
        self.score_floor = options.score_threshold
        self.sure_score = max(0.8, options.score_threshold)
        self._session = Session(files[spec.weights[0].name], engine)
        self._mean = np.array(spec.input.mean, np.float32)
        self._scale = np.float32(1 / spec.input.std[0])

    def detect(self, image: Image) -> Faces:
        """Return the faces of ``image`` by falling score, in the plane of ``image.size``."""
        image = image.full()
        plane, pixels, times = self._prepared(image)
        levels = tile_plan(pixels.shape[0], pixels.shape[1])
        tiles = tiled(pixels, levels, self._mean, self._scale)
        rows, columns, scores = self._cells(tiles)
        rectangles = _rectangles(rows, columns, levels)
        order = np.argsort(-scores, kind="stable")
        rectangles, scores = rectangles[order], scores[order]
        keep = _suppressed(rectangles)
        rectangles, scores = _undoubled(rectangles[keep], times), scores[keep]
        boxes = from_inclusive(rectangles)
        if plane != PlaneMap((1.0, 1.0)):
            boxes = plane.boxes_back(boxes)
        return Faces(boxes, scores, None, self.spec.id, image.size)

    def _prepared(self, image: Image) -> tuple[PlaneMap, ByteArray, int]:
        """Return the map from the file into the pixels to search, these pixels, doublings made."""
        pixels = image.pixels
        h, w = pixels.shape[:2]
        most = self.options.max_pixels or math.inf
        times = doublings(image, self.options.upsample, most)
        plane = PlaneMap((image.scale, image.scale))  # below 1 only where no full size can be had
        if h * w > most:
            factor = math.sqrt(most / (h * w))
            size = (max(1, int(w * factor)), max(1, int(h * factor)))
            plane = plane.then(PlaneMap((size[0] / w, size[1] / h)))
            pixels = resized(pixels, size)
            _log.info("%s: searched at %d x %d px, see max_pixels", image.source, *size)
        for _ in range(times):
            pixels = doubled(pixels)
        return plane, pixels, times

    def _cells(self, tiles: Float32Array) -> tuple[IntArray, IntArray, Float32Array]:
        """Return row, column and score of the cells above the threshold.

        Large pictures go through in strips, whose inner edges are far enough from the rows that
        are taken that nothing changes.
        """
        height, width = tiles.shape[2:]
        total = (height - SEEN) // STRIDE + 1
        found: list[tuple[IntArray, IntArray, Float32Array]] = []
        step = max(1, STRIP_PIXELS // (width * STRIDE) - 2 * HALO)
        for first in range(0, total if width >= SEEN else 0, step):
            last = min(first + step, total)
            start = max(first - HALO, 0)
            stop = min((last + HALO - 1) * STRIDE + SEEN, height)
            strip = tiles[:, :, start * STRIDE : stop]
            scores = self._session.run({"tiles": strip})[0][0, 0]
            scores = scores[first - start : last - start]
            rows, columns = np.nonzero(scores > self.options.score_threshold)
            found.append((rows + first, columns, scores[rows, columns]))
        if not found:
            nothing = np.zeros(0, np.int64)
            return nothing, nothing, np.zeros(0, np.float32)
        rows, columns, values = (np.concatenate(part) for part in zip(*found, strict=True))
        return rows, columns, values


@dataclass(frozen=True, slots=True)
class Tiles:
    """Where the levels lie. levels: (m, 4) int64, left, top, width, height. size: (h, w)."""

    levels: IntArray
    size: tuple[int, int]


def tile_plan(height: int, width: int) -> Tiles:
    """Return where dlib lays the levels of a photo: a column downwards, then one back up."""
    sizes = [(height, width)]
    while True:
        h, w = math.floor(RATE * sizes[-1][0]), math.floor(RATE * sizes[-1][1])
        if h * w == 0 or h < MIN_HEIGHT:
            break
        sizes.append((h, w))
    total = sum(h + BETWEEN for h, _ in sizes) - 2 * BETWEEN
    column, before = 0, 0
    for h, w in sizes:
        if w <= width - before - BETWEEN and (column - height) * 2 >= total - height:
            break
        column += h + BETWEEN
        before = w
    column -= BETWEEN
    levels: list[tuple[int, int, int, int]] = []
    y = AROUND
    for h, w in sizes:
        if y >= column + AROUND:
            break
        levels.append((AROUND, y, w, h))
        y += h + BETWEEN
    y -= BETWEEN
    for h, w in sizes[len(levels) :]:
        level = (AROUND + width - w, y - h, w, h)
        if level[1] < AROUND + height:  # it would touch the photo itself
            break
        levels.append(level)
        y -= h + BETWEEN
    return Tiles(np.array(levels, np.int64), (column + 2 * AROUND, width + 2 * AROUND))


def tiled(pixels: ByteArray, plan: Tiles, mean: Float32Array, scale: np.float32) -> Float32Array:
    """Return the picture (1, 3, h, w) float32 that the network reads; the background is 0.

    Each level is resized from the one before, corners on corners, in float32. A level is kept
    turned (columns first) every other time: both resampling passes then move whole rows.
    """
    canvas = np.zeros((1, 3, *plan.size), np.float32)
    level: Float32Array = pixels.astype(np.float32)
    level -= mean
    level *= scale
    turned = False
    for index, (x, y, w, h) in enumerate(plan.levels.tolist()):
        if index:
            level = _fewer_rows(level, w if turned else h)
            level = np.asarray(cv2.transpose(level))
            level = _fewer_rows(level, h if turned else w)
            turned = not turned
        upright = level.transpose(2, 1, 0) if turned else level.transpose(2, 0, 1)
        canvas[0, :, y : y + h, x : x + w] = upright
    return canvas


def _fewer_rows(level: Float32Array, count: int) -> Float32Array:
    """Return ``level`` (r, c, 3) with ``count`` rows: linear, first and last row stay in place."""
    rows = level.shape[0]
    place = np.arange(count) * ((rows - 1) / max(count - 1, 1))
    above = place.astype(np.intp)
    below = np.minimum(above + 1, rows - 1)
    share = (place - above).astype(np.float32)[:, None, None]
    fewer = np.empty((count, *level.shape[1:]), np.float32)
    step = max(1, CHUNK_NUMBERS // (level.shape[1] * level.shape[2]))
    for first in range(0, count, step):
        part = slice(first, first + step)
        upper = np.take(level, above[part], axis=0, out=fewer[part], mode="clip")
        lower = level[below[part]]
        lower -= upper
        lower *= share[part]
        upper += lower
    return fewer


def doubled(pixels: ByteArray) -> ByteArray:
    """Return the photo as dlib enlarges it: (2 h + 1, 2 w + 2), linear, corners on corners.

    The fraction of a gray level is cut off, so that a sum which falls just short of a whole number
    loses a level: precision and order of every sum are dlib's (four columns at a time in float32
    as long as their right neighbors lie inside, the rest in double).
    """
    h, w = pixels.shape[:2]
    rows, columns = 2 * h + 1, 2 * w + 2
    y = np.cumsum([0.0] + [(h - 1) / (rows - 1)] * (rows - 1))
    top = np.clip(np.floor(y).astype(np.intp), 0, h - 1)
    bottom = np.minimum(top + 1, h - 1)
    step = (w - 1) / (columns - 1)
    x = _lanes(columns, step)
    left = x.astype(np.intp)
    quick = int(np.argmax(np.append(left[3::4] + 1 >= w, True))) * 4
    x, left = x[:quick], left[:quick]
    down, up = (y - top)[:, None], (1 - (y - top))[:, None]
    across = (x - left).astype(np.float32)
    weights = _weights(down.astype(np.float32), up.astype(np.float32), across)
    tail = np.cumsum([quick * step] + [step] * (columns - quick - 1))
    tail_left = np.clip(np.floor(tail).astype(np.intp), 0, w - 1)
    beyond = np.minimum(tail_left + 1, w - 1)
    share = tail - tail_left
    result = np.empty((rows, columns, 3), np.uint8)
    for color in range(3):
        plane = pixels[:, :, color].astype(np.float32)
        upper, lower = plane[top], plane[bottom]
        total = weights[0] * upper[:, left]
        total += weights[1] * upper[:, left + 1]
        total += weights[2] * lower[:, left]
        total += weights[3] * lower[:, left + 1]
        result[:, :quick, color] = total.astype(np.uint8)
        above = (1 - share) * upper[:, tail_left] + share * upper[:, beyond]
        below = (1 - share) * lower[:, tail_left] + share * lower[:, beyond]
        result[:, quick:, color] = (up * above + down * below).astype(np.uint8)
    return result


def _weights(down: Float32Array, up: Float32Array, across: Float32Array) -> list[Float32Array]:
    """Return the weights (r, c) of the four neighbors: upper left, upper right, lower ones."""
    back = np.float32(1) - across
    return [up * back, up * across, down * back, down * across]


def _lanes(columns: int, step: float) -> Float32Array:
    """Return dlib's column places: four float32 lanes, each stepping by 4 ``step`` at a time."""
    count = -(-columns // 4)
    start = np.array([-4 * step + lane * step for lane in range(4)], np.float32)
    steps = np.full((count, 4), np.float32(4 * step), np.float32)
    places: Float32Array = np.cumsum(np.concatenate([start[None], steps]), axis=0, dtype=np.float32)
    return np.maximum(places[1:].reshape(-1), np.float32(0))


def _rectangles(rows: IntArray, columns: IntArray, plan: Tiles) -> IntArray:
    """Return dlib's rectangles (n, 4) int64 in the photo, inclusive, of cells of the score map."""
    center = np.stack([columns, rows], axis=1) * STRIDE + FIRST
    low, size = plan.levels[:, :2], plan.levels[:, 2:]
    high = low + size - 1
    outside = np.maximum(low[None] - center[:, None], center[:, None] - high[None]).clip(min=0)
    level = (outside.astype(np.float64) ** 2).sum(axis=2).argmin(axis=1)  # the first of equals
    half = (WINDOW - 1) / 2
    corner = center - low[level]
    edges = np.concatenate([corner - half, corner + half], axis=1)
    for step in range(int(level.max(initial=0))):
        edges = np.where((level > step)[:, None], edges * (6 / 5) + 0.3, edges)
    return _rounded(edges)


def _undoubled(rectangles: IntArray, times: int) -> IntArray:
    """Return rectangles of the photo from those of the doubled one."""
    edges = rectangles.astype(np.float64)
    for _ in range(times):
        edges = edges / 2 - np.array([1.25, 0.75, 1.25, 0.75])
    return _rounded(edges)


def _rounded(values: Float64Array) -> IntArray:
    """Round half away from zero, as C's lround."""
    return np.copysign(np.floor(np.abs(values) + 0.5), values).astype(np.int64)


def _suppressed(rectangles: IntArray) -> IntArray:
    """Return the indices that stay; ``rectangles`` are sorted by falling score.

    dlib measures the overlap against the bounding rectangle of both, in whole pixels.
    """
    kept: list[int] = []
    for i, rectangle in enumerate(rectangles):
        others = rectangles[kept]
        inner = np.minimum(others[:, 2:], rectangle[2:]) - np.maximum(others[:, :2], rectangle[:2])
        outer = np.maximum(others[:, 2:], rectangle[2:]) - np.minimum(others[:, :2], rectangle[:2])
        shared = np.clip(inner + 1, 0, None).prod(axis=1)
        if not (shared > OVERLAP * (outer + 1).prod(axis=1)).any():
            kept.append(i)
    return np.asarray(kept, np.int64)
