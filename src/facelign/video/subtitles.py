"""Visits as subtitles (SubRip), so that any player shows who is in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from facelign.video.visits import Visit
from facelign.wire.printable import visible

#: what players take for markup, and what stands for it
_MARKUP = str.maketrans("<>{}", "()()")


def srt(visits: Sequence[Visit]) -> str:
    """Return the names of everybody in view, a subtitle for each stretch with the same people.

    A name keeps no character that would end a subtitle or be taken for markup.
    """
    edges = sorted({edge for visit in visits for edge in (visit.start_s, visit.end_s)})
    stretches: list[tuple[float, float, str]] = []
    for start, end in pairwise(edges):
        here = [visit for visit in visits if visit.start_s <= start and end <= visit.end_s]
        ordered = sorted(here, key=lambda visit: (visit.stranger or 0, visit.who))
        text = ", ".join(dict.fromkeys(_plain(visit.who) for visit in ordered))
        if not text:
            continue
        if stretches and stretches[-1][1] == start and stretches[-1][2] == text:
            stretches[-1] = (stretches[-1][0], end, text)
        else:
            stretches.append((start, end, text))
    blocks = (
        f"{number}\n{_clock(start)} --> {_clock(end)}\n{text}\n"
        for number, (start, end, text) in enumerate(stretches, 1)
    )
    return "\n".join(blocks)


def _plain(name: str) -> str:
    text = " ".join(visible(name).split())
    return text.translate(_MARKUP)


def _clock(time_s: float) -> str:
    whole = round(time_s * 1000)
    seconds, millis = divmod(whole, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d},{millis:03d}"
