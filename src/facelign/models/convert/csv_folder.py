"""Arrays out of a folder of CSV files, a file an array, as Keras-OpenFace publishes nn4.small2.

A folder is packed into one file, so that it has a digest and a place like any other: a zip that
nothing is squeezed in, of the CSV files in the order of their names; the same folder gives the same
bytes. Numbers come without a shape: whoever knows the network knows it.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.types.arrays import AnyArray

#: the largest text of all arrays together, bytes
MOST_BYTES = 1 << 29
MOST_FILES = 5_000
#: the time of every entry: when a file was written is no part of what it holds
_WHEN = (1980, 1, 1, 0, 0, 0)


def corrupt(what: str) -> WeightsCorrupt:
    """Return the error for what is no folder of arrays."""
    return WeightsCorrupt(
        f"The folder of CSV files is not usable: it holds {what}.",
        "Get the whole folder from its publisher.",
    )


def pack(folder: Path, out: Path) -> None:
    """Write the CSV files of a folder into one new file; raises WeightsCorrupt."""
    paths = sorted(path for path in folder.glob("*.csv") if path.is_file())
    _bounded(len(paths), (path.stat().st_size for path in paths))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in paths:
            archive.writestr(zipfile.ZipInfo(path.name, _WHEN), path.read_bytes())


def read(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a packed folder by the names of their files, each as one row.

    Raises WeightsCorrupt.
    """
    found: dict[str, AnyArray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [part for part in archive.infolist() if part.filename.endswith(".csv")]
            _bounded(len(parts), (part.file_size for part in parts))
            for part in parts:
                name = part.filename.rpartition("/")[2].removesuffix(".csv")
                found[name] = _numbers(name, archive.read(part))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as problem:
        raise corrupt(f"something else than files ({problem})") from problem
    return found


def _bounded(count: int, sizes: Iterable[int]) -> None:
    if not 0 < count <= MOST_FILES or sum(sizes) > MOST_BYTES:
        raise corrupt(f"{count} CSV files, or more than {MOST_BYTES >> 20} MB")


def _numbers(name: str, text: bytes) -> AnyArray:
    try:
        return np.array(text.replace(b",", b" ").split(), np.float64)
    except ValueError as problem:
        raise corrupt(f"something else than numbers in {name}.csv") from problem
