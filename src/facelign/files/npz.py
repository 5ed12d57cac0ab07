"""``.npz`` files of plain arrays: read without executing anything, written whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from facelign.errors import DatasetMalformed
from facelign.files.disk import atomic
from facelign.types.arrays import AnyArray

#: a million vectors of 1,024 numbers
MAX_BYTES = 4 << 30
#: bytes that any file may unpack to; and how many times its size a larger one may: vectors hardly
#: shrink when they are compressed, so what unpacks to far more is no table of vectors
_FREE, _TIMES = 64 << 20, 16


def read_arrays(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a file by name; members that are none are left out.

    Raises DatasetMalformed for a file that unpacks to too much (it is not unpacked) or whose
    arrays are not as their headers say, and else what NumPy and zipfile raise: BadZipFile,
    ValueError, OSError, EOFError, KeyError.
    """
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        most = min(MAX_BYTES, max(_FREE, _TIMES * path.stat().st_size))
        if sum(member.file_size for member in members) > most:
            raise DatasetMalformed(
                f"{path} unpacks to more than {most >> 20:,} MB.", "Split it, or save it again."
            )
        for member in members:
            if member.filename.endswith(".npy"):
                with archive.open(member) as file:
                    name = member.filename.removesuffix(".npy")
                    arrays[name] = read_array(file, member.file_size, path.name)
    return arrays


def read_array(file: IO[bytes], size: int, name: str) -> AnyArray:
    """Return the array of an .npy stream of ``size`` bytes, which its header must not exceed.

    name: of the file, for errors. Raises DatasetMalformed, ValueError.
    """
    major, minor = npy.read_magic(file)
    reader = {1: npy.read_array_header_1_0, 2: npy.read_array_header_2_0}.get(major)
    if reader is None:
        raise DatasetMalformed(f"{name} has version {major}.{minor} of the .npy form.", "Use 1.0.")
    shape, fortran, dtype = reader(file)
    if dtype.hasobject:
        raise DatasetMalformed(
            f"{name} holds Python objects, which are not loaded.", "Save plain numbers and text."
        )
    count = int(np.prod(shape, dtype=object)) if shape else 1
    length = count * dtype.itemsize
    if not 0 <= length < size:
        raise DatasetMalformed(f"{name} is shorter than its header says.", "Copy it again.")
    data = file.read(length)
    if len(data) != length:
        raise DatasetMalformed(f"{name} ends too early.", "Copy it again.")
    flat: AnyArray = np.frombuffer(data, dtype, count) if length else np.zeros(count, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def write_private(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays for their owner's eyes, under the name only when all is on the disk.

    They are not compressed, so that a search through the bytes finds a vector that is among them.
    Raises OSError.
    """
    with atomic(path, private=True) as file:
        np.savez(file, **arrays)
