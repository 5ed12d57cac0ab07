"""Names by a classifier over enrolled vectors: k nearest, nearest mean, linear SVM.

Fitting lives in ``evaluate.classifiers``, applying here. A classifier alone names every stranger,
so what uses its answer checks it against the scores of that person's templates (A3-15).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from facelign.compare.scores import measure, score_matrix
from facelign.errors import BadArray, ConfigError, DatasetMalformed, SpaceMismatch
from facelign.files.home import expanded
from facelign.files.npz import read_arrays, write_private
from facelign.types.arrays import Arrays, Float32Array, FloatArray, IntArray, check, checked
from facelign.types.embeddings import Metric
from facelign.types.policies import ClassifierRule

#: what the first field of a saved classifier says
FORMAT = "facelign-classifier-1"
#: what reading a saved classifier can fail with
_DAMAGE = (ValueError, TypeError, KeyError, EOFError, OSError, BadZipFile, DatasetMalformed)
#: probes that are scored at a time
_ROWS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class NameClassifier(Arrays):
    """A fitted classifier with its names.

    people: (p,) sorted names; a person's number is the place in it. table: (n, d) float32, one
    enrolled vector a row (KNN), or one mean (MEAN) or one vector of weights (SVM) a person, each
    of unit length where the space compares angles, SVM's weights excepted. codes: (n,) int64,
    numbers of the people of the rows. bias: (p,) float32, added to SVM's products, zeros otherwise.
    k: neighbors that vote. revision: of the gallery that it was fitted on, -1 for none. holding:
    tells that gallery of a file that is written, so that a removal reaches it; it is not saved.
    """

    rule: ClassifierRule
    space: str
    metric: Metric
    people: tuple[str, ...]
    table: Float32Array
    codes: IntArray
    bias: Float32Array
    k: int = 1
    revision: int = -1
    holding: Callable[[Path], AbstractContextManager[None]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check(self, np.float32, table=(None, None), bias=(len(self.people),))
        check(self, np.int64, codes=(len(self.table),))
        if not self.people or len(set(self.people)) != len(self.people):
            raise BadArray("classifier: wanted names, each once.")
        if self.rule is not ClassifierRule.KNN and len(self.table) != len(self.people):
            raise BadArray("classifier: wanted one row a person.")
        if not len(self.table) or self.codes.min() < 0 or self.codes.max() >= len(self.people):
            raise BadArray("classifier: a row belongs to nobody.")
        if self.k < 1:
            raise BadArray("classifier: wanted k of at least 1.")

    def answers(self, vectors: FloatArray, space: str | None = None) -> IntArray:
        """Return (n,) numbers of the people named for (n, d) vectors; everybody gets a name.

        space: whose vectors these are; raises SpaceMismatch unless it is the classifier's. Of
        people with equally many votes the one with the nearest vector wins.
        """
        if space is not None and space != self.space:
            raise SpaceMismatch(
                f"The classifier was fitted in space '{self.space}', "
                f"and the vectors are of space '{space}'.",
                "Fit it again: facelign people classifier",
            )
        probes = checked("vectors", vectors, np.float32, (None, self.table.shape[1]))
        said = [self._answers(probes[i : i + _ROWS]) for i in range(0, len(probes), _ROWS)]
        return np.concatenate(said) if said else np.zeros(0, np.int64)

    def names(self, vectors: FloatArray, space: str | None = None) -> list[str]:
        """Return the names for (n, d) vectors; as ``answers``."""
        return [self.people[code] for code in self.answers(vectors, space)]

    def _answers(self, probes: Float32Array) -> IntArray:
        if self.rule is ClassifierRule.SVM:
            sides = scaled(probes, self.metric) @ self.table.T + self.bias
            return np.asarray(sides.argmax(axis=1), np.int64)
        scores = score_matrix(probes, self.table, self.metric)
        if self.rule is ClassifierRule.MEAN:
            nearest_mean: IntArray = self.codes[scores.argmax(axis=1)]
            return nearest_mean
        k = min(self.k, scores.shape[1])
        # stable: of equal scores the row that came first, so that an answer never depends on luck
        nearest = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        voters = self.codes[nearest]
        votes = (voters[:, :, None] == voters[:, None, :]).sum(axis=2)
        won: IntArray = voters[np.arange(len(voters)), votes.argmax(axis=1)]
        return won

    def save(self, path: str | Path) -> None:
        """Write the classifier as an ``.npz`` of plain arrays that only its owner may read.

        It is there under its name only when it is complete, and the gallery that it was fitted on
        knows of it: a removal deletes it. ``load`` reads it. Raises ConfigError, and GalleryError
        where that gallery has changed since.
        """
        target = expanded(path)
        kept = [one.name for one in fields(self) if one.name != "holding"]
        arrays = {name: np.array(getattr(self, name)) for name in kept}
        try:
            with nullcontext() if self.holding is None else self.holding(target):
                write_private(target, {"format": np.array(FORMAT), **arrays})
        except OSError as error:
            raise ConfigError(
                f"{target} cannot be written: {error.strerror}.", "Name another place."
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> NameClassifier:
        """Return the classifier of a file; nothing pickled is read. Raises ConfigError."""
        source = expanded(path)
        try:
            held = read_arrays(source)
            if str(held["format"]) != FORMAT:
                raise ValueError("it is of another format")
            return cls(
                ClassifierRule(str(held["rule"])),
                str(held["space"]),
                Metric(str(held["metric"])),
                tuple(str(name) for name in held["people"].tolist()),
                held["table"],
                held["codes"],
                held["bias"],
                int(held["k"]),
                int(held["revision"]),
            )
        except _DAMAGE as error:
            raise ConfigError(
                f"{source} is no saved classifier: {error}.",
                "Fit it again: facelign people classifier",
            ) from error


def scaled(vectors: FloatArray, metric: Metric, *, unit: bool = False) -> Float32Array:
    """Return (n, d) float32 vectors, of unit length where the space asks for it.

    metric, unit: of the space; a metric that compares angles and a space of unit vectors ask.
    """
    rows: Float32Array = np.asarray(vectors, np.float32)
    if measure(metric).by_direction or unit:
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)
    return rows
