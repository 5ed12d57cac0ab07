"""Affine maps of the plane as (2, 3) float64 matrices: fit, apply, compose, invert.

A matrix maps column vectors: ``p' = A[:, :2] @ p + A[:, 2]``; points are px, x right, y down.
"""

from __future__ import annotations

import math

import numpy as np

from facelign.errors import DegenerateLandmarks
from facelign.types.arrays import Float64Array, FloatArray


def apply(matrix: FloatArray, points: FloatArray) -> Float64Array:
    """Return points (..., 2) mapped by ``matrix`` (2, 3)."""
    m = np.asarray(matrix, np.float64)
    mapped: Float64Array = np.asarray(points, np.float64) @ m[:, :2].T + m[:, 2]
    return mapped


def compose(second: FloatArray, first: FloatArray) -> Float64Array:
    """Return the matrix of "``first``, then ``second``"."""
    (a, b, x), (c, d, y) = np.asarray(second, np.float64).tolist()
    (e, f, u), (g, h, v) = np.asarray(first, np.float64).tolist()
    return np.array(
        [
            [a * e + b * g, a * f + b * h, a * u + b * v + x],
            [c * e + d * g, c * f + d * h, c * u + d * v + y],
        ]
    )


def invert(matrix: FloatArray) -> Float64Array:
    """Return the inverse map; raises DegenerateLandmarks when there is none."""
    (a, b, x), (c, d, y) = np.asarray(matrix, np.float64).tolist()
    determinant = a * d - b * c
    if not math.isfinite(determinant) or abs(determinant) < 1e-12:
        raise DegenerateLandmarks("The transform has no inverse.")
    a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y]])


def scaling(sx: float, sy: float | None = None) -> Float64Array:
    """Return the map of a resize: x -> (x + 0.5) * s - 0.5, as cv2.resize samples."""
    sy = sx if sy is None else sy
    return np.array([[sx, 0.0, 0.5 * sx - 0.5], [0.0, sy, 0.5 * sy - 0.5]])


def similarity(source: FloatArray, target: FloatArray) -> Float64Array:
    """Return the least-squares similarity (rotation, one scale, shift; no reflection).

    source, target: (k, 2), k >= 2. Umeyama 1991, IEEE TPAMI 13(4), eq. 40 to 42, in its closed
    form for the plane. Raises DegenerateLandmarks when the points fall together or are not finite.
    """
    p, q = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise DegenerateLandmarks("The points are not finite.")
    mean_p, mean_q = p.mean(axis=0), q.mean(axis=0)
    dp, dq = p - mean_p, q - mean_q
    spread = float((dp * dp).sum())
    if not math.isfinite(spread) or spread < 1e-9:
        raise DegenerateLandmarks("The points fall together.")
    # With complex numbers the similarity is z -> a z + b and a has this closed form.
    real = float((dp * dq).sum()) / spread
    imag = float((dp[:, 0] * dq[:, 1] - dp[:, 1] * dq[:, 0]).sum()) / spread
    if math.hypot(real, imag) < 1e-9:
        raise DegenerateLandmarks("The points allow no similarity.")
    linear = np.array([[real, -imag], [imag, real]])
    return np.concatenate([linear, (mean_q - linear @ mean_p)[:, None]], axis=1)


def affine_of_three(source: FloatArray, target: FloatArray) -> Float64Array:
    """Return the affine map that takes three points (3, 2) exactly onto three others.

    Raises DegenerateLandmarks when the source points lie on a line.
    """
    p, q = np.asarray(source, np.float64), np.asarray(target, np.float64)
    system = np.concatenate([p, np.ones((3, 1))], axis=1)
    if not np.isfinite(system).all() or abs(np.linalg.det(system)) < 1e-6:
        raise DegenerateLandmarks("Three points on one line allow no affine map.")
    solved: Float64Array = np.linalg.solve(system, q).T
    return solved
