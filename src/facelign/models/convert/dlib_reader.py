"""Reads dlib's own serialization, without trusting a byte of it.

The form, as read from files and checked by consuming four published ones to the last
byte: an integer is a control byte (low four bits: number of magnitude bytes, 0x80:
negative) and a little-endian magnitude; a float is two integers, mantissa and exponent of two; a
tensor keeps its numbers as raw little-endian float32. Nothing is recursive here and nothing is
allocated from a count before that count was compared with the bytes that are left.
"""

from __future__ import annotations

import bz2
import math
from pathlib import Path

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.types.arrays import AnyArray, ByteArray, Float32Array, Float64Array, IntArray

#: bytes; the largest published file (68 points) has 99,693,937
LARGEST_FILE = 160_000_000
#: bytes looked at together when many tokens are read: the jump tables then stay in the L2 cache
WINDOW = 1 << 16
#: tables of 2**k tokens per jump; the walk in Python then takes one step for 2**LEVELS tokens
LEVELS = 6
#: dlib writes std::numeric_limits<double>::digits-bit mantissas: nothing real leaves
#: this range (32000 to 32002 stand for infinities and NaN)
LARGEST_EXPONENT = 1100
#: bytes of the longest string in a known file is 24; more is no layer name
LONGEST_NAME = 64

_MASKS = np.array([0, *((1 << (8 * n)) - 1 for n in range(1, 9)), *([0] * 7)], np.uint64)
_HINT = "Pull the model again ('facelign models verify' finds damaged files)."


def corrupt(why: str) -> WeightsCorrupt:
    """Return the error for a damaged file."""
    return WeightsCorrupt(f"The dlib file is damaged or of another kind: {why}.", _HINT)


def read_raw(path: Path) -> bytes:
    """Return the bytes of a ``.dat`` or ``.dat.bz2`` file, at most LARGEST_FILE of them.

    Raises WeightsCorrupt for a larger file, and for damaged compression.
    """
    with path.open("rb") as stream:
        start = stream.read(3)
        stream.seek(0)
        raw = stream.read(LARGEST_FILE + 1)
    if len(raw) > LARGEST_FILE:
        raise corrupt(f"it has more than {LARGEST_FILE} bytes")
    return _decompressed(raw) if start == b"BZh" else raw


def _decompressed(packed: bytes) -> bytes:
    engine = bz2.BZ2Decompressor()
    try:
        raw = engine.decompress(packed, max_length=LARGEST_FILE + 1)
    except (OSError, ValueError) as problem:
        raise corrupt("its bzip2 compression does not hold") from problem
    if len(raw) > LARGEST_FILE:
        raise corrupt(f"it unpacks to more than {LARGEST_FILE} bytes")
    if not engine.eof or engine.unused_data:
        raise corrupt("its bzip2 stream is cut short or followed by something else")
    return raw


