"""Who is in a film and when: a line a person, a bar a visit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot
from facelign.types.wording import counted, some

#: lines that are shown: people with a name first, then strangers who were in view longest
MOST = 40


class Stretch(NamedTuple):
    """A visit. known: whether the person has a name; start_s, end_s: of the film."""

    person: str
    known: bool
    start_s: float
    end_s: float


def draw(stretches: Sequence[Stretch], *, film: str = "", length_s: float | None = None) -> Plot:
    """Return the chapters of appearance of one film.

    stretches: its visits. length_s: of the film, where it is known. Raises BadArray for none.
    """
    if not stretches:
        raise BadArray("timeline: there is no visit to show.")
    every = _people(stretches)
    people = every[:MOST]
    figure, (axes,) = style.figure(8.0, 1.2 + 0.28 * len(people))
    for row, (person, known) in enumerate(people):
        mine = [one for one in stretches if (one.person, one.known) == (person, known)]
        bars = [(one.start_s, max(one.end_s - one.start_s, 0.04)) for one in mine]
        color = style.LINES[row % len(style.LINES)] if known else style.GRAY
        axes.broken_barh(bars, (row - 0.36, 0.72), color=color, hatch=None if known else "////",
                         edgecolor="white", linewidth=0.5)  # fmt: skip
    axes.set_yticks(range(len(people)), [person for person, _ in people], fontsize=9)
    axes.set_ylim(len(people) - 0.4, -0.6)
    axes.set_xlim(0, max(length_s or 0.0, max(one.end_s for one in stretches)) * 1.01 + 0.01)
    axes.set_xlabel("seconds of the film")
    axes.grid(axis="x", alpha=0.3)
    names = [person for person, known in every if known]
    strangers = counted(len(every) - len(names), "stranger")
    title = f"{film}: {counted(len(stretches), 'visit')}" if film else "Visits"
    axes.set_title(title, fontsize=10, loc="left")
    alt = f"{title}; {some(names) if names else 'nobody by name'}, {strangers}."
    if len(every) > MOST:
        alt += f" {len(every) - MOST} lines more are not shown."
    numbers = {
        "person": [one.person for one in stretches],
        "start, s": [one.start_s for one in stretches],
        "end, s": [one.end_s for one in stretches],
    }
    return Plot("timeline", figure, alt, numbers, photos=True)


def _people(stretches: Sequence[Stretch]) -> list[tuple[str, bool]]:
    """Return everybody, those with a name by their first visit, then strangers, longest first."""
    first: dict[tuple[str, bool], float] = {}
    length: dict[tuple[str, bool], float] = {}
    for one in stretches:
        key = one.person, one.known
        first[key] = min(first.get(key, one.start_s), one.start_s)
        length[key] = length.get(key, 0.0) + one.end_s - one.start_s
    named = sorted((key for key in first if key[1]), key=lambda key: first[key])
    return named + sorted((key for key in first if not key[1]), key=lambda key: -length[key])


def example() -> Plot:
    """Return the figure for a made-up film."""
    stretches = [
        Stretch("Ada", True, 0.0, 12.5),
        Stretch("Grace", True, 8.0, 21.0),
        Stretch("Ada", True, 30.0, 41.0),
        Stretch("unknown 1", False, 14.0, 18.0),
        Stretch("unknown 2", False, 33.0, 34.0),
    ]
    return draw(stretches, film="party.mp4", length_s=45.0)
