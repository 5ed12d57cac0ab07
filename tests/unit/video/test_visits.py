"""Visits: who, when, and the numbers of strangers."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from facelign.compare import calibrations
from facelign.errors import DatasetMalformed
from facelign.types.decisions import CandidateList
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Box
from facelign.video.evidence import NOBODY, TrackVerdict
from facelign.video.following import Track
from facelign.video.looks import Look, Sighting
from facelign.video.options import FollowOptions
from facelign.video.subtitles import srt
from facelign.video.unfinished import Unfinished
from facelign.video.visits import (
    COLUMNS,
    Strangers,
    Visit,
    of_one_face,
    read_table,
    row,
    visit_record,
    write_table,
)

CALIBRATION = calibrations.load("default-lfw-dev")
SPACE = Space(CALIBRATION.space, 16, Metric.COSINE, unit=True)
BOX = Box(10.0, 10.0, 90.0, 110.0)


def verdict(person: str | None, score: float = 0.6) -> TrackVerdict:
    return TrackVerdict(person, True, score, None, "" if person else "below the threshold", 3)


def visit(
    person: str | None = None, start: float = 0.0, end: float = 1.0, *, number: int = 1,
    score: float = 0.6, film: str = "a.mp4", stranger: int | None = None,
) -> Visit:  # fmt: skip
    frames = round((end - start) * 25) + 1
    return Visit(film, number, verdict(person, score), stranger, start, end, frames, None)


def looks(*vectors: np.ndarray) -> list[Look]:
    answer = CandidateList((), None, "nobody is enrolled", None, 0)
    sighting = Sighting(0.0, 0, BOX, 0.9, 0.4, 3.0)
    units = [v / np.linalg.norm(v) for v in vectors]
    sets = [Embeddings(u[None].astype(np.float32), SPACE, np.ones(1, np.float32)) for u in units]
    return [Look(sighting, one, answer) for one in sets]


def person(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=16)


def track(person: str | None, start: int, end: int, scene: int = 0, number: int = 1) -> Track:
    """Return a track from one frame to another, 25 a second."""
    views = [Sighting(n / 25, n, BOX, 0.9, 0.4, 3.0) for n in (start, end)]
    made = Track(number, views[0], FollowOptions(), scene)
    made.last, made.verdict = views[1], verdict(person)
    return made


def test_who_is_lost_for_a_moment_was_there_all_the_time() -> None:
    """Tracks of one name join within a second and a scene; strangers never do."""
    tracks = [
        track("Ada", 0, 50),
        track("Bo", 40, 60),
        track("Ada", 70, 100),  # 20 frames later
        track("Ada", 126, 140),  # 26 frames later
        track("Ada", 141, 150, scene=1),  # behind a cut
        track(None, 0, 10),
        track(None, 11, 20),
    ]
    told = [[(one.first.number, one.last.number) for one in mine] for mine in of_one_face(tracks)]
    assert told == [
        [(0, 50), (70, 100)],
        [(0, 10)],
        [(11, 20)],
        [(40, 60)],
        [(126, 140)],
        [(141, 150)],
    ]
    joined = Visit.of("a.mp4", 1, [tracks[0], tracks[2]])
    assert (joined.start_s, joined.end_s, joined.frames) == (0.0, 4.0, 101)
    assert joined.verdict.looks == 6
    assert joined.who == "Ada"


def test_a_stranger_keeps_the_number_through_cuts_and_films() -> None:
    strangers = Strangers(CALIBRATION)
    first, second = person(1), person(2)
    noise = 0.1 * person(3)
    assert strangers.number(visit(end=1), looks(first, first + noise)) == 1
    assert strangers.number(visit(start=0.5, end=2), looks(second)) == 2
    assert strangers.number(visit(start=3, end=4), looks(first + noise)) == 1
    assert strangers.number(visit(film="b.mp4"), looks(second + noise)) == 2
    assert strangers.number(visit(start=9, end=9.5), []) == 3  # nothing to know again
    assert strangers.number(visit(start=11, end=12), looks(person(4))) == 4


def test_two_who_are_in_the_picture_together_are_never_one() -> None:
    strangers = Strangers(CALIBRATION)
    twin = person(1)
    assert strangers.number(visit(start=0, end=5), looks(twin)) == 1
    assert strangers.number(visit(start=5, end=6), looks(twin)) == 2


def test_without_a_calibration_everybody_is_somebody_new() -> None:
    strangers = Strangers(None)
    assert [strangers.number(visit(start=i, end=i + 0.5), looks(person(1))) for i in (0, 1)] == [
        1,
        2,
    ]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_table_is_private_and_reads_back(tmp_path: Path, suffix: str) -> None:
    visits = [visit("=Ada, 'x'\n", 0.5, 3.25), visit(None, 1, 2, number=2, stranger=7)]
    table = tmp_path / f"film{suffix}"
    write_table(table, map(visit_record, visits))
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    read = read_table(table)
    assert [(one["start"], one["end"], one["stranger"]) for one in read] == [
        (0.5, 3.25, None),
        (1.0, 2.0, 7),
    ]
    assert read[1]["person"] == "unknown 7"
    assert read[0]["person"].startswith("=Ada")
    assert len(row(visit_record(visits[0]))) == len(COLUMNS)


@pytest.mark.parametrize("text", ["", "film\n1", "[1]\n", '{"film": "a"}\n', "\x00\xff"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_what_is_no_table_is_said_to_be_none(tmp_path: Path, text: str, suffix: str) -> None:
    table = tmp_path / f"film{suffix}"
    table.write_text(text)
    if not text and suffix == ".jsonl":  # a film without a visit
        assert read_table(table) == []
        return
    with pytest.raises(DatasetMalformed, match="no table of visits"):
        read_table(table)


def test_a_record_says_what_an_issue_and_a_checker_need() -> None:
    record = visit_record(visit("Ada", 1, 2))
    assert json.loads(json.dumps(record)) == record
    assert {"film", "visit", "person", "start", "end", "frames", "best"} <= record.keys()
    assert visit_record(visit(None, stranger=3))["person"] == "unknown 3"


def test_subtitles_tell_who_is_in_view_and_nothing_of_a_name_ends_one() -> None:
    text = srt([visit("A --> <b>\n{x}", 0, 4), visit("Bo", 2, 6), visit("Bo", 6, 7)])
    blocks = [block.splitlines() for block in text.split("\n\n")]
    assert [block[1] for block in blocks] == [
        "00:00:00,000 --> 00:00:02,000",
        "00:00:02,000 --> 00:00:04,000",
        "00:00:04,000 --> 00:00:07,000",
    ]
    assert [block[2] for block in blocks][2] == "Bo"
    assert "<" not in blocks[0][2]
    assert "-->" not in blocks[0][2]
    assert srt([]) == ""
    assert srt([visit("Ada", 3600, 3661.5)]).splitlines()[1] == "01:00:00,000 --> 01:01:01,500"


def test_a_run_that_was_stopped_is_gone_on_with(tmp_path: Path) -> None:
    film, table = tmp_path / "a.mp4", tmp_path / "out.csv"
    film.write_bytes(b"film")
    strangers = Strangers(CALIBRATION)
    strangers.number(visit(), looks(person(1)))
    run = Unfinished(table, "state", SPACE)
    run.film(film).visits.append(visit_record(visit("Ada")))
    run.film(film).frame = 42
    run.write(strangers)
    (kept,) = set(tmp_path.iterdir()) - {film}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    later, again = Unfinished(table, "state", SPACE), Strangers(CALIBRATION)
    later.read()
    later.restore(again)
    assert later.film(film).frame == 42
    assert later.film(film).visits[0]["person"] == "Ada"
    assert again.number(visit(start=5, end=6), looks(person(1))) == 1

    other = Unfinished(table, "another gallery", SPACE)
    other.read()
    assert other.film(film).frame == -1
    film.write_bytes(b"another film")
    assert later.film(film).frame == -1
    later.done()
    assert not kept.exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"state": "state"}', '{"state":"state","films":[1]}']
)
def test_a_state_that_cannot_be_read_is_as_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / ".out.csv.unfinished").write_text(text)
    run = Unfinished(tmp_path / "out.csv", "state", SPACE)
    run.read()
    assert run.films == {}
    assert not run.resumed


def test_a_visit_without_looks_has_a_number_and_no_best_view() -> None:
    empty = Visit("a.mp4", 1, NOBODY, 5, 0.0, 0.4, 11, None)
    assert visit_record(empty)["best"] is None
    assert empty.who == "unknown 5"
