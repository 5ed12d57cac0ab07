"""Arrays out of PyTorch's files of weights, zip or legacy, without PyTorch and without execution.

Formats: torch/serialization.py of PyTorch 2. A zip holds a pickle of the names (``data.pkl``) and a
file a storage (``data/KEY``). The legacy form is five pickles, one after another (magic number,
version, remarks on the system, the names, the keys of the storages), and then the storages in the
order of their keys, each behind its count.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelign.errors import DatasetMalformed, WeightsCorrupt
from facelign.files.pickles import Dialect, read_plain
from facelign.types.arrays import AnyArray

#: the largest file that is read, and the largest part of a zip when unpacked, bytes
MOST_BYTES = 1 << 30
#: numbers of all arrays together: an array may be said to repeat a few that lie in the file
MOST_NUMBERS = 1 << 27
#: what a damaged zip makes zipfile raise: places before its start, encryption, unknown methods
_ZIP_FAILURES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_KINDS = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


@dataclass(frozen=True, slots=True)
class _Storage:
    """Numbers that lie elsewhere in the file."""

    key: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view of a storage, all in numbers."""

    storage: _Storage
    start: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]

    def of(self, numbers: AnyArray) -> AnyArray:
        """Return the array; raises WeightsCorrupt where it reaches beyond its storage."""
        found = viewed(numbers, self.start, self.shape, self.steps)
        if found is None:
            raise corrupt("an array that reaches beyond its numbers")
        return found


def viewed(
    numbers: AnyArray, start: int, shape: tuple[int, ...], steps: tuple[int, ...]
) -> AnyArray | None:
    """Return a copy of what lies at ``start`` in steps; None where it reaches beyond.

    Everything is counted in numbers, and nothing is negative.
    """
    last = start + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    if math.prod(shape) and last >= len(numbers):
        return None
    size = numbers.dtype.itemsize
    return np.lib.stride_tricks.as_strided(
        numbers[start:], shape, [step * size for step in steps], writeable=False
    ).copy()


def corrupt(what: str) -> WeightsCorrupt:
    """Return the error for a file that is no file of PyTorch's weights."""
    return WeightsCorrupt(
        f"The file of PyTorch weights is not usable: it holds {what}.",
        "Pull the file again; if that does not help, report it.",
    )


def read(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a file of weights by name; raises WeightsCorrupt.

    A ``state_dict`` inside a checkpoint, under that name, is taken out of it.
    """
    if path.stat().st_size > MOST_BYTES:
        raise corrupt(f"more than {MOST_BYTES >> 20} MB")
    try:
        if zipfile.is_zipfile(path):
            names, numbers = _zipped(path)
        else:
            names, numbers = _legacy(path.read_bytes())
    except (DatasetMalformed, *_ZIP_FAILURES) as problem:
        raise corrupt(f"something else than weights ({problem})") from problem
    if isinstance(names, dict) and isinstance(names.get("state_dict"), dict):
        names = names["state_dict"]
    if not isinstance(names, dict):
        raise corrupt("no arrays by name")
    tensors = {str(name): value for name, value in names.items() if isinstance(value, _Tensor)}
    if not tensors:
        raise corrupt("no arrays by name")
    if sum(math.prod(one.shape) for one in tensors.values()) > MOST_NUMBERS:
        raise corrupt("more numbers than its size allows")
    return {name: tensor.of(numbers(tensor.storage)) for name, tensor in tensors.items()}


_Numbers = Callable[[_Storage], AnyArray]


def _zipped(path: Path) -> tuple[Any, _Numbers]:
    with zipfile.ZipFile(path) as archive:
        parts = {part.filename.partition("/")[2]: part for part in archive.infolist()}
        if sum(part.file_size for part in parts.values()) > MOST_BYTES:
            raise corrupt(f"more than {MOST_BYTES >> 20} MB")
        if "data.pkl" not in parts:
            raise corrupt("no list of arrays")
        names = read_plain(archive.read(parts["data.pkl"]), dialect=_dialect())
        data = {
            name.removeprefix("data/"): archive.read(part)
            for name, part in parts.items()
            if name.startswith("data/") and not part.is_dir()
        }
    return names, lambda storage: _numbers(storage, data.get(storage.key, b""))


def _legacy(data: bytes) -> tuple[Any, _Numbers]:
    stream = io.BytesIO(data)
    if read_plain(stream) != _MAGIC or read_plain(stream) != _PROTOCOL:
        raise corrupt("another magic number")
    system = read_plain(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise corrupt("numbers of another byte order")
    seen: dict[str, _Storage] = {}
    names = read_plain(stream, dialect=_dialect(seen))
    keys = read_plain(stream)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise corrupt("no list of storages")
    found: dict[str, AnyArray] = {}
    for key in keys:
        storage = seen.get(key)
        count = int.from_bytes(stream.read(8), "little")
        if storage is None or count != storage.count:
            raise corrupt("a storage that nothing refers to, or of another length")
        wanted = count * np.dtype(storage.kind).itemsize
        found[key] = _numbers(storage, stream.read(wanted))
    return names, lambda storage: found.get(storage.key, np.zeros(0, storage.kind))


def _numbers(storage: _Storage, data: bytes) -> AnyArray:
    kind = np.dtype(storage.kind)
    if len(data) < storage.count * kind.itemsize:
        raise corrupt("fewer numbers than it says: it ends too early")
    return np.frombuffer(data, kind, storage.count)


def _dialect(seen: dict[str, _Storage] | None = None) -> Dialect:
    """Return what PyTorch's pickles say. seen: gets the storages by their keys."""

    def persistent(told: Any) -> _Storage:
        if not isinstance(told, tuple) or len(told) < 5 or told[0] != "storage":
            raise corrupt("an object that is no storage")
        kind = _KINDS.get(dialect.named(told[1]))
        key, count = told[2], told[4]
        if kind is None or not isinstance(key, str) or not _whole(count):
            raise corrupt("a storage of a kind that weights do not have")
        storage = _Storage(key, kind, count)
        if seen is not None:
            seen[key] = storage
        return storage

    dialect = Dialect(
        symbols={
            ("collections", "OrderedDict"): "OrderedDict",
            ("torch._utils", "_rebuild_tensor_v2"): "tensor",
            ("torch._utils", "_rebuild_tensor"): "tensor",  # before PyTorch 0.4
            ("torch._utils", "_rebuild_parameter"): "parameter",
            **{("torch", name): name for name in _KINDS},
        },
        makers={"OrderedDict": _ordered, "tensor": _tensor, "parameter": lambda data, *_: data},
        persistent=persistent,
        kinds=(_Storage, _Tensor),
    )
    return dialect


def _ordered(*items: object) -> Mapping[Any, Any]:
    if items:
        raise corrupt("a table that is made of something")
    return {}


def _tensor(storage: object, start: object, shape: object, steps: object, *_: object) -> _Tensor:
    if (
        not isinstance(storage, _Storage)
        or not _whole(start)
        or not isinstance(shape, tuple)
        or not isinstance(steps, tuple)
        or len(shape) != len(steps)
        or len(shape) > 8
        or not all(map(_whole, (*shape, *steps)))
    ):
        raise corrupt("an array that is none")
    return _Tensor(storage, int(str(start)), shape, steps)


def _whole(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 40
