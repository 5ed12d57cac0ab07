"""What a stage must do to take part. Nothing to inherit; the laws are tests/contracts.

A model class is constructed by the registry as ``Class(spec, files, options, engine)``:
``files`` maps a WeightFile's name to the path that is ready for the engine, ``options`` is the
model's frozen options dataclass, ``engine`` is ``runtime.onnx.OnnxOptions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from facelign.types.arrays import Float32Array, Float64Array, IntArray
from facelign.types.chips import Chips
from facelign.types.embeddings import Embeddings, Space
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import Scheme
from facelign.types.specs import ModelSpec

WeightPaths = Mapping[str, Path]


class Detector(Protocol):
    """Finds faces. Laws: deterministic; input unchanged; a mirrored photo gives mirrored faces;
    a blank photo gives n = 0; boxes and points are in the plane of ``image.size``.
    """

    spec: ModelSpec

    def detect(self, image: Image) -> Faces: ...


class Landmarker(Protocol):
    """Places landmarks. Laws: same n, boxes and order; a shifted photo gives shifted points."""

    spec: ModelSpec
    scheme: Scheme

    def locate(self, image: Image, faces: Faces) -> Faces: ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """How chips are sampled: part of a layout, because it moves embeddings.

    kind "warp": bilinear (OpenCV), constant black border, area reduction first when shrinking.
    kind "dlib": dlib's own chip extraction, byte for byte.
    """

    kind: Literal["warp", "dlib"] = "warp"
    border: int = 0
    reduce_first: bool = True


class Layout(Protocol):
    """Pure geometry, no weights. Laws: template points map onto themselves; a rotated photo gives
    (nearly) the same chip when aligned by points; impossible points raise, never NaN.

    size: (width, height) of the chip. needs: "box" or scheme ids it can align by, best first.
    """

    id: str
    size: tuple[int, int]
    needs: tuple[str, ...]
    sampling: Sampling

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px; raises DegenerateLandmarks(indices)."""
        ...


class Embedder(Protocol):
    """Turns chips into vectors. Laws: refuses a foreign layout; batch = singles; order kept;
    unit length exactly when ``space.unit``.
    """

    spec: ModelSpec
    space: Space

    def embed(self, chips: Chips) -> Embeddings: ...


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Array form of search results: ids (m, k) int64 (-1 = none), scores (m, k) float32
    (larger is more alike), counts (m,) int64.
    """

    ids: IntArray
    scores: Float32Array
    counts: IntArray

    def __post_init__(self) -> None:
        if self.ids.shape != self.scores.shape or self.ids.dtype != np.int64:
            raise ValueError("hits: ids and scores disagree")


class Index(Protocol):
    """A disposable accelerator over (id, vector). Laws: what was added is found first; what was
    removed is never found; recall against exact search is stated.
    """

    space: Space
    exact: bool

    def __len__(self) -> int: ...
    def add(self, ids: IntArray, vectors: Float32Array) -> None: ...
    def remove(self, ids: IntArray) -> int: ...
    def search(self, vectors: Float32Array, k: int) -> Hits: ...


class Transactional(Protocol):
    """A store's unit of work."""

    def transaction(self) -> AbstractContextManager[None]: ...
