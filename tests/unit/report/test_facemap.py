"""Faces in the plane as SVG: every face a mark, every name text and never markup."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from facelign.report import facemap
from facelign.report.page import FaceMap, Thumbnail
from facelign.report.plots.scatter import LEGEND_LIMIT, looks

POINTS = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 2.0]])


def marks(drawn: str) -> list[ET.Element]:
    root = ET.fromstring(drawn)
    return [node for node in root.iter("g") if node.get("class") == "mark"]


def places(drawn: str) -> list[tuple[float, float]]:
    """Return the middle of each mark of the map, whatever its shape."""
    found = []
    for mark in marks(drawn):
        shape = mark[1]
        if shape.tag == "circle":
            found.append((float(shape.get("cx")), float(shape.get("cy"))))
        else:
            corners = re.findall(r"-?[\d.]+", shape.get("points"))
            table = np.array(corners, float).reshape(-1, 2)
            found.append(tuple((table.min(axis=0) + table.max(axis=0)) / 2))
    return found


def test_places_keep_their_shape_and_the_second_axis_points_up():
    drawn = facemap.drawn_map(FaceMap("t", POINTS, ["a", "b", "b"]), ())
    (x0, y0), (x1, y1), (x2, y2) = places(drawn)
    assert (x1 - x0) == pytest.approx(2 * (y1 - y2), abs=2)  # 4 wide, 2 high; marks reach 1 px
    assert y0 == pytest.approx(y1, abs=1.5)
    assert x1 == pytest.approx(x2, abs=1.5)
    assert y2 < y0
    assert max(x for x, _ in places(drawn)) <= facemap.WIDTH - facemap.EDGE + 1


def test_a_name_is_text_in_tooltip_and_attribute():
    evil = '"><script>alert(1)</script>'
    drawn = facemap.drawn_map(FaceMap(evil, POINTS, [evil, "b", "b"]), ())
    assert "<script" not in drawn
    first = marks(drawn)[0]
    assert first.get("data-name") == evil
    assert first[0].text == evil


def test_a_photo_is_shown_with_its_caption_where_there_is_one():
    photos = [Thumbnail(b"1", "first"), None, Thumbnail(b"3")]
    shown = FaceMap("t", POINTS, ["a", "b", "b"], photos)
    drawn = facemap.drawn_map(shown, ["data:1", "", "data:3"])
    assert [mark.get("data-photo") for mark in marks(drawn)] == ["data:1", None, "data:3"]
    assert [mark.get("data-name") for mark in marks(drawn)] == ["a: first", "b", "b"]
    bare = facemap.drawn_map(shown, ())
    assert [mark.get("data-name") for mark in marks(bare)] == ["a", "b", "b"]


@pytest.mark.parametrize("people", [2, LEGEND_LIMIT, LEGEND_LIMIT + 1])
def test_a_legend_is_no_longer_than_the_map(people):
    names = [f"p{k:02d}" for k in range(people)]
    points = np.random.default_rng(0).normal(size=(people, 2))
    drawn = facemap.drawn_map(FaceMap("t", points, names), ())
    listed = [node for node in ET.fromstring(drawn).iter("span") if node.get("class") == "key"]
    assert len(listed) == (people if people <= LEGEND_LIMIT else 0)
    assert ("a name appears under the pointer" in drawn) == (people > LEGEND_LIMIT)


def test_every_marker_of_the_figure_has_a_shape_here():
    shapes = {shape for _, shape in looks([f"p{k}" for k in range(70)]).values()}
    assert shapes - set(facemap.SHAPES) == {"o"}  # the circle is drawn as such
    for corners in facemap.SHAPES.values():
        table = np.array(corners)
        assert len(table) >= 3
        assert 0.8 <= np.abs(table).max() <= 1.2


def test_one_face_alone_is_drawn():
    (mark,) = marks(facemap.drawn_map(FaceMap("t", POINTS[:1], ["a"]), ()))
    assert mark.get("data-name") == "a"


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5)])
def test_the_points_fill_the_frame(shape):
    points = np.random.default_rng(1).uniform(size=(60, 2)) * shape
    drawn = facemap.drawn_map(FaceMap("t", points, ["a"] * 60), ())
    svg = next(ET.fromstring(drawn).iter("svg"))
    _, _, wide, tall = map(float, svg.get("viewBox").split())
    at = np.array(places(drawn))
    span = np.ptp(at, axis=0) + 2 * facemap.EDGE
    assert span[0] >= 0.95 * wide or wide == 240
    assert span[1] >= 0.95 * tall or tall == 240
    assert (at > 0).all()
    assert (at < (wide, tall)).all()
