"""The report page: complete, escaped, and unable to load anything."""

import base64
import csv
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.errors import BadArray
from facelign.report import html, plots
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

# what a browser would fetch by itself, as the acceptance check looks for it
LOADS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)[^>]+src\s*=\s*["']?(?:https?:)?//"""
    r"""|<link[^>]+href\s*=\s*["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//"""
    r"""|@import\s+["']?(?:https?:)?//""",
    re.IGNORECASE,
)
EVIL = """<script>alert("1")</script>' onload='x' & </title>"""

ROWS = (("under 40", "0.21"), (EVIL, 0.01))


def face(shade: int) -> Thumbnail:
    out = io.BytesIO()
    Pillow.new("RGB", (48, 48), (shade, 90, 60)).save(out, "JPEG")
    return Thumbnail(out.getvalue(), f"face {shade}")


@pytest.fixture(scope="module")
def report() -> Report:
    people = [f"person {k // 4}" for k in range(12)]
    points = np.random.default_rng(0).normal(0, 1, (12, 2))
    return Report(
        title=f"Verification {EVIL}",
        verdict=f"98.9 % of pairs are right. {EVIL}",
        headline=(Fact("Accuracy", "98.9 %", "98.1 to 99.5 %", EVIL), Fact("AUC", "0.9991")),
        sections=(
            Section(
                EVIL,
                ("Pairs are those of the list.", EVIL),
                figures=(plots.example("roc"), plots.example("hog"), plots.example("roc")),
                tables=(
                    Table("By height", ("height", "FNMR"), (("under 40", "0.21"), (EVIL, 0.01))),
                ),
                walls=(Wall("Worst pairs", (Tile((face(20), face(200)), EVIL),)),),
                maps=(FaceMap("t-SNE", points, people, [face(20 * k) for k in range(12)]),),
            ),
        ),
        provenance={"set": "made up", "command": EVIL, "seed": "7"},
        scope="made-up set, 2026-01-01",
        mood=Mood.GOOD,
        caveats=("The set is made up.",),
    )


class Reader(HTMLParser):
    """Collects what a page holds and checks that tags are closed in order."""

    VOID = frozenset({"meta", "img", "br", "link", "circle", "polygon"})

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def test_it_is_whole_and_loads_nothing(report):
    page = html.render(report)
    reader = read(page)
    assert not LOADS.search(page)
    sources = [image["src"] for image in reader.all("img")]
    assert len(sources) == 5
    assert all(source.startswith("data:image/") for source in sources)
    assert all(image["alt"] for image in reader.all("img"))
    policy = next(m for m in reader.all("meta") if "http-equiv" in m)
    assert "default-src 'none'" in policy["content"]


def test_nothing_written_becomes_markup(report):
    page = html.render(report)
    reader = read(page)
    assert "<script>alert" not in page
    assert len(reader.all("script")) == 1
    assert not any("onload" in attrs for _, attrs in reader.tags)
    assert "".join(reader.text).count('alert("1")') >= 6


def test_first_screen_holds_verdict_and_figures(report):
    page = html.render(report)
    first = page[: page.index("<nav")]
    for text in (
        "98.9 % of pairs",
        "98.1 to 99.5 %",
        "0.9991",
        "made-up set, 2026-01-01",
        "Caveat",
    ):
        assert text in first


def test_numbers_beside_figures_and_tables(report):
    links = [a["href"] for a in read(html.render(report)).all("a") if "download" in a]
    assert len(links) == 5
    tables = [
        list(csv.reader(io.StringIO(base64.b64decode(link.partition(",")[2]).decode("utf-8-sig"))))
        for link in links
    ]
    assert tables[3] == [["height", "FNMR"], ["under 40", "0.21"], [EVIL, "0.01"]]


def test_without_photos_no_person_is_shown(report):
    page = html.render(report, photos=False)
    reader = read(page)
    assert len(reader.all("img")) == 2  # the two ROC figures
    assert "data-photo" not in page
    assert "image/jpeg" not in page
    assert "Made without photos" in page
    assert "left out, since it shows people" in page


