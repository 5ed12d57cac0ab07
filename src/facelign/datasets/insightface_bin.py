"""InsightFace's ``.bin`` sets (lfw.bin, cfp_fp.bin, agedb_30.bin): a pickle of encoded pictures.

The file holds a list of 2n pictures (JPEG or PNG bytes, or arrays of such bytes) and a list of n
truths; pictures 2i and 2i + 1 are pair i. It is read without executing anything in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelign.datasets.records import existing
from facelign.errors import DatasetMalformed
from facelign.files.pickles import read_plain
from facelign.types.arrays import BoolArray, IntArray

#: the sets in use are 50 to 100 MB
MAX_BYTES = 4 << 30


@dataclass(frozen=True, slots=True, eq=False)
class BinSet:
    """Encoded pictures and truths. pictures: 2n files' bytes. same: (n,) bool. folds: (n,) int64.

    The pictures are chips of 112 x 112 px that are aligned already.
    """

    name: str
    pictures: tuple[bytes, ...]
    same: BoolArray
    folds: IntArray

    def __len__(self) -> int:
        return len(self.same)


def read_bin(path: str | Path, *, folds: int = 10) -> BinSet:
    """Return the pairs of a ``.bin`` file, cut into ``folds`` consecutive folds as its users do."""
    source = existing(path)
    if source.stat().st_size > MAX_BYTES:
        raise DatasetMalformed(f"{source} is larger than {MAX_BYTES >> 30} GiB.", "Split it.")
    content = read_plain(source.read_bytes())
    if not isinstance(content, list | tuple) or len(content) != 2:
        raise _malformed(source, "it holds no pictures with truths")
    pictures, truths = content
    if not isinstance(pictures, list | tuple) or not isinstance(truths, list | tuple | np.ndarray):
        raise _malformed(source, "it holds no lists")
    if len(pictures) != 2 * len(truths) or not len(truths):
        raise _malformed(source, f"{len(pictures)} pictures for {len(truths)} truths")
    if not all(isinstance(t, bool | np.bool_) or t in (0, 1) for t in truths):
        raise _malformed(source, "a truth is neither yes nor no")
    same = np.array([bool(t) for t in truths])
    # as scikit-learn's KFold without shuffling, which its users evaluate with
    fold_of = np.empty(len(same), np.int64)
    for number, part in enumerate(np.array_split(np.arange(len(same)), min(folds, len(same)))):
        fold_of[part] = number
    return BinSet(source.stem, tuple(_bytes(source, p) for p in pictures), same, fold_of)


def _bytes(source: Path, picture: object) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 1:
        return picture.tobytes()
    raise _malformed(source, "a picture is neither bytes nor an array of bytes")


def _malformed(source: Path, said: str) -> DatasetMalformed:
    return DatasetMalformed(
        f"{source} is no .bin set: {said}.",
        "Wanted: a list of 2n pictures and a list of n truths, as InsightFace writes them.",
    )