class DatReader:
    """A cursor over the bytes of a dlib file; every method moves it, or raises WeightsCorrupt."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._bytes: ByteArray = np.frombuffer(data, np.uint8)
        self.position = 0

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return len(self._data) - self.position

    def finish(self) -> None:
        """Raise WeightsCorrupt unless every byte has been consumed."""
        if self.left:
            raise corrupt(f"{self.left} bytes follow where it should end")

    def need(self, count: int) -> None:
        """Raise WeightsCorrupt unless ``count`` bytes are left."""
        if not 0 <= count <= self.left:
            raise corrupt(f"it speaks of {count} bytes at {self.position}, {self.left} are left")

    # one value at a time ----------------------------------------------------------------------

    def integer(self) -> int:
        """Return the next integer, sign and magnitude up to 64 bits."""
        self.need(2)
        control = self._data[self.position]
        length = control & 0x0F
        if control & 0x70 or not 1 <= length <= 8:
            raise corrupt(f"byte {self.position} is no start of a number")
        self.need(1 + length)
        start = self.position + 1
        magnitude = int.from_bytes(self._data[start : start + length], "little")
        self.position = start + length
        return -magnitude if control & 0x80 else magnitude

    def count(self, most: int, what: str) -> int:
        """Return the next integer, which must be a count in 0..``most``."""
        value = self.integer()
        if not 0 <= value <= most:
            raise corrupt(f"{value} {what}")
        return value

    def expect(self, value: int, what: str) -> None:
        """Raise WeightsCorrupt unless the next integer is ``value``."""
        got = self.integer()
        if got != value:
            raise corrupt(f"{what} is {got}, not {value}")

    def real(self) -> float:
        """Return the next float or double (never NaN or infinite)."""
        mantissa, exponent = self.integer(), self.integer()
        beyond = abs(exponent) > LARGEST_EXPONENT or abs(mantissa) >= 1 << 63
        value = np.inf if beyond else float(np.ldexp(float(mantissa), exponent))
        if not np.isfinite(value):
            raise corrupt(f"a number before byte {self.position} is not finite")
        return value

    def boolean(self) -> bool:
        """Return the next flag, written as the character 0 or 1."""
        flag = self.byte()
        if flag not in (0x30, 0x31):
            raise corrupt(f"byte {self.position - 1} is no flag")
        return flag == 0x31

    def byte(self) -> int:
        """Return the next raw byte."""
        self.need(1)
        self.position += 1
        return self._data[self.position - 1]

    def pass_reals(self, count: int) -> None:
        """Read past floats that are of use in training only."""
        for _ in range(count):
            self.real()

    def word(self, what: str, *known: str) -> str:
        """Return the next string, one of ``known``. what: the fault, with {} for another one."""
        text = self.text()
        if text not in known:
            raise corrupt(what.format(text))
        return text

    def text(self) -> str:
        """Return the next string, such as the name of a layer."""
        length = self.count(LONGEST_NAME, "characters in a name")
        self.need(length)
        raw = self._data[self.position : self.position + length]
        self.position += length
        if not raw.isascii():
            raise corrupt(f"the name before byte {self.position} is no text")
        return raw.decode("ascii")

    def tensor(self) -> Float32Array:
        """Return the next tensor as (n, k, rows, columns) float32; all its numbers are finite."""
        self.expect(2, "the version of a tensor")
        shape = self.sizes()
        size = math.prod(shape)
        self.need(4 * size)
        values = np.frombuffer(self._data, "<f4", size, self.position).astype(np.float32)
        self.position += 4 * size
        if not np.isfinite(values).all():
            raise corrupt(f"a tensor before byte {self.position} holds NaN or infinity")
        return values.reshape(shape)

    def alias(self) -> tuple[int, int, int, int]:
        """Return the shape that is laid over a part of a tensor."""
        self.expect(1, "the version of an alias")
        return self.sizes()

    def sizes(self) -> tuple[int, int, int, int]:
        """Return four sizes, each below 2**31."""
        most = (1 << 31) - 1
        a, b, c, d = (self.count(most, "as a size of a tensor") for _ in range(4))
        return a, b, c, d

    # many values at a time --------------------------------------------------------------------

    def integers(self, count: int) -> IntArray:
        """Return the next ``count`` integers as (count,) int64, found without a Python loop."""
        self.need(2 * count)
        values = np.empty(count, np.int64)
        filled = 0
        while filled < count:
            wanted = count - filled
            size = min(self.left, 9 * wanted, WINDOW)
            window = self._bytes[self.position : self.position + size]
            starts = _token_starts(window, wanted)
            if not starts.size:
                raise corrupt(f"it ends in the middle of a number at byte {self.position}")
            values[filled : filled + starts.size] = self._decoded(window, starts)
            filled += starts.size
            last = int(starts[-1])
            self.position += last + 1 + int(window[last] & 0x0F)
        return values

    def _decoded(self, window: ByteArray, starts: IntArray) -> IntArray:
        control = window[starts]
        length = control & 0x0F
        if ((control & 0x70) != 0).any() or (length == 0).any() or (length > 8).any():
            raise corrupt(f"something after byte {self.position} is no number")
        # A view of eight bytes at every offset; the mask cuts what is not of the number.
        padded = np.concatenate([window, np.zeros(9, np.uint8)])
        words: AnyArray = np.ndarray(len(window), "<u8", padded.data, 1, (1,))
        magnitude = words[starts] & _MASKS[length]
        if (magnitude >> np.uint64(63)).any():
            raise corrupt(f"a number after byte {self.position} is too large")
        value = magnitude.astype(np.int64)
        signed: IntArray = np.where(control & 0x80, -value, value)
        return signed

    def reals(self, count: int) -> Float32Array:
        """Return the next ``count`` floats as (count,) float32."""
        return as_reals(self.integers(2 * count).reshape(count, 2))


def as_reals(tokens: IntArray) -> Float32Array:
    """Return floats from (..., 2) int64 tokens, mantissa and exponent; finite float32."""
    mantissa, exponent = tokens[..., 0], tokens[..., 1]
    if tokens.size and int(np.abs(exponent).max()) > LARGEST_EXPONENT:
        raise corrupt("it holds NaN, infinity or a number beyond all reason")
    with np.errstate(over="ignore", under="ignore"):
        wide: Float64Array = np.ldexp(mantissa.astype(np.float64), exponent.astype(np.int32))
        values = wide.astype(np.float32)
    if not np.isfinite(values).all():
        raise corrupt("it holds a number beyond float32")
    return values


def _token_starts(window: ByteArray, most: int) -> IntArray:
    """Return where whole tokens start in ``window`` (which starts with one), at most ``most``.

    Where a token starts depends on the lengths of all before it. Pointer doubling: a table of
    jumps over 1, 2, 4 ... 2**LEVELS tokens from every byte is made with array operations, a
    short walk takes the longest jumps, and the starts between are filled in with the shorter ones.
    """
    size = len(window)
    jump = np.empty(size + 1, np.intp)
    np.add(np.arange(1, size + 1), window & 0x0F, out=jump[:size])
    jump[size] = size
    np.minimum(jump, size, out=jump)
    tables = [jump]
    for _ in range(LEVELS):
        tables.append(tables[-1][tables[-1]])
    longest = tables.pop()
    anchors, at = [0], 0
    while len(anchors) << LEVELS < most:
        at = int(longest[at])
        if at >= size:
            break
        anchors.append(at)
    starts = np.asarray(anchors, np.intp)
    for table in reversed(tables):
        starts = np.stack([starts, table[starts]], axis=1).reshape(-1)
    starts = starts[: np.searchsorted(starts, size)][:most]
    if starts.size and int(starts[-1]) + 1 + int(window[starts[-1]] & 0x0F) > size:
        starts = starts[:-1]
    return starts
