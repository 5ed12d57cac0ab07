"""One arm of the alignment study in one picture: how it is trained, how it is tested (A0-17)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot
from facelign.types.arrays import ByteArray, Float64Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: space between two pictures in one cell, as a share of their height
_GAP = 0.06


def draw(
    arm: str,
    cut: str,
    photos: Sequence[ByteArray],
    chips: Sequence[ByteArray],
    vectors: npt.ArrayLike,
    *,
    model: str = "the network",
    training: tuple[str, Sequence[ByteArray], npt.ArrayLike] | None = None,
    threshold: float | None = None,
    people: bool = True,
) -> Plot:
    """Return the steps of an arm from left to right, training above, testing below.

    arm, cut: its name, and what is done to a photo. photos, chips: two pictures (h, w, 3) uint8
    RGB and what the network sees of them. vectors: (2, d), what it makes of them. training: cut,
    chips and vectors of the training, where it was another's; left out, the arm trains as it tests.
    threshold: from which cosine on the arm says one person. people: whether the pictures show any.
    """
    made = np.asarray(vectors, np.float64)
    if len(photos) != 2 or len(chips) != 2 or made.ndim != 2 or len(made) != 2:
        raise BadArray("pathways: wanted two photos, two chips and two vectors.")
    lengths = np.linalg.norm(made, axis=1)
    cosine = float(made[0] @ made[1] / max(float(lengths.prod()), 1e-12))
    decision = f"cosine {cosine:.2f}\nagainst a threshold of\nother people"
    if threshold is not None:
        verdict = "one person" if cosine >= threshold else "two people"
        said = f"cosine {cosine:.2f}", f"threshold of others {threshold:.2f}", f"so {verdict}"
        decision = "\n".join(said)
    # texts hang over the edges of their cells, so places are fixed and not worked out
    places = {"left": 0.02, "right": 0.98, "top": 0.86, "bottom": 0.1, "wspace": 0.3, "hspace": 0.7}
    figure, axes = style.figure(11.0, 4.8, rows=2, columns=5, gridspec_kw=places)
    figure.set_layout_engine("none")
    learned, seen, given = training or (cut, chips, made)
    same = "as in training" if learned == cut else "not as in training"
    rows = (
        (
            ("photos with names", beside(photos), "each with a name"),
            ("cut", beside(seen), learned),
            ("network", None, f"{model}\nweights that change"),
            ("vectors", np.asarray(given, np.float64), "one a photo"),
            ("loss", None, "one person: nearer\ntwo people: farther\n\u21b6 change the weights"),
        ),
        (
            ("a pair of photos", beside(photos), "of whom, nobody says"),
            ("cut", beside(chips), f"{cut}\n{same}"),
            ("network", None, f"{model}\nweights that stay"),
            ("vectors", made, "one a photo"),
            ("decision", None, decision),
        ),
    )
    for number, (name, row) in enumerate(zip(("training", "testing"), rows, strict=True)):
        for place, (title, shown, text) in enumerate(row):
            ax = axes[5 * number + place]
            _cell(ax, shown, text)
            ax.set_title(title, fontsize=10.5, fontweight="bold")
            if place:
                _arrow(ax)
        note = f"{arm}: {name}" + (", done by others" if training and not number else "")
        top = axes[5 * number].get_position(original=True).y1
        figure.text(0.02, top + 0.065, note, fontsize=12, va="bottom")
    steps = [title for row in rows for title, _, _ in row]
    texts = [text.replace("\n", " ") for row in rows for _, _, text in row]
    alt = f"{arm}, training and testing: photos, {cut}, {model}, vectors, then loss or decision."
    numbers = {"part": ["training"] * 5 + ["testing"] * 5, "step": steps, "what": texts}
    return Plot(
        f"pathway-{arm.split(' (')[0].replace(' ', '-')}", figure, alt, numbers, photos=people
    )


def beside(pictures: Sequence[ByteArray]) -> ByteArray:
    """Return two pictures of one height side by side, a white gap between; (h, w, 3) uint8."""
    height = max(picture.shape[0] for picture in pictures)
    made = []
    for picture in pictures:
        rows = np.linspace(0, picture.shape[0] - 1, height).round().astype(int)
        width = round(picture.shape[1] * height / picture.shape[0])
        columns = np.linspace(0, picture.shape[1] - 1, width).round().astype(int)
        made.append(picture[rows][:, columns])
    gap = np.full((height, max(1, round(_GAP * height)), 3), 255, np.uint8)
    return np.concatenate([made[0], gap, made[1]], axis=1)


def _cell(axes: Axes, shown: ByteArray | Float64Array | None, text: str) -> None:
    axes.set_axis_off()
    if shown is None:
        axes.set(xlim=(0, 1), ylim=(0, 1), box_aspect=0.5)
        axes.text(
            0.5, 0.5, text, ha="center", va="center", fontsize=9,
            bbox={"boxstyle": "round,pad=0.6", "facecolor": "#EEF3F8", "edgecolor": style.BLUE},
        )  # fmt: skip
        return
    if shown.ndim == 3:
        style.picture(axes, shown)
    else:
        side = shown.shape[1]
        bars = np.repeat(shown, max(1, side // 5), axis=0)
        middle = bars.shape[0] // 2
        bars = np.insert(bars, middle, np.full((max(1, side // 30), side), np.nan), axis=0)
        axes.imshow(bars, **style.signed(shown), interpolation="nearest")
    axes.text(0.5, -0.06, text, transform=axes.transAxes, fontsize=9, ha="center", va="top")


def _arrow(axes: Axes) -> None:
    axes.annotate(
        "",
        xy=(0.0, 0.5),
        xytext=(-0.12, 0.5),
        xycoords="axes fraction",
        arrowprops={"arrowstyle": "-|>", "linewidth": 2, "color": style.BLUE},
    )


def example() -> Plot:
    """Return the figure for made-up pictures."""
    y, x = np.mgrid[:96, :96]
    shade = np.stack([x * 2, y * 2, x + y], axis=2).clip(0, 255).astype(np.uint8)
    vectors = np.random.default_rng(1).normal(0, 1, (2, 64))
    chips = [shade[16:80, 16:80], shade[20:84, 20:84]]
    return draw("aligned", "five points onto their places", [shade, shade], chips, vectors)
