"""What a report holds, as plain records: whoever measures fills them, ``html`` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from facelign.errors import BadArray
from facelign.report.plot import Plot
from facelign.types.arrays import Float64Array, check
from facelign.wire.cells import csv_text


class Mood(StrEnum):
    """How a verdict is meant; never told by color alone, the words say it too."""

    GOOD = "good"
    BAD = "bad"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Fact:
    """One main figure. interval: its 95 % interval as text; note: what it means, in a few words."""

    label: str
    value: str
    interval: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its numbers can be taken as CSV. rows: cells as text, numbers already rounded."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise BadArray(f"table '{self.title}': wanted {len(self.columns)} cells in every row.")

    def csv(self) -> str:
        """Return the table as CSV with a header."""
        return csv_text((self.columns, *self.rows))


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture of a face. data: the bytes of a JPEG or PNG; caption: shown below it."""

    data: bytes
    caption: str = ""

    @property
    def kind(self) -> str:
        """Media type, by the first bytes."""
        return "image/png" if self.data.startswith(b"\x89PNG") else "image/jpeg"


@dataclass(frozen=True, slots=True)
class Tile:
    """Photos that belong together, such as a pair, and what is to be said of them."""

    photos: Sequence[Thumbnail]
    text: str


@dataclass(frozen=True, slots=True)
class Wall:
    """Tiles under a heading: worst pairs, failures."""

    title: str
    tiles: Sequence[Tile]
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FaceMap:
    """Faces in the plane (t-SNE, UMAP), with a photo that appears under the pointer.

    points: (n, 2), no unit. people: (n,) names. photos: (n,) or empty.
    """

    title: str
    points: Float64Array
    people: Sequence[str]
    photos: Sequence[Thumbnail | None] = ()
    note: str = ""

    def __post_init__(self) -> None:
        n = len(self.people)
        check(self, np.float64, points=(n, 2))
        if self.photos and len(self.photos) != n:
            raise BadArray(f"face map: wanted {n} photos or none, got {len(self.photos)}.")

    def plot(self) -> Plot:
        """Return the map as a figure without photos, to be written as PNG, SVG or CSV."""
        from facelign.report.plots import scatter

        return scatter.draw(self.points, self.people, title=self.title)


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A part of the report, for engineers. text: paragraphs."""

    title: str
    text: Sequence[str] = ()
    figures: Sequence[Plot] = ()
    tables: Sequence[Table] = ()
    walls: Sequence[Wall] = ()
    maps: Sequence[FaceMap] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A whole report.

    verdict: one sentence for a manager. headline: the main figures with their intervals. scope: a
    line under the title, such as set and date. provenance: everything that made the numbers: set
    and digest, protocol, preset, space, versions, weights by SHA-256, command line, seed, date.
    caveats: what the reader must know before believing, shown on the first screen.
    """

    title: str
    verdict: str
    headline: Sequence[Fact]
    sections: Sequence[Section]
    provenance: Mapping[str, str]
    scope: str = ""
    mood: Mood = Mood.PLAIN
    caveats: Sequence[str] = field(default=())
