"""Who was there, and when: a visit is one appearance of a face, from its first frame to its last.

Strangers have numbers, which they keep when they are seen again.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from facelign.compare import thresholds
from facelign.compare.scores import score_matrix
from facelign.errors import DatasetMalformed
from facelign.files import disk
from facelign.types.calibrations import Calibration
from facelign.types.embeddings import Embeddings
from facelign.video.evidence import TrackVerdict, together
from facelign.video.following import Track
from facelign.video.looks import Look
from facelign.wire.cells import ENCODING
from facelign.wire.records import Record, number
from facelign.wire.tables import Csv, JsonLines


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One appearance. start_s, end_s: of its first and last frame; frames: from one to the other.

    number: counts from 1 in each film. stranger: the number of somebody who has no name, the same
    through cuts; None with a name. best: the look that says most, None where no view was worth one.
    """

    film: str
    number: int
    verdict: TrackVerdict
    stranger: int | None
    start_s: float
    end_s: float
    frames: int
    best: Look | None

    @classmethod
    def of(cls, film: str, number: int, tracks: Sequence[Track]) -> Visit:
        """Return the visit that some tracks of one face were; its stranger has no number yet."""
        first = min((track.first for track in tracks), key=lambda view: view.number)
        last = max((track.last for track in tracks), key=lambda view: view.number)
        chief = max(tracks, key=lambda track: (track.verdict.score or 0.0, len(track.looks)))
        frames = last.number - first.number + 1
        looks = sum(track.verdict.looks for track in tracks)
        verdict = replace(chief.verdict, looks=looks)
        return cls(film, number, verdict, None, first.time_s, last.time_s, frames, chief.best)

    @property
    def who(self) -> str:
        """The name, or "unknown" with the stranger's number."""
        return self.verdict.person or f"unknown {self.stranger}"

    def numbered(self, stranger: int) -> Visit:
        """Return the visit with the number of its stranger."""
        return replace(self, stranger=stranger)

    def meets(self, start_s: float, end_s: float) -> bool:
        """Return whether it is in the picture at some time between two."""
        return self.start_s <= end_s and start_s <= self.end_s


#: out of sight for so long, s, somebody with a name is still there
_GONE_S = 1.0
#: a face that a damaged picture shows twice for so long, s, is one
_TWICE_S = 0.5


def of_one_face(tracks: Sequence[Track]) -> list[list[Track]]:
    """Return tracks by their beginning, those of one visit together.

    A tracker loses a face that turns away or jumps; where the next one of the scene, within a
    second, bears the same name, it was there all the time. Strangers are never joined.
    """
    visits: list[list[Track]] = []
    latest: dict[tuple[str, int], list[Track]] = {}
    for track in sorted(tracks, key=lambda one: (one.first.number, one.number)):
        person = track.verdict.person
        key = person or "", track.scene
        before = latest.get(key) if person else None
        gap = track.first.time_s - before[-1].last.time_s if before else float("inf")
        if before is not None and -_TWICE_S <= gap <= _GONE_S:
            before.append(track)
            continue
        visits.append([track])
        if person:
            latest[key] = visits[-1]
    return visits


#: film, first and last second, and vector (a set of one) of a visit of a stranger
_Seen = tuple[str, float, float, Embeddings]


