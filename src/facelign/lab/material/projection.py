"""Vectors in two dimensions, for looking at: t-SNE, or UMAP where it is installed."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec

import numpy as np

from facelign.errors import ExtraMissing, Refused
from facelign.lab import needs
from facelign.lab.material.named import Named
from facelign.lab.statistics.resampling import SEED
from facelign.types.arrays import Float64Array, IntArray


class Method(StrEnum):
    """How vectors are laid out in the plane."""

    TSNE = "t-SNE"
    UMAP = "UMAP"


def available() -> tuple[Method, ...]:
    """Return the methods that are installed."""
    return (Method.TSNE, Method.UMAP) if find_spec("umap") else (Method.TSNE,)


def most_seen(named: Named, people: int = 24, photos: int = 400) -> IntArray:
    """Return the vectors of the people with most photos, as far as a picture can show them."""
    codes = named.codes
    counts = np.bincount(codes)
    chosen = np.argsort(-counts, kind="stable")[:people]
    share = max(2, photos // max(len(chosen), 1))
    rows = [np.flatnonzero(codes == code)[:share] for code in chosen]
    picked: IntArray = np.sort(np.concatenate(rows)).astype(np.int64)
    return picked


def project(
    named: Named,
    rows: IntArray | None = None,
    *,
    method: Method = Method.TSNE,
    seed: int = SEED,
) -> tuple[Float64Array, IntArray]:
    """Return (m, 2) where vectors lie in the plane, no unit, and (m,) which vectors they are.

    The same seed gives the same picture. rows: which vectors (default: those of ``most_seen``).
    Raises Refused for fewer than 5 vectors
    and ExtraMissing for UMAP that is not installed.
    """
    picked = most_seen(named) if rows is None else rows
    if len(picked) < 5:
        raise Refused(f"{len(picked)} vectors make no map.", "Give at least 5 photos.")
    vectors = np.asarray(named.vectors[picked], np.float64)
    # directions are what is compared; for unit vectors Euclidean order is cosine order
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return (_umap if method is Method.UMAP else _tsne)(vectors, seed), picked


def _tsne(vectors: Float64Array, seed: int) -> Float64Array:
    needs("sklearn")
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    made = TSNE(init="pca", perplexity=perplexity, random_state=seed)
    # one thread: for so few points threads wait longer for each other than they work, many
    # times so on a busy machine, and sums in one order are the same everywhere
    with threadpool_limits(limits=1):
        return np.asarray(made.fit_transform(vectors), np.float64)


def _umap(vectors: Float64Array, seed: int) -> Float64Array:
    try:
        from umap import UMAP
    except ImportError as error:
        raise ExtraMissing(
            "UMAP is not installed.", "pip install umap-learn, or take t-SNE."
        ) from error
    made = UMAP(n_neighbors=min(15, len(vectors) - 1), random_state=seed).fit_transform(vectors)
    return np.asarray(made, np.float64)
