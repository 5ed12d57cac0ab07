"""A network as blocks in a row, the layers that are dropped marked (A1-25), for the documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from matplotlib.patches import FancyBboxPatch

from facelign.report import style
from facelign.report.plot import Plot


class Mark(StrEnum):
    """What a layer is to the reader. Told by color, hatch and a word below it."""

    KEPT = "kept"
    EMBEDDING = "embedding"
    DROPPED = "dropped"
    TRAINED = "trained"


_FILL = {
    Mark.KEPT: ("#E8EEF4", ""),
    Mark.EMBEDDING: (style.SKY, ""),
    Mark.DROPPED: ("#FFFFFF", "xx"),
    Mark.TRAINED: (style.ORANGE, "//"),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One block. shape: of what comes out, (height, width, channels) or (numbers,)."""

    name: str
    shape: tuple[int, ...]
    mark: Mark = Mark.KEPT


def draw(layers: Sequence[Layer], *, title: str) -> Plot:
    """Return the network from left to right.

    A block's height follows the root of its side in px, its width the logarithm of its channels;
    both only tell larger from smaller. Numbers are written on it.
    """
    widths = [0.5 + 0.14 * np.log2(max(layer.shape[-1], 2)) for layer in layers]
    heights = [_height(layer.shape) for layer in layers]
    lefts = np.concatenate([[0.0], np.cumsum(np.asarray(widths) + 0.32)])
    figure, (axes,) = style.figure(0.62 * float(lefts[-1]) + 0.6, 3.9)
    for layer, left, width, height in zip(layers, lefts[:-1], widths, heights, strict=True):
        fill, hatch = _FILL[layer.mark]
        axes.add_patch(
            FancyBboxPatch(
                (left, -height / 2),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=fill,
                edgecolor=style.BLACK if layer.mark is Mark.DROPPED else style.BLUE,
                linestyle="--" if layer.mark is Mark.DROPPED else "-",
                hatch=hatch,
            )
        )
        middle = left + width / 2
        axes.text(middle, height / 2 + 0.12, layer.name, ha="center", va="bottom", fontsize=9)
        axes.text(
            middle, -height / 2 - 0.12, _shape(layer.shape), ha="center", va="top", fontsize=8
        )
        if layer.mark is not Mark.KEPT:
            axes.text(
                *(middle, -height / 2 - 0.62),
                layer.mark.value,
                ha="center",
                va="top",
                fontsize=9,
                fontweight="bold",
            )
    for left, width, following in zip(lefts, widths, lefts[1:-1], strict=False):
        axes.annotate(
            "",
            xy=(following, 0),
            xytext=(left + width, 0),
            arrowprops={"arrowstyle": "-|>", "color": style.GRAY, "shrinkA": 1, "shrinkB": 1},
        )
    top = max(heights) / 2
    axes.set(xlim=(-0.3, lefts[-1]), ylim=(-top - 0.75, top + 0.5), aspect="equal")
    axes.set_axis_off()
    axes.set_title(title, fontsize=11, loc="left")
    numbers = {
        "layer": [layer.name for layer in layers],
        "output": [_shape(layer.shape) for layer in layers],
        "mark": [layer.mark.value for layer in layers],
    }
    marked = [f"{x.name} {x.mark.value}" for x in layers if x.mark is not Mark.KEPT]
    return Plot("network", figure, f"{title}: {', '.join(marked) or 'all layers kept'}.", numbers)


def _height(shape: tuple[int, ...]) -> float:
    return 0.9 if len(shape) == 1 else 0.3 + 0.2 * float(np.sqrt(shape[0]))


def _shape(shape: tuple[int, ...]) -> str:
    return f"{shape[0]:,}" if len(shape) == 1 else f"{shape[0]}x{shape[1]}\nx {shape[2]}"


# Parkhi, Vedaldi, Zisserman: Deep Face Recognition, BMVC 2015, table 3 (configuration D of VGG).
VGG_FACE = (
    Layer("input", (224, 224, 3)),
    Layer("conv x2", (224, 224, 64)),
    Layer("conv x2", (112, 112, 128)),
    Layer("conv x3", (56, 56, 256)),
    Layer("conv x3", (28, 28, 512)),
    Layer("conv x3", (14, 14, 512)),
    Layer("pool", (7, 7, 512)),
    Layer("fc6", (4096,)),
    Layer("fc7", (4096,)),
    Layer("fc8", (2622,), Mark.EMBEDDING),
    Layer("softmax", (2622,), Mark.DROPPED),
)

# Taigman, Yang, Ranzato, Wolf: DeepFace, CVPR 2014, figure 2; L: locally connected.
DEEPFACE = (
    Layer("input", (152, 152, 3)),
    Layer("C1", (142, 142, 32)),
    Layer("M2", (71, 71, 32)),
    Layer("C3", (63, 63, 16)),
    Layer("L4", (55, 55, 16)),
    Layer("L5", (25, 25, 16)),
    Layer("L6", (21, 21, 16)),
    Layer("F7", (4096,), Mark.EMBEDDING),
    Layer("F8 softmax", (4030,), Mark.DROPPED),
)

# OpenFace's nn4.small2 (cmusatyalab/openface models/openface/nn4.small2.def.lua), 3,733,968
# parameters; a letter behind a number is a module of convolutions of several sizes and a pool.
NN4_SMALL2 = (
    Layer("input", (96, 96, 3)),
    Layer("conv 7x7", (48, 48, 64)),
    Layer("pool, LRN", (24, 24, 64)),
    Layer("conv x2", (24, 24, 192)),
    Layer("LRN, pool", (12, 12, 192)),
    Layer("3a", (12, 12, 256)),
    Layer("3b", (12, 12, 320)),
    Layer("3c", (6, 6, 640)),
    Layer("4a", (6, 6, 640)),
    Layer("4e", (3, 3, 1024)),
    Layer("5a", (3, 3, 736)),
    Layer("5b", (3, 3, 736)),
    Layer("mean", (736,)),
    Layer("dense", (128,)),
    Layer("length 1", (128,), Mark.EMBEDDING),
)
