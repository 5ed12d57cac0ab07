"""The walk of one photo in one picture: preprocess, detect, align, embed, recognize (A4-18)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from facelign.report import style
from facelign.report.plot import Plot
from facelign.types.arrays import AnyArray, ByteArray


@dataclass(frozen=True, slots=True, eq=False)
class ChainStep:
    """One step: a title, a picture or a vector to show, and a line of text below it.

    picture: (h, w, 3) uint8 RGB, or None. vector: (d,), shown as a barcode. bars: label -> score,
    shown as the candidates of a search.
    """

    title: str
    text: str = ""
    picture: ByteArray | None = None
    vector: npt.ArrayLike | None = field(default=None, repr=False)
    bars: Sequence[tuple[str, float]] = ()


def draw(steps: Sequence[ChainStep], *, threshold: float | None = None) -> Plot:
    """Return the steps from left to right, an arrow between each. threshold: mark on ``bars``."""
    # letters are large, since five steps stand side by side on a telephone too
    figure, axes = style.figure(2.15 * len(steps), 3.2, columns=len(steps))
    figure.set_layout_engine("constrained", wspace=0.12)  # room for the arrows
    for k, (step, ax) in enumerate(zip(steps, axes, strict=True)):
        _show(ax, step, threshold)
        ax.set_title(f"{k + 1}  {step.title}", fontsize=14, fontweight="bold", loc="left")
        ax.text(0, -0.06, step.text, transform=ax.transAxes, fontsize=12, va="top")
        if k:
            ax.annotate(
                "",
                xy=(-0.01, 0.5),
                xytext=(-0.13, 0.5),
                xycoords="axes fraction",
                arrowprops={"arrowstyle": "-|>", "linewidth": 2, "color": style.BLUE},
            )
    alt = "The walk of a photo: " + ", ".join(step.title for step in steps) + "."
    numbers = {"step": [s.title for s in steps], "text": [s.text for s in steps]}
    return Plot("chain", figure, alt, numbers, photos=any(s.picture is not None for s in steps))


def _show(axes, step: ChainStep, threshold: float | None) -> None:  # type: ignore[no-untyped-def]
    if step.picture is not None:
        style.picture(axes, step.picture)
    elif step.vector is not None:
        vector: AnyArray = np.asarray(step.vector, float).reshape(1, -1)
        square = np.tile(vector, (vector.shape[1], 1))
        axes.imshow(square, **style.signed(vector), interpolation="nearest")
        axes.set_axis_off()
    else:
        names = [name for name, _ in step.bars]
        place = np.arange(len(names))[::-1]
        colors = [
            style.BLUE if threshold is None or score >= threshold else style.GRAY
            for _, score in step.bars
        ]
        axes.barh(place, [score for _, score in step.bars], color=colors, height=0.35)
        for y, (name, score) in zip(place, step.bars, strict=True):
            axes.text(
                0.0, y + 0.2, f"{name} {score:.2f}", fontsize=11, va="bottom",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )  # fmt: skip
        # room for three, so that one candidate is a bar and no wall
        low, high = min(0, len(names) - 3) - 0.4, len(names) - 0.4
        axes.set(xlim=(0, 1), ylim=(low, high), yticks=[], xticks=[], box_aspect=1)
        if threshold is not None:
            axes.axvline(threshold, color=style.BLACK, linestyle="--", linewidth=1, zorder=0)
            axes.text(threshold + 0.03, low + 0.08, f"threshold {threshold:.2f}", fontsize=11)
        axes.spines[["top", "right", "left"]].set_visible(False)


def example() -> Plot:
    """Return the figure for made-up steps."""
    y, x = np.mgrid[:96, :96]
    shade = np.stack([x * 2, y * 2, x + y], axis=2).clip(0, 255).astype(np.uint8)
    vector = np.random.default_rng(1).normal(0, 1, 64)
    return draw(
        [
            ChainStep("preprocess", "upright, RGB", shade),
            ChainStep("detect", "box and five points", shade[::-1]),
            ChainStep("align", "112 x 112", shade[16:80, 16:80]),
            ChainStep("embed", "64 numbers", vector=vector),
            ChainStep("recognize", "Ann", bars=(("Ann", 0.82), ("Bo", 0.11), ("Cy", 0.05))),
        ],
        threshold=0.36,
    )
