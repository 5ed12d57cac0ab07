"""Boxes and the set of faces found in one photo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import overload

import numpy as np

from facelign.errors import BadArray
from facelign.types.arrays import Arrays, Float32Array, IntArray, Selector, check, picked
from facelign.types.landmarks import Landmarks
from facelign.types.tables import table
from facelign.types.wording import counted, some


@dataclass(frozen=True, slots=True)
class Box:
    """One box: continuous edges in the photo's plane, px; ``x2 > x1``; may leave the photo."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def text(self) -> str:
        """The box in whole px, for people."""
        return f"{self.x1:.0f},{self.y1:.0f} to {self.x2:.0f},{self.y2:.0f}"

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, px."""
        return self.x1, self.y1, self.x2, self.y2

    @property
    def width(self) -> float:
        """Width, px."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height, px."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Area, px^2."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """Center, (x, y), px."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """The view of one face out of a set: what ``faces[3]`` gives."""

    box: Box
    score: float
    landmarks: Landmarks | None
    index: int

    def __repr__(self) -> str:
        return f"Face({self.index}: {self.box.text}, score {self.score:.2f})"

    @property
    def points(self) -> Float32Array | None:
        """(k, 2) float32 px, or None."""
        return None if self.landmarks is None else self.landmarks.points[0]


@dataclass(frozen=True, slots=True, eq=False)
class Faces(Arrays):
    """n faces of one photo, sorted by falling score (kept as given; ``sorted()`` sorts).

    boxes: (n, 4) float32 xyxy px in the photo's plane. scores: (n,) float32; scores of two
    detectors are not comparable. pose: (n, 3) float32 yaw, pitch, roll in degrees, or None.
    track_ids: (n,) int64, or None. image_size: (width, height) of the upright file, px.
    """

    boxes: Float32Array
    scores: Float32Array
    landmarks: Landmarks | None
    detector: str
    image_size: tuple[int, int]
    pose: Float32Array | None = None
    track_ids: IntArray | None = None

    def __post_init__(self) -> None:
        check(self, np.float32, boxes=("n", 4), scores=("n",), pose=("n", 3))
        n = len(self.boxes)
        check(self, np.int64, track_ids=(n,))
        if n and not bool((self.boxes[:, 2:] > self.boxes[:, :2]).all()):
            raise BadArray("boxes: wanted x2 > x1 and y2 > y1 in every row.")
        if self.landmarks is not None and len(self.landmarks) != n:
            raise BadArray(f"landmarks: wanted {n} faces, got {len(self.landmarks)}.")

    @classmethod
    def none(cls, detector: str, image_size: tuple[int, int]) -> Faces:
        """Return the empty set."""
        return cls(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), None, detector, image_size
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def __repr__(self) -> str:
        width, height = self.image_size
        said = f"Faces({len(self)} in {width} x {height} px, detector={self.detector!r}"
        boxes = some([self[i].box.text for i in range(min(len(self), 4))], 3, len(self))
        return f"{said}: {boxes})" if boxes else f"{said})"

    def _repr_html_(self) -> str:
        width, height = self.image_size
        rows = [(f.index, f.box.text, f"{f.box.height:.0f}", f"{f.score:.2f}") for f in self]
        title = f"{counted(len(self), 'face')} in {width} x {height} px, found by {self.detector}"
        return table(title, ("face", "box, px", "height, px", "score"), rows)

    @overload
    def __getitem__(self, index: int) -> Face: ...
    @overload
    def __getitem__(self, index: Selector) -> Faces: ...
    def __getitem__(self, index: int | Selector) -> Face | Faces:
        pick = picked("face", index, len(self))
        if isinstance(index, int | np.integer) and isinstance(pick, slice):
            i = int(pick.start)
            box = Box(*(float(v) for v in self.boxes[i]))
            points = None if self.landmarks is None else self.landmarks[i]
            return Face(box, float(self.scores[i]), points, i)
        return Faces(
            self.boxes[pick],
            self.scores[pick],
            None if self.landmarks is None else self.landmarks[pick],
            self.detector,
            self.image_size,
            None if self.pose is None else self.pose[pick],
            None if self.track_ids is None else self.track_ids[pick],
        )

    def __iter__(self) -> Iterator[Face]:
        return (self[i] for i in range(len(self)))

    @property
    def heights(self) -> Float32Array:
        """(n,) float32: box heights, px of the file."""
        heights: Float32Array = self.boxes[:, 3] - self.boxes[:, 1]
        return heights

    def sorted(self) -> Faces:
        """Return the faces by falling score (ties keep their order)."""
        return self[np.argsort(-self.scores, kind="stable")]

    def with_landmarks(self, landmarks: Landmarks) -> Faces:
        """Return the same faces with other landmarks."""
        return replace(self, landmarks=landmarks)
