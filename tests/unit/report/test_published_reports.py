"""Reports that leave the house: no folders, no photos, no formulas; figures of maps on disk."""

import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest

from facelign.report import files, html, plots
from facelign.report.page import (
    FaceMap,
    Fact,
    Mood,
    Report,
    Section,
    Table,
    Thumbnail,
    Tile,
    Wall,
)
from facelign.report.plot import Plot, Series
from facelign.report.plots import det, intervals
from facelign.report.publish import published, without_folders
from facelign.wire import cells

PHOTO = "/srv/anna/album/Anna/first.jpg"


@pytest.fixture(scope="module")
def report() -> Report:
    points = np.random.default_rng(3).normal(0, 1, (6, 2))
    return Report(
        title="Verification on album",
        verdict=f"Judged by {PHOTO}.",
        headline=(Fact("Lost", "1", note=PHOTO),),
        sections=(
            Section(
                "Failures",
                (f"Such as {PHOTO}.",),
                figures=(plots.example("roc"), plots.example("average_faces")),
                tables=(Table("Photos", ("photo", "pairs"), ((PHOTO, 12345), ("x.jpg", 7))),),
                walls=(Wall("The photos", (Tile((), f"{PHOTO}: no face"),)),),
                maps=(FaceMap("t-SNE", points, ["=Eve", "Bo", "Bo", "Cy", "Cy", "Cy"]),),
            ),
        ),
        provenance={"command": f"facelign evaluate verification --images={PHOTO} '{PHOTO}'"},
        caveats=(f"{PHOTO} is not there.",),
    )


def test_every_text_of_every_record_is_published():
    """Maps, columns, labels and the numbers of figures too: whatever a record holds."""
    told = dict.fromkeys(("title", "verdict", "scope"), PHOTO)
    points = np.zeros((1, 2))
    photo = Thumbnail(PHOTO.encode(), PHOTO)
    figure = plots.example("roc").figure
    section = Section(
        PHOTO,
        (PHOTO,),
        (Plot("p", figure, PHOTO, {PHOTO: [PHOTO, 1.5], "n": np.arange(2)}),),
        (Table(PHOTO, (PHOTO,), ((PHOTO,), (7,)), PHOTO),),
        (Wall(PHOTO, (Tile((photo,), PHOTO),), PHOTO),),
        (FaceMap(PHOTO, points, [PHOTO], [photo], PHOTO),),
    )
    fact = Fact(PHOTO, PHOTO, PHOTO, PHOTO)
    report = Report(**told, headline=(fact,), sections=(section,), provenance={PHOTO: PHOTO})
    cut = published(report)
    assert "/srv" not in repr(cut).replace(repr(photo.data), "")
    (plot,), (shown,) = cut.sections[0].figures, cut.sections[0].maps
    assert plot.csv().startswith("\u2026/first.jpg,n")
    assert shown.photos[0].data == photo.data  # a picture is not text
    np.testing.assert_array_equal(shown.points, points)
    assert cut.mood is Mood.PLAIN


def test_folders_stay_at_home_in_page_and_numbers(report, tmp_path):
    page = html.render(report, photos=False)
    assert "/srv/anna" in html.render(report)
    assert "/srv" not in page
    assert page.count("\u2026/first.jpg") >= 7
    for path in files.numbers(report, tmp_path, photos=False):
        assert "/srv" not in path.read_text()
    assert "left out, since it shows people" in page


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("--images /data/faces/lfw --x", "--images \u2026/lfw --x"),
        ("'C:\\Users\\ann\\a.jpg'", "'\u2026/a.jpg'"),
        ("sface/arcface-112/five", "sface/arcface-112/five"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("Anna/first.jpg, 3/4", "Anna/first.jpg, 3/4"),
    ],
)
def test_only_absolute_paths_are_cut(text, wanted):
    assert without_folders(text) == wanted