class Strangers:
    """Numbers people without a name.

    They are a gallery of their own, and the threshold follows its size. Two who are in the picture
    at the same time are never one. Without a calibration everybody is somebody new. The vectors
    stay in memory and are gone with it.
    """

    def __init__(self, calibration: Calibration | None) -> None:
        self._calibration = calibration
        self._seen: list[list[_Seen]] = []

    def number(self, visit: Visit, looks: Sequence[Look]) -> int:
        """Return the number of the stranger of a visit, who may have been here before."""
        if not looks:  # nothing that could be known again
            self._seen.append([])
            return len(self._seen)
        vectors = together(looks)
        best, place = self._limit(), len(self._seen)
        for at, known in enumerate(self._seen):
            if any(film == visit.film and visit.meets(*times) for film, *times, _ in known):
                continue
            for *_, others in known:
                score = float(score_matrix(vectors, others).max())
                if score >= best:
                    best, place = score, at
        if place == len(self._seen):
            self._seen.append([])
        self._seen[place].append((visit.film, visit.start_s, visit.end_s, vectors))
        return place + 1

    def kept(self) -> Sequence[Sequence[_Seen]]:
        """Return the visits of each stranger, by number: film, first and last second, vector."""
        return self._seen

    def restore(self, seen: Sequence[Sequence[_Seen]]) -> None:
        """Take up what ``kept`` gave."""
        self._seen = [list(visits) for visits in seen]

    def _limit(self) -> float:
        if self._calibration is None:
            return float("inf")
        held = sum(len(vectors) for visits in self._seen for *_, vectors in visits)
        return thresholds.search_threshold(self._calibration, held).threshold.score


#: the columns of a table of visits, in order
COLUMNS = (
    *("film", "visit", "person", "stranger", "start", "end", "frames"),
    *("best_time", "score", "threshold", "height", "looks", "reason"),
)


def row(record: Record) -> list[object]:
    """Return the cells of a visit's record, a column each."""
    best = record["best"] or {}
    cells = record | {"best_time": best.get("time")}
    cells |= {name: best.get(name) for name in ("score", "height")}
    return ["" if cells[name] is None else cells[name] for name in COLUMNS]


def write_table(path: Path, records: Iterable[Record]) -> None:
    """Write the records of visits as .csv or .jsonl, by the suffix of ``path``, in one step.

    Only its owner may read it: it says who was where.
    """
    with disk.replacing(path, sync=False) as scratch:
        if path.suffix == ".csv":
            with closing(Csv(scratch, COLUMNS)) as table:
                table.write(*map(row, records))
        else:
            with closing(JsonLines(scratch)) as lines:
                for record in records:
                    lines.add(record)


def read_table(path: Path) -> list[Record]:
    """Return film, person, stranger, start and end of every visit in a table.

    Raises DatasetMalformed for what is no such table.
    """
    try:
        if path.suffix == ".csv":
            with path.open(encoding=ENCODING, newline="") as file:
                reader = csv.DictReader(file)
                if not {"film", "person"} <= set(reader.fieldnames or ()):
                    raise KeyError("person")
                rows: list[Record] = list(reader)
        else:
            with path.open(encoding="utf-8") as file:
                rows = [json.loads(text) for text in file if text.strip()]
        return [_told(one) for one in rows]
    except OSError as problem:
        raise DatasetMalformed(f"{path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise DatasetMalformed(
            f"{path} is no table of visits.", "Give a table that the command video wrote."
        ) from problem


def _told(row: Record) -> Record:
    stranger = row["stranger"]
    times = {name: float(row[name]) for name in ("start", "end")}
    if not all(map(math.isfinite, times.values())):
        raise ValueError
    whose = {name: str(row[name]).removeprefix("'") for name in ("film", "person")}
    return {**whose, "stranger": None if stranger in ("", None) else int(stranger), **times}


def visit_record(visit: Visit) -> Record:
    """Return what video prints for one visit; times in seconds of the film.

    "person": the name, or "unknown 1", "unknown 2", ...; "stranger": that number, or null.
    """
    verdict, best = visit.verdict, visit.best
    limit = verdict.threshold
    return {
        "film": visit.film,
        "visit": visit.number,
        "person": visit.who,
        "stranger": visit.stranger,
        "start": number(visit.start_s, 3),
        "end": number(visit.end_s, 3),
        "frames": visit.frames,
        "best": best
        and {
            "time": number(best.view.time_s, 3),
            "score": None if verdict.score is None else number(verdict.score),
            "box": [number(v, 2) for v in best.view.box.edges],
            "height": number(best.view.box.height, 1),
        },
        "looks": verdict.looks,
        "threshold": limit and number(limit.threshold.score),
        "reason": verdict.reason,
    }
