"""Every figure: drawn, not blank, axes named, numbers readable. A new file is tested at once."""

import csv
import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.errors import BadArray, ConfigError
from facelign.report import plots, style
from facelign.report.plot import Series, curves
from facelign.report.plots import (
    average_faces,
    barcode,
    chain,
    cmc,
    f1_accuracy,
    gallery_size,
    hog,
    pathways,
    reliability,
    scatter,
    similarity,
)


@pytest.fixture(params=plots.names(), scope="module")
def plot(request):
    return plots.example(request.param)


def test_it_is_drawn(plot):
    pixels = np.asarray(Pillow.open(io.BytesIO(plot.png(dpi=60))).convert("RGB"))
    ink = (pixels < 250).any(axis=2).mean()
    assert 0.01 < ink < 0.95
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20


def test_svg_is_well_formed_and_loads_nothing(plot):
    text = plot.svg()
    assert ET.fromstring(text).tag.endswith("svg")
    assert not re.search(r'(?:href|src)="(?!#|data:)', text)


@pytest.mark.parametrize("name", ["det", "similarity"])
def test_a_figure_is_the_same_twice(name):
    drawn = plots.example(name)
    first = drawn.svg()
    drawn.png(dpi=40)
    assert drawn.svg() == first == plots.example(name).svg()


def test_axes_are_named(plot):
    plain = [ax for ax in plot.figure.axes if ax.axison and not ax.images]
    plain = [ax for ax in plain if ax.get_label() != "<colorbar>"]
    named = [ax for ax in plain if ax.get_xlabel() or ax.get_ylabel() or ax.get_title(loc="left")]
    assert len(named) == len(plain)


def test_numbers_can_be_read_back(plot):
    rows = list(csv.reader(io.StringIO(plot.csv())))
    assert rows[0] == list(plot.numbers)
    assert len(rows) == 1 + max(len(column) for column in plot.numbers.values())
    assert all(len(row) == len(rows[0]) for row in rows)


def test_alt_is_a_sentence(plot):
    assert plot.alt.endswith(".")
    assert len(plot.alt) > 20


def test_a_line_without_ranks_is_refused_in_words():
    nobody = Series("nobody", np.zeros(0), np.zeros(0))
    with pytest.raises(BadArray, match="'nobody' has no rank"):
        cmc.draw([nobody])


def test_save_by_suffix(tmp_path):
    drawn = plots.example("cmc")
    assert drawn.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in drawn.save(tmp_path / "a.svg").read_text(encoding="utf-8")
    assert drawn.save(tmp_path / "a.csv").read_text(encoding="utf-8-sig").startswith("best")
    with pytest.raises(ConfigError, match="png"):
        drawn.save(tmp_path / "a.pdf")


def test_unknown_figure_names_the_others():
    with pytest.raises(ConfigError) as caught:
        plots.find("rock")
    assert "roc" in caught.value.hint


