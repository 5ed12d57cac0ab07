"""HOG of a face: size and direction of the gradient, cell by cell (A4-19).

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection" (CVPR 2005): gradients by
[-1, 0, 1], nine unsigned directions over 180 degrees, votes weighted by size and shared between
the two nearest directions, cells of 8 px. Blocks of 2x2 cells are what a detector normalizes; the
drawing shows cells scaled by their own 3x3 neighborhood, so that dark parts show their edges too.
"""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot
from facelign.types.arrays import ByteArray, Float64Array

DIRECTIONS = 9
#: luma weights of ITU-R BT.601, as everywhere a gray picture is made from RGB
LUMA = np.array([0.299, 0.587, 0.114])


def cells(pixels: ByteArray, *, size: int = 8) -> Float64Array:
    """Return (rows, columns, 9) float64: votes of each cell for each direction of its gradient.

    pixels: (h, w, 3) uint8 RGB; what does not fill a cell at the right and lower edge is left out.
    Direction k is centered at ``(k + 0.5) * 20`` degrees, anticlockwise from the x axis.
    """
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    if rows < 1 or columns < 1:
        raise BadArray(f"hog: wanted at least {size} x {size} px, got {pixels.shape[:2]}.")
    gray = pixels.astype(np.float64) @ LUMA
    dx, dy = np.zeros_like(gray), np.zeros_like(gray)
    dx[:, 1:-1] = gray[:, 2:] - gray[:, :-2]
    dy[1:-1] = gray[2:] - gray[:-2]
    strength = np.hypot(dx, dy)
    angle = np.degrees(np.arctan2(-dy, dx)) % 180  # y grows downwards in a picture
    place = angle / (180 / DIRECTIONS) - 0.5
    lower = np.floor(place).astype(int)
    share = place - lower
    votes = np.zeros((rows, columns, DIRECTIONS))
    cut = (slice(0, rows * size), slice(0, columns * size))
    y, x = np.indices(gray.shape)
    for bins, weight in ((lower, 1 - share), (lower + 1, share)):
        index = (y[cut] // size, x[cut] // size, bins[cut] % DIRECTIONS)
        np.add.at(votes, index, (strength * weight)[cut])
    return votes


def draw(pixels: ByteArray, *, size: int = 8, title: str = "HOG") -> Plot:
    """Return the picture, its gradient size, and its cells as strokes along the edges."""
    votes = cells(pixels, size=size)
    gray = pixels.astype(np.float64) @ LUMA
    strength = np.hypot(*np.gradient(gray)[::-1])
    figure, axes = style.figure(10.6, 4.0, columns=3)
    style.picture(axes[0], pixels, "Picture")
    axes[1].imshow(strength, cmap="gray", interpolation="nearest")
    axes[1].set_axis_off()
    axes[1].set_title("Size of the gradient", fontsize=10, loc="left")
    _strokes(axes[2], votes, size)
    axes[2].set(xlim=(0, pixels.shape[1]), ylim=(pixels.shape[0], 0), aspect="equal")
    axes[2].set_facecolor("black")
    axes[2].set(xticks=[], yticks=[])
    axes[2].set_title(
        f"{title}: {DIRECTIONS} directions a cell of {size} px", fontsize=10, loc="left"
    )
    rows, columns = votes.shape[:2]
    where = np.indices((rows, columns)).reshape(2, -1)
    numbers = {"row": where[0], "column": where[1]} | {
        f"{int((k + 0.5) * 20)} deg": votes[..., k].reshape(-1) for k in range(DIRECTIONS)
    }
    alt = f"Picture, size of its gradient, and {rows} x {columns} HOG cells drawn as strokes."
    return Plot("hog", figure, alt, numbers, photos=True)


def _strokes(axes, votes: Float64Array, size: int) -> None:  # type: ignore[no-untyped-def]
    """Draw a star a cell: strokes along the edge, across the gradient, as bright as their vote."""
    total = votes.sum(axis=2)
    padded = np.pad(total, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    around = windows.mean(axis=(2, 3))
    bright = votes / (around[..., None] + 0.02 * total.max() + 1e-9)
    bright = (bright / max(np.percentile(bright, 99.5), 1e-9)).clip(0, 1)
    angles = np.radians((np.arange(DIRECTIONS) + 0.5) * (180 / DIRECTIONS) + 90)
    step = np.stack([np.cos(angles), -np.sin(angles)], axis=1) * size * 0.48
    rows, columns = np.indices(total.shape)
    centers = np.stack([columns, rows], axis=2)[:, :, None] * size + size / 2
    lines = np.stack([centers - step, centers + step], axis=3)
    shades = np.repeat(bright.reshape(-1, 1), 3, axis=1)
    order = np.argsort(bright.reshape(-1))  # bright strokes on top
    axes.add_collection(
        LineCollection(list(lines.reshape(-1, 2, 2)[order]), colors=shades[order], linewidths=1.1)
    )


def example() -> Plot:
    """Return the figure for a disk: every stroke lies along its rim."""
    y, x = np.mgrid[:128, :128]
    disk = np.where(np.hypot(x - 64, y - 64) < 44, 210, 40).astype(np.uint8)
    return draw(np.repeat(disk[..., None], 3, axis=2))
