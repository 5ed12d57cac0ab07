"""Two embeddings and their distance as barcodes (A1-11, A1-12).

A barcode because damage along it loses nothing and damage across it loses slots: every one of the
200 rows repeats the vector, each column is one slot of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot
from facelign.types.arrays import ByteArray

ROWS = 200


def draw(
    photos: tuple[ByteArray | None, ByteArray | None],
    embeddings: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    names: tuple[str, str] = ("A", "B"),
    verdict: str = "",
) -> Plot:
    """Return the 3x2 grid: photo and barcode of A, of B, then the verdict and the distance.

    photos: (h, w, 3) uint8 RGB, or None to leave a photo out. embeddings: two (d,) vectors of one
    space. The sixth cell is the squared difference of each slot. 0 is white everywhere.
    """
    a, b = (np.asarray(v, np.float64).reshape(-1) for v in embeddings)
    if a.shape != b.shape:
        raise BadArray(f"barcode: wanted two vectors of one space, got {a.shape} and {b.shape}.")
    difference = (a - b) ** 2
    figure, axes = style.figure(9.4, 7.0, rows=3, columns=2, gridspec_kw={"width_ratios": [1, 2.6]})
    look = style.signed(np.concatenate([a, b]))
    for row, (photo, vector, name) in enumerate(zip(photos, (a, b), names, strict=True)):
        left, right = axes[2 * row], axes[2 * row + 1]
        left.set_axis_off()
        if photo is not None:
            style.picture(left, photo)
        left.set_title(name, fontsize=10, loc="left")
        title = f"{name}: {len(vector)} slots (blue: below 0, orange: above)"
        _bars(figure, right, vector, title, look)
    squared, cosine = float(difference.sum()), _cosine(a, b)
    said = (
        f"Euclidean distance {np.sqrt(squared):.4f}",
        f"squared distance {squared:.4f}",
        "cosine score: none (a zero vector)" if cosine is None else f"cosine score {cosine:.4f}",
        *([verdict] if verdict else []),
    )
    axes[4].set_axis_off()
    axes[4].text(0.02, 0.5, "\n".join(said), fontsize=11, va="center", linespacing=1.6)
    title = "squared difference per slot (white: none)"
    _bars(figure, axes[5], difference, title, style.unsigned(difference))
    numbers = {
        "slot": np.arange(len(a)),
        names[0]: a,
        names[1]: b,
        "squared difference": difference,
    }
    alt = f"Barcodes of the embeddings of {names[0]} and {names[1]}, and of their difference: "
    shown = any(photo is not None for photo in photos)
    return Plot("barcode", figure, alt + "; ".join(said) + ".", numbers, photos=shown)


def _bars(figure, axes, vector, title, look) -> None:  # type: ignore[no-untyped-def]
    table = np.tile(vector, (ROWS, 1))
    shown = axes.imshow(table, **look, interpolation="nearest", aspect="auto")
    axes.set_yticks([])
    axes.tick_params(labelsize=8)
    axes.set_title(title, fontsize=10, loc="left")
    figure.colorbar(shown, ax=axes, pad=0.02).ax.tick_params(labelsize=8)


def _cosine(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float | None:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else None


def example() -> Plot:
    """Return the figure for two made-up vectors of 128 slots."""
    draws = np.random.default_rng(11)
    a = draws.normal(0, 0.09, 128)
    shade = np.linspace(60, 220, 96).astype(np.uint8)
    photo = np.repeat(np.tile(shade, (96, 1))[..., None], 3, axis=2)
    return draw((photo, photo[:, ::-1]), (a, a + draws.normal(0, 0.03, 128)), verdict="same person")