def test_pyplot_is_never_loaded():
    code = (
        "import sys; from facelign.report import plots; plots.example('roc'); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lines_differ_in_more_than_color():
    looks = [next_ for _, next_ in zip(range(7), style.line_styles(), strict=False)]
    assert len({str(look["linestyle"]) for look in looks}) == 7


def test_unaligned_is_blue_and_aligned_orange():
    lines = plots.example("roc").figure.axes[0].get_lines()
    assert [line.get_color() for line in lines[:2]] == ["#0072B2", "#E69F00"]


def test_series_with_half_an_interval():
    with pytest.raises(BadArray):
        Series("a", [1, 2], [1, 2], low=[0, 1])


def test_stable_looks_do_not_depend_on_order():
    people = [f"p{k}" for k in range(70)]
    assert scatter.looks(people) == scatter.looks(people[::-1])
    assert len(set(scatter.looks(people).values())) == 70


def test_scatter_needs_a_point_a_name():
    with pytest.raises(BadArray):
        scatter.draw(np.zeros((3, 2)), ["a", "b"])


def test_searches_without_an_error_are_drawn_too():
    sizes = np.array([2.0, 5.0])
    for target in (None, 0.01):
        drawn = gallery_size.draw([Series("FPIR", sizes, np.zeros(2))], target=target)
        assert drawn.png()
        words = [text.get_text() for text in drawn.figure.axes[0].texts]
        assert "No search ends in an error." in words


def test_barcode_is_the_grid_of_the_article():
    a, b = np.array([0.5, -0.5, 0.1, 0.0]), np.array([0.5, 0.5, 0.0, 0.0])
    drawn = barcode.draw((None, None), (a.tolist(), b))
    bars = [ax.images[0] for ax in drawn.figure.axes if ax.images]
    grids = [image for image in bars if image.get_array().shape[0] == barcode.ROWS]
    assert len(grids) == 3
    assert all(image.get_interpolation() == "nearest" for image in grids)
    np.testing.assert_allclose(grids[2].get_array()[0], (a - b) ** 2)
    assert not drawn.photos
    assert "squared distance 1.0100" in drawn.alt
    assert "cosine score" in drawn.alt


def test_barcode_of_one_vector_with_itself_is_zero():
    a = np.linspace(-1, 1, 128)
    drawn = barcode.draw((None, None), (a, a))
    assert "Euclidean distance 0.0000" in drawn.alt
    assert not np.any(drawn.numbers["squared difference"])


def test_barcode_refuses_two_spaces():
    with pytest.raises(BadArray):
        barcode.draw((None, None), (np.zeros(128), np.zeros(512)))


def test_zero_is_white_in_every_barcode():
    drawn = barcode.draw((None, None), (np.linspace(-1, 1, 9), np.linspace(-0.5, 1.5, 9)))
    bars = [axes.images[0] for axes in drawn.figure.axes if axes.images and axes.get_title("left")]
    assert len(bars) == 3
    for image in bars:
        np.testing.assert_allclose(image.cmap(image.norm(0.0))[:3], (1, 1, 1), atol=0.02)
    assert bars[0].norm.vmax == bars[1].norm.vmax == 1.5, "one scale for both vectors"
    assert style.unsigned(np.zeros(4))["vmax"] > 0


def test_zero_is_white_and_signs_have_colors_of_their_own():
    look = style.signed([-0.5, 0.25])
    assert (look["vmin"], look["vmax"]) == (-0.5, 0.5)
    below, zero, above = (look["cmap"](share)[:3] for share in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(zero, (1, 1, 1), atol=0.02)
    assert below[2] > below[0]
    assert above[0] > above[2]
    assert style.signed(np.zeros(4))["vmax"] > 0


@pytest.mark.parametrize(("threshold", "verdict"), [(0.3, "one person"), (0.99, "two people")])
def test_an_arm_says_what_its_threshold_decides(threshold, verdict):
    picture = np.zeros((8, 8, 3), np.uint8)
    vectors = [[1.0, 0.0], [0.6, 0.8]]
    drawn = pathways.draw("a", "b", [picture] * 2, [picture] * 2, vectors, threshold=threshold)
    said = f"cosine 0.60 threshold of others {threshold:.2f} so {verdict}"
    assert drawn.numbers["what"][-1] == said


def test_candidates_below_the_threshold_are_gray():
    step = chain.ChainStep("recognize", bars=(("Ann", 0.8), ("Bo", 0.1)))
    (axes,) = chain.draw([step], threshold=0.4).figure.axes
    colors = [bar.get_facecolor() for bar in axes.patches]
    assert len(colors) == 2
    assert colors[0] != colors[1]
    assert "threshold 0.40" in [text.get_text() for text in axes.texts]


def test_similarity_is_square():
    with pytest.raises(BadArray):
        similarity.draw(np.zeros((2, 3)), ["a", "b"])


def test_an_average_of_faces_counts_as_photo():
    pictures = np.zeros((3, 8, 8, 3), np.uint8)
    points = np.zeros((3, 5, 2))
    assert average_faces.draw(pictures, pictures, points, points).photos
    many = np.zeros((12, 8, 8, 3), np.uint8)
    # many photos of one person average to that person
    assert average_faces.draw(many, many, np.zeros((12, 5, 2)), np.zeros((12, 5, 2))).photos


class TestHogCells:
    def test_a_vertical_edge_votes_for_zero_degrees(self):
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[:, 4:] = 200
        votes = hog.cells(pixels)
        assert votes.shape == (2, 2, 9)
        # 0 degrees lies between the first (10) and the last (170) direction: shared equally
        np.testing.assert_allclose(votes[0, 0, 0], votes[0, 0, 8])
        assert votes[0, 0, 1:8].sum() == pytest.approx(0)

    def test_a_horizontal_edge_votes_for_ninety_degrees(self):
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[4:] = 200
        votes = hog.cells(pixels)
        assert votes[0, 0].argmax() == 4  # 80 to 100 degrees
        assert votes[0, 0, 4] == pytest.approx(votes[0, 0].sum())

    def test_votes_keep_the_whole_strength(self):
        pixels = np.random.default_rng(0).integers(0, 256, (32, 24, 3), dtype=np.uint8)
        gray = pixels.astype(float) @ hog.LUMA
        dx, dy = np.zeros_like(gray), np.zeros_like(gray)
        dx[:, 1:-1], dy[1:-1] = gray[:, 2:] - gray[:, :-2], gray[2:] - gray[:-2]
        assert hog.cells(pixels).sum() == pytest.approx(np.hypot(dx, dy).sum())

    def test_a_flat_picture_has_no_votes_and_is_drawn(self):
        assert hog.draw(np.full((32, 32, 3), 90, np.uint8)).png()

    def test_too_small(self):
        with pytest.raises(BadArray):
            hog.cells(np.zeros((7, 20, 3), np.uint8))

    def test_directions_agree_with_skimage(self):
        # an independent route: scikit-image votes for the nearest direction only, so compare sums
        from skimage.feature import hog as reference

        y, x = np.mgrid[:64, :64]
        ramp = np.clip(2.0 * x + 1.0 * y, 0, 255).astype(np.uint8)
        votes = hog.cells(np.repeat(ramp[..., None], 3, axis=2))[1:-1, 1:-1].sum(axis=(0, 1))
        want = reference(
            ramp.astype(float), orientations=9, pixels_per_cell=(8, 8), cells_per_block=(1, 1),
            feature_vector=False,
        )[1:-1, 1:-1, 0, 0].sum(axis=(0, 1))  # fmt: skip
        # its angles grow clockwise (y down), ours anticlockwise
        assert votes.argmax() == 8 - want.argmax()


def bounds_of_texts(plot):
    """Yield (text, box) of every title and label of a settled figure, px."""
    figure = plot.figure
    style.settle(figure)
    draws = figure.canvas.get_renderer()
    for axes in figure.axes:
        for text in (axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label):
            if text.get_text():
                yield text.get_text(), text.get_window_extent(draws)


@pytest.mark.parametrize("method", ["logistic", "isotonic (PAV) of people nobody has ever met"])
def test_a_long_title_stays_whole_within_the_figure(method):
    said = np.linspace(0.05, 0.95, 3)
    plot = reliability.draw(said, said, [39, 40, 40], ece=0.0003, title=f"Reliability, {method}")
    wide, tall = plot.figure.bbox.width, plot.figure.bbox.height
    seen = list(bounds_of_texts(plot))
    assert any("0.0003" in text.replace("\n", " ") for text, _ in seen)
    for text, box in seen:
        assert 0 <= box.x0 < box.x1 <= wide, text
        assert 0 <= box.y0 < box.y1 <= tall, text


def test_counts_that_are_alike_have_an_axis_of_a_few_whole_numbers_from_zero():
    said = np.linspace(0.05, 0.95, 3)
    figure = reliability.draw(said, said, [39, 40, 40]).figure
    figure.draw_without_rendering()
    below = figure.axes[1]
    assert below.get_yscale() == "linear"
    assert below.get_ylim()[0] == 0
    shown = [label.get_text() for label in below.get_yticklabels()]
    assert len(shown) <= 5
    assert all(text.isdigit() for text in shown)
    assert reliability.example().figure.axes[1].get_yscale() == "log"


@pytest.mark.parametrize(("people", "mark"), [(4, "Bold"), (20, "A dot")])
def test_marks_of_a_similarity_matrix_are_explained(people, mark):
    names = [f"p{k}" for k in range(people)]
    plot = similarity.draw(np.eye(people), names, threshold=0.4)
    told = f"{mark}: at or above the threshold 0.400"
    assert plot.figure.axes[0].get_xlabel() == told
    assert told in plot.alt
    assert similarity.draw(np.eye(people), names).figure.axes[0].get_xlabel() == ""


def test_the_best_threshold_is_the_one_that_is_told():
    tau = np.array([0.1, 0.2, 0.3, 0.4])
    plot = f1_accuracy.draw(tau, [0.5, 0.9, 0.9, 0.6], [0.5, 0.9, 0.9, 0.6], best=0.3)
    assert "at 0.300" in plot.alt


def test_lines_of_a_figure_keep_their_points_their_looks_and_their_intervals():
    x = np.array([0.0, 1.0, 10.0])
    bounded = Series("a", x, x + 1, low=x, high=x + 2, note="n")
    _, (axes,) = style.figure()
    curves(axes, [bounded, Series("b", x, x)], where=lambda s: s.x > 0, unit=100, band=0.2,
           marker=True)  # fmt: skip
    first, second = axes.get_lines()
    assert first.get_xdata().tolist() == [100.0, 1000.0]  # 0 has no place on a logarithmic axis
    assert (first.get_label(), second.get_label()) == ("a (n)", "b")
    assert first.get_marker() != second.get_marker()
    (interval,) = axes.collections  # of the one line that has one
    assert interval.get_alpha() == 0.2