def test_the_home_of_the_user_is_a_tilde(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/an na"))
    assert without_folders("--out /home/an na/x.json") == "--out ~/x.json"


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|'/C calc'!A0", "-2+Sheet1!A1", "\t=1"])
def test_a_spreadsheet_computes_no_name(text):
    assert cells.guarded(text) == f"'{text}"
    table = Table("t", (text, "n"), ((text, -0.5),))
    rows = list(csv.reader(io.StringIO(table.csv())))
    assert rows == [[f"'{text}", "n"], [f"'{text}", "-0.5"]]
    figure = plots.example("roc").figure
    assert Plot("p", figure, "p", {text: [text, 1.5]}).csv().startswith(f"'{text}")


@pytest.mark.parametrize(
    "text", ["-0.5", "+0.0012 to +0.0037", "-1e-05", "-", "-inf", "Anna", "a=b", 3, None, -2.5]
)
def test_numbers_and_names_stay_as_they_are(text):
    assert cells.guarded(text) == text


def test_whole_numbers_are_grouped_and_columns_of_numbers_stand_right(report):
    page = html.render(report)
    assert '<th scope="col" class="number">pairs</th>' in page
    assert '<td class="number">12,345</td>' in page
    assert '<th scope="col">photo</th>' in page
    mixed = Table("TAR", ("FMR", "TAR"), (("0.1", "99 %"), ("0.01", "98 %"), ("0.001", "needs 9")))
    shown = html.render(Report("T", "V.", (), (Section("s", tables=(mixed,)),), {}))
    assert '<td class="number words">needs 9</td>' in shown


def test_maps_are_written_as_figures_and_numbers(report, tmp_path):
    written = {path.name for path in files.figures(report, tmp_path / "f", photos=False)}
    assert {"01-1-map.png", "01-1-map.svg", "01-1-roc.png"} <= written
    assert not any("average" in name for name in written)
    files.numbers(report, tmp_path / "n")
    text = (tmp_path / "n" / "01-1-map.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["person"] for row in rows] == ["'=Eve", "Bo", "Bo", "Cy", "Cy", "Cy"]
    assert np.allclose(
        [[float(row["x"]), float(row["y"])] for row in rows], report.sections[0].maps[0].points
    )


def test_the_legend_of_intervals_hides_no_row():
    axes = intervals.draw(["a", "b"], [0.1, 0.2], [0, 0.1], [0.2, 0.4], axis="x", target=0.0)
    (drawn,) = axes.figure.axes
    drawn.figure.canvas.draw()
    legend = drawn.get_legend().get_window_extent()
    assert legend.x0 >= drawn.get_window_extent().x1
    assert [text.get_text() for text in drawn.get_legend().get_texts()] == ["no difference"]


def test_a_det_without_errors_says_so():
    apart = Series("s", [0.0, 0.0, 0.5], [0.4, 0.0, 0.0])
    words = [text.get_text() for text in det.draw([apart]).figure.axes[0].texts]
    assert "No threshold makes both kinds of errors." in words
    both = Series("s", [0.1, 0.2], [0.2, 0.1])
    drawn = det.draw([both]).figure.axes[0]
    assert [text.get_text() for text in drawn.texts] == ["equal errors"]
    drawn.figure.canvas.draw()
    name, frame = drawn.texts[0].get_window_extent(), drawn.get_window_extent()
    assert name.x1 <= frame.x1
    assert name.y1 <= frame.y1


def test_a_figure_makes_its_folder(tmp_path):
    assert plots.example("roc").save(tmp_path / "new" / "deep" / "roc.svg").is_file()


@pytest.mark.skipif(os.name == "nt", reason="modes")
@pytest.mark.parametrize("photos", [True, False])
def test_what_shows_people_is_for_its_owner_and_what_is_published_for_all(
    report: Report, tmp_path: Path, photos: bool
) -> None:
    before = os.umask(0o022)
    try:
        page = html.write(report, tmp_path / "r.html", photos=photos)
        figures = files.figures(report, tmp_path / "f", photos=photos)
        numbers = files.numbers(report, tmp_path / "n", photos=photos)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (page, *figures, *numbers)}
    shown = {name for name, mode in modes.items() if mode == 0o600}
    assert set(modes.values()) <= {0o600, 0o644}
    assert all((path.name in shown) == photos for path in (page, *numbers))
    assert any("average-faces" in name for name in shown) == photos
    assert "01-1-roc.png" in set(modes) - shown
