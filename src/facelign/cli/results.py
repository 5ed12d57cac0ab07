"""The results of a run, photo by photo: as JSON or lines, into the table of --out, and counted."""

from __future__ import annotations

from collections.abc import Iterable

from facelign.cli.exits import Exit
from facelign.cli.hints import spoken
from facelign.cli.output import emit, failure, line
from facelign.wire.options import OutputFlags
from facelign.wire.records import Record


class Results:
    """Takes the record of every photo; ``failed`` says whether one could not be used."""

    def __init__(self, output: OutputFlags) -> None:
        from facelign.wire.tables import Table  # no help waits for csv and digests

        self.failed = False
        self._json = output.json
        self._table = Table(output.out)

    def __enter__(self) -> Results:
        self._table.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._table.__exit__(*raised)

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
        elif problem:
            failure(record["image"], problem)
        else:
            for text in lines:
                line(text)

    @property
    def code(self) -> Exit:
        """The exit status of a run whose photos were all used, or not."""
        return Exit.INPUT if self.failed else Exit.DONE
