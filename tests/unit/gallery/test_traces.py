"""The byte search against the plain way."""

from __future__ import annotations

import random

import numpy as np
import pytest

from facelign.gallery import traces
from facelign.gallery.traces import files_with


@pytest.mark.parametrize("chunk", [1 << 24, 4096, 1000])
def test_finds_every_window_at_every_place(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(traces, "_CHUNK", chunk)
    rng = random.Random(3)
    pieces = [rng.randbytes(512) for _ in range(5)]
    path = tmp_path / "file"
    for trial in range(40):
        data = bytearray(rng.randbytes(rng.randrange(32, 9000)))
        start = rng.randrange(0, 512 - 32 + 1)
        place = rng.randrange(0, len(data) - 31)
        data[place : place + 32] = pieces[trial % 5][start : start + 32]
        path.write_bytes(data)
        assert files_with(pieces, [path]) == (path,), (len(data), start, place)


@pytest.mark.parametrize("chunk", [1 << 24, 1000])
def test_shorter_pieces_are_no_trace(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(traces, "_CHUNK", chunk)
    rng = random.Random(4)
    pieces = [rng.randbytes(512) for _ in range(5)]
    path = tmp_path / "file"
    for _ in range(20):
        data = bytearray(rng.randbytes(5000))
        start, place = rng.randrange(0, 480), rng.randrange(0, 4900)
        data[place : place + 31] = pieces[0][start : start + 31]
        if any(pieces[0][i : i + 32] in data for i in range(481)):
            continue  # the byte beside it happened to fit
        path.write_bytes(data)
        assert files_with(pieces, [path]) == ()


def test_many_vectors_short_vectors_and_zeros(tmp_path):
    rng = random.Random(5)
    pieces = [rng.randbytes(512) for _ in range(600)]
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(bytes(100_000) + pieces[550][100:140] + bytes(999))
    other.write_bytes(rng.randbytes(100_000))
    assert files_with(pieces, [path, other]) == (path,)
    assert files_with(pieces[:540], [path, other]) == ()
    assert files_with([b"sixteen bytes ok"], [path, other]) == ()
    other.write_bytes(b"x" * 77 + b"sixteen bytes ok" + b"y")
    assert files_with([b"sixteen bytes ok"], [path, other]) == (other,)
    # zeros say nothing about anybody
    assert files_with([bytes(512), bytes(256) + rng.randbytes(256)], [path]) == ()


def test_nothing_to_find(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"")
    assert files_with([], [path]) == ()
    assert files_with([bytes(range(64))], [path, tmp_path / "absent"]) == ()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("size", [128, 129, 12])
def test_vectors_are_found_among_others_by_their_prints(size, sparse):
    rng = np.random.default_rng(size)
    every = [rng.normal(size=size).astype("<f4").tobytes() for _ in range(50)]
    salt = b"salt"
    wanted = traces.prints([every[3], every[31]], salt, sparse=sparse)
    assert traces.with_prints(wanted, salt, every) == {3, 31}
    # the halves of one lie in two others: it is in neither
    half = len(every[3]) // 2 + 4
    apart = [every[0][half:] + every[3][:half], every[3][half:] + every[1][:half]]
    middle = traces.prints([every[3]], salt, sparse=True)
    assert traces.with_prints(middle, salt, [*every[4:], *apart]) == set()
    assert traces.with_prints(set(), salt, every) == traces.with_prints(wanted, salt, []) == set()
