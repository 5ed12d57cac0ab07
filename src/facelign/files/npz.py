"""``.npz`` files of plain arrays: read without executing anything, written whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facelign.errors import DatasetMalformed
from facelign.files.disk import atomic
from facelign.types.arrays import AnyArray

#: a million vectors of 1,024 numbers
MAX_BYTES = 4 << 30


def read_arrays(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a file; a member that is no array comes back as bytes.

    Raises DatasetMalformed for a file that unpacks to over ``MAX_BYTES``, and for anything else
    what NumPy and zipfile raise: BadZipFile, ValueError, OSError, EOFError, KeyError.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
            raise DatasetMalformed(f"{path} unpacks to over {MAX_BYTES >> 30} GiB.", "Split it.")
    with np.load(path, allow_pickle=False) as content:
        return {name: np.asarray(content[name]) for name in content.files}


def write_private(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays for their owner's eyes, under the name only when all is on the disk.

    They are not compressed, so that a search through the bytes finds a vector that is among them.
    Raises OSError.
    """
    with atomic(path, private=True) as file:
        np.savez(file, **arrays)
