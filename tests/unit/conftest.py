"""Vectors and photos by number, made from seeds: a test can make them again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from facelign.gallery.gallery import Gallery
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.templates import FaceRecord, PhotoRef

COSINE = Space("sface/arcface-112/five", 128, Metric.COSINE, unit=True)
EUCLIDEAN = Space("dlib-resnet/dlib-150/dlib-5", 128, Metric.EUCLIDEAN, unit=False)


class Maker:
    """Embeddings, photos and faces by number."""

    cosine = COSINE
    euclidean = EUCLIDEAN

    def vectors(self, n: int, seed: int, space: Space = COSINE) -> Embeddings:
        made = np.random.default_rng(seed).normal(size=(n, space.dim)).astype(np.float32)
        norms = np.linalg.norm(made, axis=1)
        if space.unit:
            made /= norms[:, None]
        return Embeddings(made, space, norms)

    def near(self, seed: int, noise: float, again: int, space: Space = COSINE) -> Embeddings:
        """Another vector of the person ``seed``."""
        base = self.vectors(1, seed, space).vectors
        step = np.random.default_rng(again).normal(size=base.shape).astype(np.float32)
        made = base + noise * step / np.linalg.norm(step)
        if space.unit:
            made /= np.linalg.norm(made)
        return Embeddings(made, space, np.ones(1, np.float32))

    def digest(self, number: int) -> str:
        return hashlib.sha256(str(number).encode()).hexdigest()

    def photo(self, number: int, folder: str = "photos") -> PhotoRef:
        return PhotoRef(f"{folder}/{number}.jpg", self.digest(number))

    def face(self, number: int = 0) -> FaceRecord:
        points = np.arange(10, dtype=np.float32).reshape(5, 2) + number
        return FaceRecord((10.5, 20.5, 90.5, 120.5), points, "five", 0.9, 100.0)

    def put(
        self, gallery: Gallery, person: str, number: int, space: Space = COSINE, **more: object
    ) -> tuple[int, ...]:
        """Enroll photo ``number`` with vector ``number``."""
        return gallery.enroll(
            person,
            self.vectors(1, number, space),
            photo=self.photo(number),
            faces=[self.face(number)],
            **more,  # type: ignore[arg-type]
        )

    def files(self, gallery: Path) -> bytes:
        """Return the bytes of every file of a gallery."""
        found = sorted(p for p in gallery.parent.iterdir() if p.name.startswith(gallery.name))
        return b"\0".join(p.read_bytes() for p in found)

    def traces(self, data: bytes, embeddings: Embeddings) -> int:
        """Return how many vectors have 32 bytes in a row in the data, the slow and plain way."""
        return sum(
            any(v[i : i + 32] in data for i in range(len(v) - 31))
            for v in (row.tobytes() for row in embeddings.vectors)
        )


@pytest.fixture
def make() -> Maker:
    return Maker()
