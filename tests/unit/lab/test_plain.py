"""Records as plain data: keys in their order, whatever a record holds."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from facelign.compare.pairs import Failures
from facelign.lab.plain import PlainRecord, plain, told
from facelign.lab.statistics.resampling import Interval
from facelign.types.arrays import Float64Array


@dataclass(frozen=True, slots=True)
class Inner(PlainRecord):
    TOLD = "rate=fmr double"

    fmr: float
    hidden: str = "kept apart"

    @property
    def double(self) -> float:
        return 2 * self.fmr


@dataclass(frozen=True, slots=True, eq=False)
class Outer(PlainRecord):
    way: Failures
    inner: tuple[Inner, ...]
    by_name: dict[str, Interval | None]
    values: Float64Array


def test_records_tell_what_they_name_in_their_order() -> None:
    assert list(Inner(0.5).to_dict().items()) == [("rate", 0.5), ("double", 1.0)]


def test_records_that_name_nothing_tell_their_fields() -> None:
    interval = Interval(0.5, 0.25, 0.75)
    record = Outer(
        Failures.LEFT_OUT, (Inner(1.0),), {"fmr": interval, "fnmr": None}, np.array([1.0, 2.0])
    )
    assert json.loads(json.dumps(record.to_dict())) == {
        "way": "left out",
        "inner": [{"rate": 1.0, "double": 2.0}],
        "by_name": {"fmr": {"value": 0.5, "low": 0.25, "high": 0.75}, "fnmr": None},
        "values": [1.0, 2.0],
    }
    assert type(plain(record.way)) is str


def test_names_that_a_record_lacks_are_errors() -> None:
    assert told(Inner(1.0), "hidden") == {"hidden": "kept apart"}
    with pytest.raises(AttributeError):
        told(Inner(1.0), "absent")
