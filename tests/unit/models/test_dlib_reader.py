"""Numbers as dlib writes them, read one by one and many at a time."""

from __future__ import annotations

import bz2
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import WeightsCorrupt
from facelign.models.convert import dlib_reader
from facelign.models.convert.dlib_reader import DatReader, as_reals, read_raw


def integer(value: int) -> bytes:
    magnitude = abs(value)
    length = max(1, (magnitude.bit_length() + 7) // 8)
    return bytes([length | (0x80 if value < 0 else 0)]) + magnitude.to_bytes(length, "little")


def real(value: float) -> bytes:
    fraction, exponent = math.frexp(value)
    mantissa = int(fraction * (1 << 53))
    return integer(mantissa) + integer(exponent - 53)


whole_numbers = st.integers(-(2**63) + 1, 2**63 - 1)


@given(st.lists(whole_numbers, max_size=300))
def test_integers_come_back_one_by_one_and_together(values: list[int]) -> None:
    data = b"".join(integer(v) for v in values)
    one_by_one = DatReader(data)
    assert [one_by_one.integer() for _ in values] == values
    one_by_one.finish()
    together = DatReader(data)
    assert together.integers(len(values)).tolist() == values
    together.finish()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=100))
def test_floats_come_back_bit_for_bit(values: list[float]) -> None:
    data = b"".join(real(v) for v in values)
    assert DatReader(data).reals(len(values)).tolist() == values
    reader = DatReader(data)
    assert [reader.real() for _ in values] == values


def test_numbers_longer_than_a_window_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    values = [
        int(v) >> int(s)
        for v, s in zip(rng.integers(-(2**62), 2**62, 5000), rng.integers(0, 62, 5000), strict=True)
    ]
    data = b"".join(integer(v) for v in values)
    for window in (9, 10, 64, 1000):
        monkeypatch.setattr(dlib_reader, "WINDOW", window)
        reader = DatReader(data)
        assert reader.integers(3000).tolist() == values[:3000]
        assert reader.integers(2000).tolist() == values[3000:]
        reader.finish()


@pytest.mark.parametrize(
    "data",
    [
        b"",  # nothing
        b"\x01",  # no magnitude
        b"\x00\x00",  # a number of no bytes
        b"\x09" + b"\x01" * 9,  # of nine bytes
        b"\x11\x05",  # the ancient text form
        b"\x04\x01\x02",  # cut short
    ],
)
def test_what_is_no_number_is_refused(data: bytes) -> None:
    with pytest.raises(WeightsCorrupt):
        DatReader(data).integer()
    with pytest.raises(WeightsCorrupt):
        DatReader(data).integers(1)


def test_a_count_is_compared_with_the_bytes_that_are_left() -> None:
    with pytest.raises(WeightsCorrupt, match="are left"):
        DatReader(integer(1) * 10).integers(1 << 60)
    header = integer(2) + integer(1 << 20) * 4
    with pytest.raises(WeightsCorrupt, match="are left"):
        DatReader(header + b"\0" * 100).tensor()


@pytest.mark.parametrize("exponent", [32000, 32001, 32002, 5000, -5000])
def test_infinity_and_nan_are_refused(exponent: int) -> None:
    data = integer(1) + integer(exponent)
    with pytest.raises(WeightsCorrupt):
        DatReader(data).real()
    with pytest.raises(WeightsCorrupt):
        as_reals(np.array([[1, exponent]]))


def test_a_float_beyond_float32_is_refused() -> None:
    with pytest.raises(WeightsCorrupt, match="beyond float32"):
        as_reals(np.array([[1, 200]]))


def test_a_tensor_with_nan_is_refused() -> None:
    head = integer(2) + integer(1) + integer(1) + integer(1) + integer(2)
    good = head + np.array([1.5, -2], "<f4").tobytes()
    assert DatReader(good).tensor().ravel().tolist() == [1.5, -2.0]
    with pytest.raises(WeightsCorrupt, match="NaN"):
        DatReader(head + np.array([1.5, np.nan], "<f4").tobytes()).tensor()


def test_flags_and_names() -> None:
    reader = DatReader(b"01" + integer(5) + b"con_4")
    assert (reader.boolean(), reader.boolean(), reader.text()) == (False, True, "con_4")
    reader.finish()
    with pytest.raises(WeightsCorrupt):
        DatReader(b"2").boolean()
    with pytest.raises(WeightsCorrupt):
        DatReader(integer(1000) + b"x" * 1000).text()
    with pytest.raises(WeightsCorrupt):
        DatReader(integer(2) + b"\xff\xfe").text()


def test_bytes_that_follow_are_refused() -> None:
    with pytest.raises(WeightsCorrupt, match="3 bytes follow"):
        DatReader(b"abc").finish()


def test_bzip2_is_undone_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.dat.bz2"
    packed = bz2.compress(b"dlib" * 1000)
    path.write_bytes(packed)
    assert read_raw(path) == b"dlib" * 1000
    for damaged in (packed[:-5], packed + b"more", packed[:20] + b"\0\0\0" + packed[23:]):
        path.write_bytes(damaged)
        with pytest.raises(WeightsCorrupt):
            read_raw(path)
    monkeypatch.setattr(dlib_reader, "LARGEST_FILE", 3999)
    path.write_bytes(packed)
    with pytest.raises(WeightsCorrupt, match="unpacks to more"):
        read_raw(path)
    path.write_bytes(b"\1" * 4001)
    with pytest.raises(WeightsCorrupt, match="more than 3999 bytes"):
        read_raw(path)