def test_contents_link_to_sections(report):
    reader = read(html.render(report))
    ids = {attrs["id"] for _, attrs in reader.tags if "id" in attrs}
    inner = [a["href"][1:] for a in reader.all("a") if a["href"].startswith("#")]
    assert inner
    assert set(inner) <= ids


def test_equal_reports_give_equal_files(report, tmp_path):
    a, b = html.write(report, tmp_path / "a.html"), html.write(report, tmp_path / "b.html")
    assert a.read_bytes() == b.read_bytes()


def test_a_small_report_needs_no_script():
    page = html.render(
        Report("T", "Nothing was measured.", (), (Section("Only text", ("Hm.",)),), {})
    )
    assert "<script" not in page
    read(page)


def test_rows_must_fit_columns():
    with pytest.raises(BadArray):
        Table("t", ("a", "b"), ((1,),))


def test_face_map_wants_a_photo_a_point_or_none():
    with pytest.raises(BadArray):
        FaceMap("m", np.zeros((2, 2)), ["a", "b"], [None])


def test_face_map_of_one_point_and_many_people():
    lone = Section("s", maps=(FaceMap("m", np.zeros((1, 2)), ["a"]),))
    crowd_points = np.random.default_rng(1).normal(size=(40, 2))
    crowd = Section("s", maps=(FaceMap("m", crowd_points, [f"p{k}" for k in range(40)]),))
    page = html.render(Report("T", "V.", (), (lone, crowd), {}))
    marks = re.findall(r'(?:points|c[xy])="([^"]*)"', page)
    assert len(marks) > 41
    assert not any("nan" in mark or "inf" in mark for mark in marks)
    assert "40 people" in page


def page_of(*tables, headline=()):
    """Return the page of a report with a section of these tables."""
    section = Section("s", (), tables=tables)
    return html.render(Report("t", "v", headline, (section,), {"a_long_name": "x_y"}))


def test_many_pairs_stand_in_columns():
    rows = tuple((str(k), f"{k}.0 %") for k in range(68))
    assert '<table class="long">' in page_of(Table("By point", ("point", "NME"), rows))
    assert 'class="long"' not in page_of(Table("By turn", ("turn", "NME"), rows[:5]))


def test_a_wide_row_says_the_column_of_each_cell():
    columns = ("set", "FMR", "TAR", "pairs", "people", 'of "all"')
    row = ("lfw", 0.001, 0.99, 1234567, 50, "too few pairs")
    wide = page_of(Table("Wide", columns, (row,)))
    assert '<table class="wide">' in wide
    told = re.findall(r'<td[^>]* data-of="([^"]*)">', wide)
    assert told == [*columns[:-1], "of &quot;all&quot;"]
    narrow = page_of(Table("Narrow", columns[: html.WIDE], (row[: html.WIDE],)))
    assert 'class="wide"' not in narrow
    assert "data-of" not in narrow.split("</style>")[1]


def test_cells_of_numbers_stand_right_and_words_among_them_may_break():
    rows = ((0.5, "a_b"), ("12 %", "c"), (1234567, "d"), ("too few pairs", "e"), (None, "f"))
    shown = page_of(Table("Mixed", ("share", "name"), rows))
    assert shown.count('<th scope="col" class="number">share') == 1
    assert '<td class="number">1,234,567</td>' in shown
    assert '<td class="number words">too few pairs</td>' in shown
    assert "<td>a_<wbr>b</td>" in shown  # a name may break where its words meet
    assert "a_<wbr>long_<wbr>name</th><td>x_y</td>" in shown  # a value is copied as it is


@pytest.mark.parametrize(("cards", "row"), [(0, 1), (1, 1), (5, 5), (6, 3), (7, 4), (9, 3)])
def test_no_row_of_one_card_stands_below_a_full_one(cards, row):
    facts = tuple(Fact(str(k), str(k)) for k in range(cards))
    assert f'style="--row:{row}"' in page_of(headline=facts)
    assert cards % row != 1 or row == 1
