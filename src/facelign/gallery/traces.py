"""The search for pieces of vectors in the bytes of files: the proof behind a removal.

A removal that was cut off, or a proof that is asked for again, has no vectors any more. What is
kept of them are prints: of some windows a 24-bit sum, by which the places of a file are chosen that
are worth a look, and a salted digest. No vector can be computed from them; whoever has a vector can
tell whether it is among them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

#: a piece of this many bytes (8 numbers) is taken for a trace of a vector
WINDOW = 32
_WORD = 8
_CHUNK = 1 << 24
#: vectors that are looked for in one pass over a file: 512 x 505 words fill 6 % of the table
_GROUP = 512
_TABLE_BITS = 22
# Fibonacci hashing: 2^64 over the golden ratio, odd (Knuth, TAOCP 3, 6.4)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

#: bytes between the windows of a vector that are printed
_STEP = 64
_SUM_BITS = 24
_SUM_BYTES, PRINT_BYTES = 3, 16
# odd, from the digits of pi (Blowfish's tables begin with the same)
_FACTORS = (0x243F6A8885A308D3, 0x13198A2E03707345, 0xA4093822299F31D1, 0x082EFA98EC4E6C89)

_Words = npt.NDArray[np.uint64]


def files_with(pieces: Sequence[bytes], files: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files that hold 32 bytes in a row of any of the vectors, at any place.

    A vector shorter than 32 bytes is looked for whole. A run of equal bytes (such as zeros) says
    nothing about anybody, and windows that are little else are not looked for. Time: about 10 ms a
    megabyte and 512 vectors.
    """
    groups = [_Group(pieces[i : i + _GROUP]) for i in range(0, len(pieces), _GROUP)]
    return tuple(path for path in files if any(group.is_in(path) for group in groups))


def prints(vectors: Iterable[bytes], salt: bytes, *, sparse: bool = False) -> set[bytes]:
    """Return the prints of vectors, 16 bytes each; vectors of under 32 bytes have none.

    A whole vector is found by them at any place, and any 95 bytes in a row of one; sparse: only
    what holds the 32 bytes in its middle, by one print a vector.
    """
    found: set[bytes] = set()
    for vector in vectors:
        last = len(vector) - WINDOW
        starts = [last // 2] if sparse else range(0, last + 1, _STEP)
        for start in starts if last >= 0 else ():
            window = vector[start : start + WINDOW]
            if len(set(window)) > WINDOW // _WORD:  # zeros and the like say nothing about anybody
                total = int(_sums(window)[0])
                found.add(total.to_bytes(_SUM_BYTES, "little") + _digest(window, salt))
    return found


def files_with_prints(
    wanted: Collection[bytes], salt: bytes, files: Iterable[Path]
) -> tuple[Path, ...]:
    """Return the files that hold a window whose print is wanted."""
    known = _Prints(wanted, salt)
    return tuple(path for path in files if wanted and any(map(known.are_in, _chunks(path))))


def with_prints(wanted: Collection[bytes], salt: bytes, vectors: Sequence[bytes]) -> set[int]:
    """Return which of the vectors, by their places, hold a window whose print is wanted."""
    ends = np.cumsum([len(vector) for vector in vectors])
    found: set[int] = set()
    for place in _Prints(wanted, salt).places(b"".join(vectors)):
        vector = int(np.searchsorted(ends, place, "right"))
        if place + WINDOW <= ends[vector]:  # or else it lies across two
            found.add(vector)
    return found


class _Prints:
    """Prints, ready to be looked for."""

    def __init__(self, wanted: Collection[bytes], salt: bytes) -> None:
        self._salt = salt
        self._table = np.zeros(1 << _SUM_BITS, np.bool_)
        for one in wanted:
            self._table[int.from_bytes(one[:_SUM_BYTES], "little")] = True
        self._digests = {one[_SUM_BYTES:] for one in wanted}

    def are_in(self, data: bytes) -> bool:
        return any(True for _ in self.places(data))

    def places(self, data: bytes) -> Iterator[int]:
        """Yield where a window lies whose print is wanted."""
        for shift in range(_WORD):
            for word in np.flatnonzero(self._table[_sums(data[shift:])]).tolist():
                place = word * _WORD + shift
                if _digest(data[place : place + WINDOW], self._salt) in self._digests:
                    yield place


def _digest(window: bytes, salt: bytes) -> bytes:
    return blake2b(window, digest_size=PRINT_BYTES - _SUM_BYTES, key=salt).digest()


def _sums(data: bytes) -> npt.NDArray[np.uint64]:
    """Return the sum of every window of ``data`` that begins at a multiple of eight bytes."""
    words = np.frombuffer(data, "<u8", len(data) // _WORD)
    count = max(len(words) - WINDOW // _WORD + 1, 0)
    total = np.zeros(count, np.uint64)
    with np.errstate(over="ignore"):
        for i, factor in enumerate(_FACTORS):
            total += words[i : i + count] * np.uint64(factor)
    return total >> np.uint64(64 - _SUM_BITS)


class _Group:
    """Some vectors, ready to be looked for.

    Wherever 32 bytes of a vector lie in a file, they cover at least three of the file's aligned
    8-byte words. So the aligned words are looked up among all words of the vectors, at first in a
    table of one bit each, and the bytes around the few that remain are compared.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._short = tuple({piece for piece in pieces if 0 < len(piece) < WINDOW})
        self._long = [piece for piece in pieces if len(piece) >= WINDOW]
        words = [np.zeros(0, np.uint64)]
        for piece in self._long:
            view = np.lib.stride_tricks.sliding_window_view(np.frombuffer(piece, np.uint8), _WORD)
            distinct = view[(view != view[:, :1]).any(axis=1)]
            words.append(np.ascontiguousarray(distinct).view(np.uint64).ravel())
        self._words: _Words = np.unique(np.concatenate(words))
        self._table = np.zeros(1 << _TABLE_BITS, np.bool_)
        self._table[_hashes(self._words)] = True
        self._windows: set[bytes] | None = None

    def is_in(self, path: Path) -> bool:
        return any(self._in_chunk(chunk) for chunk in _chunks(path))

    def _in_chunk(self, chunk: bytes) -> bool:
        if any(piece in chunk for piece in self._short):
            return True
        words = np.frombuffer(chunk, np.uint64, len(chunk) // _WORD)
        places = np.flatnonzero(self._table[_hashes(words)])
        if not len(places) or not len(self._words):
            return False
        found = words[places]
        near = np.searchsorted(self._words, found).clip(max=len(self._words) - 1)
        return any(
            self._around(chunk, int(place) * _WORD) for place in places[self._words[near] == found]
        )

    def _around(self, chunk: bytes, place: int) -> bool:
        if self._windows is None:
            self._windows = {
                piece[i : i + WINDOW]
                for piece in self._long
                for i in range(len(piece) - WINDOW + 1)
            }
        starts = range(max(0, place + _WORD - WINDOW), place + 1)
        return any(chunk[start : start + WINDOW] in self._windows for start in starts)


def _hashes(words: _Words) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        hashes: npt.NDArray[np.uint64] = (words * _MULTIPLIER) >> np.uint64(64 - _TABLE_BITS)
    return hashes


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield a file in pieces, each beginning with the last bytes of the one before."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        rest = b""
        while data := file.read(_CHUNK):
            chunk = rest + data
            yield chunk
            rest = chunk[-(WINDOW - 1) :]
