"""The reader of plain pickles: what comes back, and that nothing is ever executed."""

from __future__ import annotations

import contextlib
import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facelign.errors import DatasetMalformed
from facelign.files.pickles import read_plain

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


def _tree(value: object) -> object:
    """Return an equal value in which no container is shared."""
    if isinstance(value, dict):
        return {key: _tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_tree(item) for item in value)
    return value


@given(PLAIN, st.integers(0, 5))
@settings(max_examples=150)
def test_plain_objects_come_back_equal(value: object, protocol: int) -> None:
    got = read_plain(pickle.dumps(_tree(value), protocol))
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(4, dtype=">i4"),
        np.array([True, False]),
        np.array(["Ann", "Bob"]),
        np.zeros((0, 128), np.float32),
        np.float64(2.5),
        np.int64(3),
    ],
)
def test_arrays_come_back_equal(array: np.ndarray, protocol: int) -> None:
    got = read_plain(pickle.dumps([array, "text", array], protocol))
    assert got[1] == "text"
    for one in (got[0], got[2]):
        assert one.dtype == array.dtype
        np.testing.assert_array_equal(one, array)


@pytest.mark.parametrize("protocol", range(6))
def test_an_array_of_objects_is_a_list(protocol: int) -> None:
    assert read_plain(pickle.dumps(np.array(["Ann", "Bob"], object), protocol)) == ["Ann", "Bob"]


@pytest.mark.parametrize("protocol", range(6))
def test_sets_and_encodings_of_a_gallery(protocol: int) -> None:
    value = {"names": ["a", "b"], "encodings": [np.ones(128), np.zeros(128)]}
    got = read_plain(pickle.dumps(value, protocol))
    assert got["names"] == ["a", "b"]
    np.testing.assert_array_equal(got["encodings"], value["encodings"])


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_executed(protocol: int, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetMalformed, match="no plain data"):
        read_plain(pickle.dumps([_Evil()], protocol))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [complex(1, 2), range(3), ValueError("x"), np.ma.zeros(3)])
def test_other_objects_are_refused(value: object) -> None:
    with pytest.raises(DatasetMalformed):
        read_plain(pickle.dumps(value))


def test_shared_and_cyclic_containers_are_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(DatasetMalformed, match="of itself"):
        read_plain(pickle.dumps(loop))
    laugh: tuple[object, ...] = ("ha",) * 2
    for _ in range(50):
        laugh = (laugh, laugh)
    with pytest.raises(DatasetMalformed, match="two others"):
        read_plain(pickle.dumps(laugh))


def test_a_file_cannot_ask_for_more_memory_than_its_size_allows() -> None:
    text = b"X" + (100_000).to_bytes(4, "little") + b"a" * 100_000 + b"q\x00"
    body = b"h\x01h\x00\x8c\x06latin1\x86R" * 100
    asked = b"\x80\x04(" + text + b"c_codecs\nencode\nq\x01" + body + b"l."
    with pytest.raises(DatasetMalformed, match="size allows"):
        read_plain(asked)


def test_shape_must_agree_with_the_bytes() -> None:
    data = bytearray(pickle.dumps(np.arange(5, dtype=np.uint8), 4))
    place = data.index(b"K\x05\x85")
    data[place + 1] = 200
    with pytest.raises(DatasetMalformed, match="shape"):
        read_plain(bytes(data))


def test_too_many_items() -> None:
    with pytest.raises(DatasetMalformed, match="more than 100"):
        read_plain(pickle.dumps(list(range(1000))), max_items=100)


GOOD = [pickle.dumps(({"a": [1, 2.5, "x", b"y", None, True]}, np.arange(9.0)), p) for p in range(6)]


@given(st.sampled_from(GOOD), st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_files_give_an_error_or_a_value(good: bytes, data: st.DataObject) -> None:
    mutated = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    for candidate in (bytes(mutated), good[:cut]):
        with contextlib.suppress(DatasetMalformed):
            read_plain(candidate)
