"""Embeddings that were saved by facelign or others: ``.npz``, and OpenFace's pair of CSV files."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facelign.datasets.records import csv_rows, existing, malformed
from facelign.errors import BadArray, DatasetMalformed
from facelign.files.home import expanded
from facelign.files.npz import read_arrays
from facelign.types.arrays import AnyArray, Float32Array, check

#: what an array of names is called in the wild
_NAMES = ("people", "person", "persons", "labels", "names", "subjects", "y")
#: and an array of the photos' paths; "photos" is how examples/vectors_to_npz.py calls it
_FILES = ("files", "photos", "paths", "filenames", "images")


@dataclass(frozen=True, slots=True, eq=False)
class SavedEmbeddings:
    """vectors: (n, d) float32. people: n names. files: n paths as saved, or (). space: or "".

    boxes: (n, 4) float32 of the faces, xyxy px of the photo, where they were saved.
    """

    vectors: Float32Array = field(repr=False)
    people: tuple[str, ...]
    files: tuple[str, ...] = ()
    space: str = ""
    boxes: Float32Array | None = None

    def __post_init__(self) -> None:
        n = len(self.people)
        check(self, np.float32, vectors=(n, None), boxes=(n, 4))
        if self.files and len(self.files) != n:
            raise BadArray(f"files: wanted {n} paths, got {len(self.files)}.")

    def one_a_photo(self) -> SavedEmbeddings:
        """Return one vector of each photo: of the largest face, or the first without boxes.

        Where photos are not known every vector stays.
        """
        if len(set(self.files)) == len(self.files):
            return self
        areas = np.zeros(len(self.files))
        if self.boxes is not None:
            areas = np.prod(
                np.diff(self.boxes.reshape(-1, 2, 2).astype(float), axis=1)[:, 0], axis=1
            )
        chosen: dict[str, int] = {}
        for row, file in enumerate(self.files):
            held = chosen.setdefault(file, row)
            if areas[row] > areas[held]:
                chosen[file] = row
        rows = list(chosen.values())
        return SavedEmbeddings(
            self.vectors[rows],
            tuple(self.people[row] for row in rows),
            tuple(chosen),
            self.space,
            None if self.boxes is None else self.boxes[rows],
        )


def read_npz(path: str | Path) -> SavedEmbeddings:
    """Return the embeddings of an ``.npz`` file: one table of floats and one list of names.

    Nothing pickled is loaded. Raises DatasetMissing or DatasetMalformed.
    """
    source = existing(path)
    try:
        arrays = read_arrays(source)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError) as error:
        raise DatasetMalformed(
            f"{source} is no .npz file of plain arrays: {error}.", "Save it without pickles."
        ) from error
    vectors = _table(source, arrays)
    n = len(vectors)
    files = _texts(arrays, _FILES, n)
    people = _texts(arrays, _NAMES, n) or tuple(Path(file).parent.name for file in files)
    if not people:
        raise DatasetMalformed(
            f"{source} does not say whose vectors they are.",
            f"Wanted: an array of {n} names, called people, or of {n} paths, called files.",
        )
    space = arrays.get("space")
    said = str(space) if space is not None and space.ndim == 0 and space.dtype.kind == "U" else ""
    boxes = arrays.get("boxes")
    if boxes is not None:
        boxes = boxes.astype(np.float32) if boxes.shape == (n, 4) else None
    try:
        return SavedEmbeddings(vectors, people, files, said, boxes)
    except BadArray as error:
        raise DatasetMalformed(f"{source}: {error.message}", "Save it again.") from error


def _table(source: Path, arrays: Mapping[str, AnyArray]) -> AnyArray:
    """Return the one table of vectors; boxes of faces are none."""
    tables = [
        a for name, a in arrays.items() if a.ndim == 2 and a.dtype.kind == "f" and name != "boxes"
    ]
    if len(tables) != 1:
        raise DatasetMalformed(
            f"{source} has {len(tables)} tables of numbers.", "Wanted: one 2-D array of vectors."
        )
    return tables[0]


def _texts(arrays: Mapping[str, AnyArray], names: Sequence[str], n: int) -> tuple[str, ...]:
    """Return the first array of ``n`` values among ``names``, as text, or ()."""
    found = next((arrays[k] for k in names if k in arrays and arrays[k].shape == (n,)), None)
    return () if found is None else tuple(str(value) for value in found.tolist())


def read_openface(labels: str | Path, reps: str | Path) -> SavedEmbeddings:
    """Return the pair of files that OpenFace's batch-represent writes.

    labels.csv: ``number,path`` a line; the folder of the path is the person. reps.csv: the numbers
    of one vector a line, in the same order.
    """
    label_file, rep_file = expanded(labels), expanded(reps)
    files = []
    for line, row in csv_rows(label_file, "number, path"):
        if len(row) != 2:
            raise malformed(label_file, line, f"{len(row)} cells", "number, path")
        files.append(row[1].strip())
    vectors: list[list[float]] = []
    for line, row in csv_rows(rep_file, "numbers"):
        try:
            vectors.append([float(cell) for cell in row])
        except ValueError as error:
            raise malformed(rep_file, line, "no vector", "numbers") from error
        if len(vectors[-1]) != len(vectors[0]):
            first = f"{len(vectors[0])} as before"
            raise malformed(rep_file, line, f"{len(row)} numbers", first)
    if len(vectors) != len(files) or not files:
        raise DatasetMalformed(
            f"{label_file} has {len(files)} lines and {rep_file} {len(vectors)}.",
            "Give the two files of one run.",
        )
    people = tuple(Path(name).parent.name for name in files)
    try:
        return SavedEmbeddings(np.array(vectors, np.float32), people, tuple(files))
    except BadArray as error:
        raise DatasetMalformed(f"{rep_file}: {error.message}", "Make it again.") from error
