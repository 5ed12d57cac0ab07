"""The results of a run, photo by photo: as JSON or lines, into the table of --out, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from facelign.cli.exits import Exit
from facelign.cli.hints import spoken
from facelign.cli.output import emit, failure, line, note, only_prints
from facelign.wire.options import OutputFlags
from facelign.wire.records import Record

if TYPE_CHECKING:
    from facelign.wire.tables import FaceTable


#: commands that change nothing unless they are told to write a file
_PRINTING = frozenset({"detect", "embed", "identify", "liveness"})


@contextmanager
def reporting(output: OutputFlags, command: str) -> Iterator[Results]:
    """Yield what takes the results of a command; its table is whole when the run ends.

    Where nobody reads them any more, what only prints stops, and everything else goes on.
    """
    from facelign.wire.tables import COLUMNS_OF, FaceTable  # no help waits for csv and digests

    if command in _PRINTING and output.out is None and output.draw is None:
        only_prints()
    with FaceTable(output.out, COLUMNS_OF[command]) as table:
        yield Results(table, json=output.json)


class Results:
    """Takes the record of every photo; ``failed`` says whether one could not be used."""

    def __init__(self, table: FaceTable, *, json: bool) -> None:
        self.failed = False
        self._table = table
        self._json = json

    def add(self, record: Record, lines: Iterable[str] = (), *, failed: bool | None = None) -> None:
        """Write one record; lines: for people.

        failed: whether its reason is a failure rather than an answer, where it says no error.
        """
        record = spoken(record)
        problem = record.get("error") or (record["reason"] if failed else "")
        self.failed |= bool(problem)
        self._table.add(record if failed is None else record | {"failed": failed})
        if self._json:
            emit(record)
        elif record.get("held"):  # its reason may name another photo
            note(f"{record['image']}: {problem}")
        elif problem:
            failure(record["image"], problem)
        else:
            for text in lines:
                line(text)

    @property
    def code(self) -> Exit:
        """The exit status of a run whose photos were all used, or not."""
        return Exit.INPUT if self.failed else Exit.DONE
