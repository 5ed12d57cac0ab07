"""A network as blocks from left to right, marked by what becomes of each (A1-25, A2-26)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from facelign.report import style
from facelign.report.plot import Plot

#: room between columns, between branches and between rows
_GAP, _APART, _BELOW = 0.32, 1.4, 1.5


class BlockMark(StrEnum):
    """What a layer is to the reader. Told by color, hatch and a word below it."""

    KEPT = "kept"
    EMBEDDING = "embedding"
    DROPPED = "dropped"
    TRAINED = "trained"


_FILL = {
    BlockMark.KEPT: ("#E8EEF4", ""),
    BlockMark.EMBEDDING: (style.SKY, ""),
    BlockMark.DROPPED: ("#FFFFFF", "xx"),
    BlockMark.TRAINED: (style.ORANGE, "//"),
}


@dataclass(frozen=True, slots=True)
class DrawnLayer:
    """One block. shape: of what comes out, (height, width, channels) or (numbers,).

    inputs: places of the layers that it reads, before it; None for the one before. parameters: its
    numbers, 0 where nobody counted.
    """

    name: str
    shape: tuple[int, ...]
    mark: BlockMark = BlockMark.KEPT
    inputs: tuple[int, ...] | None = None
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class _Box:
    """Where a layer is drawn: left and right edge, middle and half height; its row."""

    left: float
    right: float
    y: float
    half: float
    row: int


def draw(layers: Sequence[DrawnLayer], *, title: str, columns: int = 16) -> Plot:
    """Return the network from left to right, in rows of so many columns; branches below each other.

    A block's height follows the root of its side in px, its width the logarithm of its channels;
    both only tell larger from smaller. Numbers are written on it.
    """
    read = [_inputs(layers, n) for n in range(len(layers))]
    boxes = _placed(layers, read, columns)
    right = max(box.right for box in boxes)
    top = max(box.y + box.half for box in boxes)
    bottom = min(box.y - box.half for box in boxes)
    figure, (axes,) = style.figure(0.62 * (right + 0.32) + 0.6, 0.66 * (top - bottom) + 1.4)
    for layer, box in zip(layers, boxes, strict=True):
        _draw(axes, layer, box)
    for box, sources in zip(boxes, read, strict=True):
        for source in sources:
            _connect(axes, boxes[source], box)
    axes.set(xlim=(-0.3, right + 0.32), ylim=(bottom - 0.75, top + 0.5), aspect="equal")
    axes.set_axis_off()
    axes.set_title(title, fontsize=11, loc="left")
    numbers = {
        "layer": [layer.name for layer in layers],
        "output": [_shape(layer.shape).replace("\n", " ") for layer in layers],
        "mark": [layer.mark.value for layer in layers],
        "reads": [" ".join(layers[n].name for n in sources) for sources in read],
        "parameters": [layer.parameters for layer in layers],
    }
    return Plot("network", figure, f"{title}: {_told(layers)}.", numbers)


def _told(layers: Sequence[DrawnLayer]) -> str:
    """Return which layers are marked, rows of them by their ends."""
    rows = [(mark, [*part]) for mark, part in groupby(layers, lambda layer: layer.mark)]
    told = [
        f"{part[0].name}{f' to {part[-1].name}' if len(part) > 1 else ''} {mark.value}"
        for mark, part in rows
        if mark is not BlockMark.KEPT
    ]
    return ", ".join(told) or "all layers kept"


def _inputs(layers: Sequence[DrawnLayer], place: int) -> tuple[int, ...]:
    told = layers[place].inputs
    return ((place - 1,) if place else ()) if told is None else told


def _placed(
    layers: Sequence[DrawnLayer], read: Sequence[tuple[int, ...]], columns: int
) -> list[_Box]:
    """Return where layers stand: a column behind what they read, equal ones below each other."""
    depth: list[int] = []
    for sources in read:
        depth.append(1 + max((depth[n] for n in sources), default=-1))
    lanes = [[n for n, d in enumerate(depth) if d == column] for column in range(max(depth) + 1)]
    widths = [0.5 + 0.14 * float(np.log2(max(layer.shape[-1], 2))) for layer in layers]
    heights = [_height(layer.shape) for layer in layers]
    boxes: dict[int, _Box] = {}
    middle = 0.0
    for row, begin in enumerate(range(0, len(lanes), columns)):
        part, left = lanes[begin : begin + columns], 0.0
        tall = max(sum(heights[n] for n in lane) + _APART * (len(lane) - 1) for lane in part)
        middle -= tall / 2 if row else 0.0
        for lane in part:
            wide = max(widths[n] for n in lane)
            y = middle + (sum(heights[n] for n in lane) + _APART * (len(lane) - 1)) / 2
            for n in lane:
                at = left + (wide - widths[n]) / 2
                boxes[n] = _Box(at, at + widths[n], y - heights[n] / 2, heights[n] / 2, row)
                y -= heights[n] + _APART
            left += wide + _GAP
        middle -= tall / 2 + _BELOW
    return [boxes[n] for n in range(len(layers))]


def _draw(axes: Axes, layer: DrawnLayer, box: _Box) -> None:
    fill, hatch = _FILL[layer.mark]
    dropped = layer.mark is BlockMark.DROPPED
    axes.add_patch(
        FancyBboxPatch(
            (box.left, box.y - box.half),
            box.right - box.left,
            2 * box.half,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=fill,
            edgecolor=style.BLACK if dropped else style.BLUE,
            linestyle="--" if dropped else "-",
            hatch=hatch,
        )
    )
    middle, below = (box.left + box.right) / 2, box.y - box.half
    axes.text(middle, box.y + box.half + 0.12, layer.name, ha="center", va="bottom", fontsize=9)
    axes.text(middle, below - 0.12, _shape(layer.shape), ha="center", va="top", fontsize=8)
    if layer.mark is not BlockMark.KEPT:
        word = layer.mark.value
        axes.text(middle, below - 0.62, word, ha="center", va="top", fontsize=9, weight="bold")


def _connect(axes: Axes, source: _Box, target: _Box) -> None:
    """Draw an arrow; from row to row a stroke out of the one and an arrow into the other."""
    look = {"arrowstyle": "-|>", "color": style.GRAY, "shrinkA": 1, "shrinkB": 1, "zorder": 0}
    begin, end = (source.right, source.y), (target.left, target.y)
    if source.row == target.row:
        axes.annotate("", xy=end, xytext=begin, arrowprops=look)
        return
    axes.annotate("", xy=(source.right + 0.28, source.y), xytext=begin, arrowprops=look)
    axes.annotate("", xy=end, xytext=(target.left - 0.28, target.y), arrowprops=look)


def _height(shape: tuple[int, ...]) -> float:
    return 0.9 if len(shape) == 1 else 0.3 + 0.2 * float(np.sqrt(shape[0]))


def _shape(shape: tuple[int, ...]) -> str:
    return f"{shape[0]:,}" if len(shape) == 1 else f"{shape[0]}x{shape[1]}\nx {shape[2]}"


def example() -> Plot:
    """Return the figure for a made-up network of which the last blocks are trained anew."""
    layers = [
        DrawnLayer("input", (64, 64, 3)),
        DrawnLayer("conv 3x3", (32, 32, 32), parameters=896),
        DrawnLayer("conv 3x3", (16, 16, 64), inputs=(1,), parameters=18_496),
        DrawnLayer("conv 5x5", (16, 16, 64), inputs=(1,), parameters=51_264),
        DrawnLayer("joined", (8, 8, 128), BlockMark.TRAINED, inputs=(2, 3), parameters=147_584),
        DrawnLayer("dense", (136,), BlockMark.TRAINED, parameters=17_544),
    ]
    return draw(layers, title="A network with its last blocks trained")
