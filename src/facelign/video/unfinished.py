"""What a run over films has settled so far, so that a later one goes on where it was stopped.

A private file beside the table of the run, gone when the run is done. It holds the vectors of
strangers, which are needed to give them the same numbers again.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facelign.files import disk
from facelign.types.embeddings import Embeddings, Space
from facelign.video.visits import Strangers
from facelign.wire.records import Record


@dataclass(slots=True)
class FilmState:
    """How far a film is: the records of its visits, the last frame that is settled."""

    key: str
    visits: list[Record] = field(default_factory=list)
    frame: int = -1
    over: bool = False
    passed: int = 0
    remark: str = ""


class Unfinished:
    """The state of a run. state: what the results depend on besides the films; a file of another
    state is not gone on with.
    """

    def __init__(self, table: Path, state: str, space: Space) -> None:
        self._path = table.with_name(f".{table.name}.unfinished")
        self._state, self._space = state, space
        self.films: dict[str, FilmState] = {}
        #: whether an earlier run is gone on with, or one with other options is not
        self.resumed = self.other = False
        self._strangers: list[list[list[Any]]] = []

    def read(self) -> None:
        """Take up what an earlier run left, if it fits; anything else is as nothing."""
        try:
            record = json.loads(self._path.read_text(encoding="utf-8"))
            if record["state"] != self._state:
                self.other = True
                return
            self.films = {name: FilmState(**film) for name, film in record["films"].items()}
            self._strangers = record["strangers"]
            self.resumed = True
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.films, self._strangers = {}, []

    def restore(self, strangers: Strangers) -> None:
        """Give strangers the numbers that they had."""
        strangers.restore(
            [[(str(film), float(a), float(b), self._vectors(text)) for film, a, b, text in visits]
             for visits in self._strangers]
        )  # fmt: skip

    def film(self, path: Path) -> FilmState:
        """Return how far a film is; one that has changed begins anew."""
        told = path.stat()
        key = f"{told.st_size} {told.st_mtime_ns}"
        known = self.films.get(str(path))
        if known is None or known.key != key:
            known = self.films[str(path)] = FilmState(key)
        return known

    def write(self, strangers: Strangers) -> None:
        """Write everything down, in one step."""
        told = [
            [[film, start, end, _text(vectors)] for film, start, end, vectors in visits]
            for visits in strangers.kept()
        ]
        films = {name: _fields(film) for name, film in self.films.items()}
        record = {"state": self._state, "films": films, "strangers": told}
        disk.write(self._path, json.dumps(record).encode(), private=True)

    def done(self) -> None:
        """Forget it: the table stands."""
        self._path.unlink(missing_ok=True)

    def _vectors(self, text: str) -> Embeddings:
        values = np.frombuffer(b64decode(text), "<f4").reshape(-1, self._space.dim)
        vectors = np.ascontiguousarray(values, np.float32)
        return Embeddings(vectors, self._space, np.ones(len(vectors), np.float32))


def _text(vectors: Embeddings) -> str:
    return b64encode(vectors.vectors.astype("<f4").tobytes()).decode()


def _fields(film: FilmState) -> dict[str, Any]:
    return {name: getattr(film, name) for name in FilmState.__slots__}
