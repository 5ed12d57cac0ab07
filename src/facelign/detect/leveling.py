"""Points of faces that are looked at once more: closer, turned until their eyes are level.

Detectors place points nearly as if a face were upright. So each face is looked at again at one
height, turned by the roll that its points tell until its eyes are level; its points are those on
which the cells of the last look agree (``Candidates.blended``). A face that lies or hangs is told
by its score only: it is tried in eight directions. Any detector with five points can be the one
that looks; the numbers below were measured with YuNet. Boxes and scores stay those of the first
look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.pyramid import surroundings
from facelign.geometry.transforms import apply, compose, invert, scaling
from facelign.imaging.resize import warped
from facelign.types.arrays import ByteArray, Float32Array, Float64Array, FloatArray, IntArray

#: gives for RGB pictures (h, w, 3) of one size what is seen in each, not suppressed
Look = Callable[[Sequence[ByteArray]], Sequence[Candidates]]

#: a face may lie or hang when its level look gives less: 131 upright faces have at least 0.916, of
#: upside-down ones 99 in 100 at most 0.92
_UPRIGHT_SCORE = 0.92
#: a turn must give a score better by this much, or the face is taken as it stands (the
#: right quarter of 131 faces with level eyes is better than the three others by 0.021 or more with
#: ``yunet``, by 0.013 with ``yunet-n``); it is asked for until there is none, so often at most
_TURN_MARGIN, _ROUNDS = 0.02, 3
#: height of the face in these looks, and side of their pictures, px
_TURN_HEIGHT, _TURN_SIDE = 64.0, 96
_EIGHTHS = (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
#: height of the face in a closer look, and size (w, h) of its picture, px. On 102 faces of faces68
#: the error is the same for 256 px in 256 x 288, and larger for 192 px by an eighth
_LEVEL_HEIGHT, _LEVEL_SIZE = 224.0, (224, 256)
#: where the face is in it: in its middle, as wide as high
_LEVEL_BOX: Float32Array = np.array([-0.5, 15.5, 223.5, 239.5], np.float32)
#: faces in one call: more take longer a face (caches)
_LEVEL_BATCH = 4
#: a closer look is repeated, turned by what it saw, while the eyes lean by more degrees, so often
_LEVEL, _REPEATS = 5.0, 6
#: the roll of a face is so many times what a closer look tells
_ROLL_PER_LEAN = 1.2


def leveled(
    look: Look, pixels: ByteArray, found: Candidates, *, smallest_px: float, most: int
) -> Candidates:
    """Return the same candidates with the points that closer, level looks give.

    found: candidates with five points, in the plane of ``pixels`` (h, w, 3) RGB. smallest_px: lower
    faces keep their points. most: how many faces are looked at, the highest first.
    """
    chosen = np.flatnonzero(found.heights >= smallest_px)
    chosen = chosen[np.argsort(-found.heights[chosen], kind="stable")][:most]
    leveling = _Leveling(look, pixels, found)
    leveling.level(chosen)
    return Candidates(found.boxes, found.scores, leveling.points)


class _Leveling:
    """What closer looks at n faces tell.

    points: (n, 5, 2) px. tilts: (n,) degrees clockwise by which the faces are rolled. scores: (n,)
    of the last look, 0 where none has seen the face.
    """

    def __init__(self, look: Look, pixels: ByteArray, found: Candidates) -> None:
        self._look = look
        self._pixels = pixels
        self._found = found
        #: what views are drawn from, by face: reduced once, not for every look
        self._sources: dict[int, _Around] = {}
        self.points = found.points.copy()
        self.tilts = np.zeros(len(found))
        self.scores = np.zeros(len(found), np.float32)

    def level(self, waiting: IntArray) -> None:
        """Look at the faces ``waiting`` until they are upright and their eyes are level."""
        for _ in range(_ROUNDS):
            self._until_level(waiting)
            # points are set upright: a face that lies or hangs is told by its score only
            doubtful = self.scores[waiting] < _UPRIGHT_SCORE
            turned = []
            for i in waiting[doubtful]:
                turn = self._turn(i)
                if turn:
                    self.tilts[i] += turn
                    turned.append(i)
            waiting = np.asarray(turned, np.int64)
            if not waiting.size:
                break

    def _until_level(self, waiting: IntArray) -> None:
        for _ in range(_REPEATS):
            again = []
            for i, view in zip(waiting, self._closer(waiting), strict=True):
                if view is None:
                    continue
                self.points[i], self.scores[i] = view
                lean = (tilt_of(view[0]) - self.tilts[i] + 180.0) % 360.0 - 180.0
                self.tilts[i] += _ROLL_PER_LEAN * lean
                if abs(lean) > _LEVEL:
                    again.append(i)
            waiting = np.asarray(again, np.int64)
            if not waiting.size:
                break

    def _closer(self, chosen: IntArray) -> list[tuple[Float32Array, float] | None]:
        """Return points (5, 2) and score of each face of ``chosen``, turned back by its tilt.

        Points are in the plane of the pixels, whatever the view was; None where nothing was seen.
        """
        given: list[tuple[Float32Array, float] | None] = []
        for start in range(0, len(chosen), _LEVEL_BATCH):
            views = [
                _view(self._around(i), float(self.tilts[i]), _LEVEL_SIZE)
                for i in chosen[start : start + _LEVEL_BATCH]
            ]
            looks = self._look([picture for picture, _ in views])
            for seen, (_, matrix) in zip(looks, views, strict=True):
                best = seen.best_over(_LEVEL_BOX, 0.3)
                if best is None:
                    given.append(None)
                else:
                    spots = apply(invert(matrix), best.points[0]).astype(np.float32)
                    given.append((spots, float(best.scores[0])))
        return given

    def _around(self, face: int) -> _Around:
        if face not in self._sources:
            self._sources[face] = _around(self._pixels, self._found.boxes[face], _LEVEL_HEIGHT)
        return self._sources[face]

    def _turn(self, face: int) -> float:
        """Return how far a face is rolled beyond its tilt, degrees, in steps of 45."""
        height, side = _TURN_HEIGHT, _TURN_SIDE
        around, tilt = _around(self._pixels, self._found.boxes[face], height), self.tilts[face]
        views = [_view(around, float(tilt) + turn, (side, side))[0] for turn in _EIGHTHS]
        scores = []
        for seen in self._look(views):
            # only the face in the middle counts, not a neighbor at the edge of the picture
            offset = np.abs((seen.boxes[:, :2] + seen.boxes[:, 2:]) / 2 - side / 2)
            central = seen.scores[(offset < height / 3).all(axis=1)]
            scores.append(float(central.max()) if central.size else 0.0)
        best = int(np.argmax(scores))
        return _EIGHTHS[best] if scores[best] > scores[0] + _TURN_MARGIN else 0.0


def tilt_of(points: FloatArray) -> float:
    """Return by how much the line of the eyes in five points (5, 2) falls to the right, degrees.

    Clockwise in the picture, the opposite of the sign of a pose's roll.
    """
    dx, dy = (float(v) for v in points[1] - points[0])
    return math.degrees(math.atan2(dy, dx))


@dataclass(frozen=True, slots=True, eq=False)
class _Around:
    """What the views of one face are drawn from, made once for all of them.

    pixels: the photo, or the surroundings of a large face, reduced. back: (2, 3), px of these
    pixels -> photo px, or None where they are the photo. factor: px of a view per photo px.
    center: of the face, photo px.
    """

    pixels: ByteArray
    back: Float64Array | None
    factor: float
    center: tuple[float, float]


def _around(pixels: ByteArray, box: FloatArray, height: float) -> _Around:
    """Return what views of the face of ``box`` that show it ``height`` px high are drawn from."""
    x1, y1, x2, y2 = (float(v) for v in box)
    factor = height / (y2 - y1)
    source, back = pixels, None
    if factor < 0.5:
        crop = surroundings(pixels, box, 2 * height, margin=1.0)
        if crop is not None:
            source, plane = crop
            (sx, sy), (tx, ty) = plane.scale, plane.shift
            into = compose(np.array([[1.0, 0.0, tx], [0.0, 1.0, ty]]), scaling(sx, sy))
            back = invert(into)
    return _Around(source, back, factor, ((x1 + x2) / 2, (y1 + y2) / 2))


def _view(around: _Around, tilt: float, size: tuple[int, int]) -> tuple[ByteArray, Float64Array]:
    """Return a picture of ``size`` (w, h) with the face in its middle, and the map.

    The face is turned back by ``tilt`` degrees; outside the photo is black. The map is a (2, 3)
    matrix, photo px -> picture px.
    """
    factor, (cx, cy) = around.factor, around.center
    cos, sin = math.cos(math.radians(tilt)) * factor, math.sin(math.radians(tilt)) * factor
    mx, my = (size[0] - 1) / 2, (size[1] - 1) / 2
    matrix = np.array([[cos, sin, mx - cos * cx - sin * cy], [-sin, cos, my + sin * cx - cos * cy]])
    onto = matrix if around.back is None else compose(matrix, around.back)
    return warped(around.pixels, onto, size), matrix
