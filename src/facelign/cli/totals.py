"""The last lines of a run that names photos: how many got a name, and by which threshold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from facelign.cli.output import line, note
from facelign.types.wording import counted

if TYPE_CHECKING:
    from facelign.recognition.results import Identification
    from facelign.types.decisions import SearchThreshold


class Totals:
    """Counts the photos of a run. failed: of words that meant no photo."""

    def __init__(self, failed: int = 0) -> None:
        self._counts = Counter(failed=failed)
        self._people: set[str] = set()
        self._limit: SearchThreshold | None = None

    def take(self, answer: Identification) -> None:
        """Count one photo: named where anybody on it is known."""
        people = {face.person for face in answer.faces if face.person}
        limits = (face.answer.threshold for face in answer.faces)
        self._limit = self._limit or next((limit for limit in limits if limit), None)
        self._people |= people
        if answer.error:
            self._counts["failed"] += 1
        elif people:
            self._counts["named"] += 1
        else:
            self._counts["unknown" if answer.faces else "no face"] += 1

    def tell(self, *, json: bool) -> None:
        """Write the totals beneath the lines, beside JSON; nothing where no photo was looked at."""
        for text in self._lines() if self._counts.total() else ():
            (note if json else line)(text)

    def _lines(self) -> Iterator[str]:
        photos, people = self._counts.total(), len(self._people)
        who = counted(people, "person", "people")
        parts = [f"{self._counts['named']} named ({who})"]
        parts.append(f"{self._counts['unknown']} unknown")
        parts += (f"{self._counts[k]} {k}" for k in ("no face", "failed") if self._counts[k])
        yield f"{counted(photos, 'photo')}: {', '.join(parts)}"
        if self._limit is not None:
            limit = self._limit
            rate = f"at most {100 * limit.fpir:g} % of strangers get a name; " if limit.fpir else ""
            yield f"threshold {limit.threshold.score:.3f} ({rate}{limit.threshold.source})"
