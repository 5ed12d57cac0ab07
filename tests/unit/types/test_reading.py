"""Records read by the types of their fields: what fits is taken as it is, the rest is named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from facelign.types import reading


@dataclass(frozen=True)
class Leaf:
    """A record inside another one."""

    at: tuple[int, ...]


@dataclass(frozen=True)
class Example:
    """A field of every kind that files hold."""

    text: str
    flag: bool
    count: int
    number: float
    rule: Literal["mean", "sum"]
    note: str | None
    names: tuple[str, ...]
    ends: tuple[float, float]
    leaves: tuple[Leaf, ...]


GOOD: dict[str, Any] = {
    "text": "",
    "flag": False,
    "count": 3,
    "number": 2,
    "rule": "sum",
    "note": None,
    "names": ["a", "b"],
    "ends": [0, 0.5],
    "leaves": [{"at": [1, 2]}],
}


def test_reads_every_kind_as_it_is_written() -> None:
    found = reading.record(Example, json.loads(json.dumps({"format": "x", **GOOD})))
    assert found == Example("", False, 3, 2.0, "sum", None, ("a", "b"), (0.0, 0.5), (Leaf((1, 2)),))
    assert type(found.number) is float


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": 3}, "text is no text"),
        ({"flag": 1}, "flag is no truth value"),
        ({"count": True}, "count is no whole number"),
        ({"count": 3.0}, "count is no whole number"),
        ({"number": "2"}, "number is no finite number"),
        ({"number": float("inf")}, "number is no finite number"),
        ({"number": float("nan")}, "number is no finite number"),
        ({"number": 10**400}, "number is no finite number"),
        ({"number": True}, "number is no finite number"),
        ({"rule": "max"}, "rule is no 'mean' or 'sum'"),
        ({"note": 3}, "note is no text"),
        ({"names": "ab"}, "names is no list"),
        ({"names": ["a", ""]}, "names is no list of names"),
        ({"names": ["a", 3]}, "names is no list of names"),
        ({"ends": [0.5]}, "ends is no list of 2"),
        ({"ends": [0.5, None]}, "ends is no finite number"),
        ({"leaves": [[1, 2]]}, "leaves is no table"),
        ({"leaves": [{"at": [1, False]}]}, "at is no list of whole numbers"),
    ],
)
def test_names_the_field_that_is_something_else(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(reading.Misfit) as caught:
        reading.record(Example, GOOD | changes)
    assert str(caught.value) == said


def test_names_a_field_that_is_not_there_and_takes_what_is_given() -> None:
    short = {key: value for key, value in GOOD.items() if key != "flag"}
    with pytest.raises(KeyError, match="flag"):
        reading.record(Example, short)
    assert reading.record(Example, short, flag=True).flag


def test_refuses_what_is_no_table() -> None:
    with pytest.raises(reading.Misfit, match="ensemble is no table"):
        reading.record(Example, [1], "ensemble")
