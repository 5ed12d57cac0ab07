"""The figure of who is in a film and when: people by their first visit, strangers after them."""

from __future__ import annotations

import csv
import io

import pytest

from facelign.errors import BadArray
from facelign.report.plots import timeline
from facelign.report.plots.timeline import MOST, Stretch

VISITS = [
    Stretch("unknown 1", False, 0.0, 30.0),
    Stretch("Bo", True, 5.0, 6.0),
    Stretch("Ada", True, 2.0, 3.0),
    Stretch("unknown 2", False, 1.0, 1.5),
    Stretch("Ada", True, 40.0, 41.0),
]


def test_a_line_a_person_and_a_bar_a_visit() -> None:
    drawn = timeline.draw(VISITS, film="a.mp4", length_s=60)
    (axes,) = drawn.figure.axes
    assert [one.get_text() for one in axes.get_yticklabels()] == [
        "Ada",
        "Bo",
        "unknown 1",
        "unknown 2",
    ]
    assert [len(bars.get_paths()) for bars in axes.collections] == [2, 1, 1, 1]
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlim()[1] >= 60
    assert drawn.alt == "a.mp4: 5 visits; Ada, Bo, 2 strangers."
    assert drawn.photos  # it tells who was where


def test_its_numbers_are_the_visits() -> None:
    rows = list(csv.DictReader(io.StringIO(timeline.draw(VISITS).csv())))
    assert [(row["person"], row["start, s"], row["end, s"]) for row in rows][1] == ("Bo", "5", "6")
    assert len(rows) == 5


def test_somebody_called_unknown_is_no_stranger() -> None:
    visits = [Stretch("unknown 1", True, 0, 1), Stretch("unknown 1", False, 2, 3)]
    (axes,) = timeline.draw(visits).figure.axes
    assert len(axes.get_yticks()) == 2


def test_of_many_those_with_names_and_those_who_stay_are_shown() -> None:
    visits = [Stretch(f"unknown {i}", False, i, i + 1 + i / 100) for i in range(MOST + 30)]
    drawn = timeline.draw([*visits, Stretch("Ada", True, 0, 0.1)])
    (axes,) = drawn.figure.axes
    labels = [one.get_text() for one in axes.get_yticklabels()]
    assert len(labels) == MOST
    assert labels[:2] == ["Ada", f"unknown {MOST + 29}"]
    assert drawn.alt.endswith("31 lines more are not shown.")


def test_a_film_without_a_visit_has_no_figure() -> None:
    with pytest.raises(BadArray, match="no visit"):
        timeline.draw([])
