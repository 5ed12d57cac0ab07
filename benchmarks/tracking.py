"""Faces followed through films: facelign's tracker beside ``trackers``' ByteTrack.

    python benchmarks/tracking.py [--seeds N] [--peers PYTHON]

Both are given the same boxes of YuNet, frame by frame with the time of each, at 25, 12.5, 5 and 2.5
frames a second: of films that tests/made_clips.py makes, with the truth of who is where, and of a
film of ../shared whose faces were told apart by looking at it. Cuts are told to both.

A visit is a person in view, until out of sight for over a second or a cut. Of each tracker is told
how often a visit changed its track (switches), how many tracks it had, how many tracks showed two
people (mixed: what a false name comes from), IDF1 (Ristani et al., ECCV 2016 workshops,
https://arxiv.org/abs/1609.01775) over visits, and the time of an update. IDF1 is about the boxes
that the detector gave: what it missed is nobody's fault here.

The peer wants an environment of its own, since it asks for opencv-python beside the headless one::

    python -m venv peers
    peers/bin/pip install --no-deps trackers supervision
    peers/bin/pip install numpy scipy opencv-python-headless rich requests 'pydeprecate<0.14' \
        pyyaml defusedxml matplotlib pillow tqdm
    FACELIGN_PEERS_PYTHON=peers/bin/python python benchmarks/tracking.py

Without it, facelign's side is measured alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine

machine.one_core(pin=False)

import numpy as np  # noqa: E402

HERE = Path(__file__).resolve().parent
#: one of how many frames of 25 a second is taken
STEPS = {"25": 1, "12.5": 2, "5": 5, "2.5": 10}
#: a face out of sight for longer comes back as another visit; the patience of both trackers, s
PATIENCE_S = 1.0
#: the film of ../shared, and its faces, told apart by looking at them: first and last frame, who,
#: where the center is (x from, x to, y from) and how high the face is at least, px; a face that is
#: none of them is nobody's
FILM, FILM_CUTS = "short_hamilton_clip.mp4", (20, 82, 211)
FACES = (
    (0, 19, "singer", 480, 600, 0, 0), (0, 19, "at the piano", 0, 120, 0, 0),
    (20, 81, "curly", 240, 660, 0, 190),
    (20, 81, "guest", 140, 240, 0, 0), (20, 81, "second guest", 270, 380, 0, 0),
    (82, 210, "singer", 120, 360, 0, 100),
    (211, 274, "left", 50, 100, 75, 0), (211, 274, "second", 170, 225, 0, 0),
    (211, 274, "third", 260, 310, 0, 0), (211, 274, "fourth", 330, 375, 0, 0),
    (211, 274, "fifth", 395, 445, 0, 0), (211, 274, "sixth", 590, 640, 0, 0),
)  # fmt: skip


@dataclass
class Film:
    """times_s: of n frames; boxes: (k, 4), scores: (k,), who: k visits or "", for each frame."""

    name: str
    times_s: list[float]
    cuts: list[int]
    boxes: list[list[list[float]]]
    scores: list[list[float]]
    who: list[list[str]]

    def every(self, step: int) -> Film:
        """Return one of ``step`` frames."""
        cuts = sorted({-(-cut // step) for cut in self.cuts})
        rest = (part[::step] for part in (self.boxes, self.scores, self.who))
        return Film(self.name, self.times_s[::step], cuts, *rest)


# -- what is followed ------------------------------------------------------------------------------


def made_films(seeds: int) -> Iterator[Film]:
    """Yield the made films with what YuNet finds in them."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from made_clips import SCENES, made

    for scene in SCENES:
        for seed in range(seeds):
            clip = made(scene, seed)
            seen = list(_visits(clip.times_s, clip.cuts, clip.truth))
            yield _film(f"{scene} {seed}", clip.frames, list(clip.cuts), seen)


def real_film() -> Film:
    """Return the film of ../shared with what YuNet finds in it."""
    from facelign.video.sources import opened

    path = machine.SHARED / "data" / "recognition" / "video" / FILM
    with opened(str(path)) as source:
        film = _film(FILM, source, list(FILM_CUTS), None)
    truth = [
        [(who, box) for box in boxes if (who := _named(number, box))]
        for number, boxes in enumerate(film.boxes)
    ]
    told = _visits(film.times_s, film.cuts, truth)
    for k, (boxes, seen) in enumerate(zip(film.boxes, told, strict=True)):
        by_box = {tuple(box): who for who, box in seen}
        film.who[k] = [by_box.get(tuple(box), "") for box in boxes]
    return film


def _named(number: int, box: list[float]) -> str:
    x, y, tall = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[3] - box[1]
    for first, last, who, left, right, low, least in FACES:
        if first <= number <= last and left <= x <= right and y >= low and tall >= least:
            return who
    return ""


def _visits(
    times_s: Iterable[float], cuts: Iterable[int], truth: Iterable[Any]
) -> Iterator[list[tuple[str, Any]]]:
    """Yield the truth of each frame with visits in the place of people."""
    last: dict[str, float] = {}
    visit: dict[str, int] = defaultdict(int)
    shots = set(cuts)
    for number, (time_s, seen) in enumerate(zip(times_s, truth, strict=True)):
        if number in shots:
            last = dict.fromkeys(last, -9e9)
        told = []
        for person, box in seen:
            visit[person] += time_s - last.get(person, -9e9) > PATIENCE_S
            last[person] = time_s
            told.append((f"{person} {visit[person]}", box))
        yield told


def _film(name: str, frames: Iterable[Any], cuts: list[int], truth: list[Any] | None) -> Film:
    from scipy.optimize import linear_sum_assignment

    from facelign import models
    from facelign.geometry.boxes import iou

    detector = models.detector("yunet")
    film = Film(name, [], cuts, [], [], [])
    for number, frame in enumerate(frames):
        seen = truth[number] if truth is not None else []
        faces = detector.detect(frame.image)
        there = np.array([box for _, box in seen]).reshape(-1, 4)
        shares = iou(faces.boxes.astype(float), there)
        who = [""] * len(faces)
        for i, j in zip(*linear_sum_assignment(-shares), strict=True):
            if shares[i, j] > 0.3:
                who[i] = seen[j][0]
        film.times_s.append(frame.time_s)
        film.boxes.append(faces.boxes.astype(float).tolist())
        film.scores.append(faces.scores.astype(float).tolist())
        film.who.append(who)
    return film


# -- who follows -----------------------------------------------------------------------------------

#: how the peer is set: its own defaults; and as facelign's is, where that can be said
PEERS = {
    "trackers ByteTrack, defaults": {},
    "trackers ByteTrack, set alike": {
        "lost_track_buffer": 30,
        "frame_rate": 30,
        "track_activation_threshold": 0.6,
        "minimum_consecutive_frames": 1,
    },
}


def followed(films: list[Film]) -> tuple[list[list[list[int]]], float]:
    """Return the tracks by facelign (film, frame, face; below 0: none), and ms an update."""
    from facelign.types.faces import Faces
    from facelign.video.tracker import ByteTracker

    told, spent, updates = [], 0.0, 0
    for film in films:
        tracker, ids = ByteTracker(), []
        for number, (time_s, boxes, scores) in enumerate(_frames(film)):
            if number in film.cuts:
                tracker.reset()
            rows, sure = np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32)
            faces = Faces(rows, sure, None, "yunet", (640, 360))
            began = time.perf_counter()
            found = tracker.update(faces, time_s).track_ids
            spent += time.perf_counter() - began
            updates += 1
            ids.append([] if found is None else found.tolist())
        told.append(ids)
    return told, 1e3 * spent / updates


def _frames(film: Film) -> Iterable[Any]:
    return zip(film.times_s, film.boxes, film.scores, strict=True)


def asked(python: str, films: list[Film], options: dict[str, Any]) -> tuple[Any, float]:
    """Return the same of the peer, which runs in its own environment."""
    job = {"films": [vars(film) for film in films], "options": options}
    words = [python, str(Path(__file__)), "--worker"]
    done = subprocess.run(words, input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The peer failed: {done.stderr.strip().splitlines()[-1]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["ids"], answer["ms"]


def work() -> None:
    """Be the peer: films in, tracks out, both as JSON."""
    import supervision as sv
    from trackers import ByteTrackTracker

    job = json.load(sys.stdin)
    told, spent, updates = [], 0.0, 0
    for film in (Film(**film) for film in job["films"]):
        tracker, ids, base = ByteTrackTracker(**job["options"]), [], 0
        for number, (time_s, boxes, scores) in enumerate(_frames(film)):
            if number in film.cuts:
                tracker.reset()
                base += 10_000  # it counts from 0 again
            found = sv.Detections(
                np.array(boxes, float).reshape(-1, 4),
                confidence=np.array(scores),
                data={"place": np.arange(len(boxes))},
            )
            began = time.perf_counter()
            given = tracker.update(found, timestamp=time_s)
            spent += time.perf_counter() - began
            updates += 1
            row = [-1] * len(boxes)
            if len(given):
                for place, number_of_it in zip(given.data["place"], given.tracker_id, strict=True):
                    row[int(place)] = -1 if number_of_it < 0 else base + int(number_of_it)
            ids.append(row)
        told.append(ids)
    print(json.dumps({"ids": told, "ms": 1e3 * spent / updates}))


# -- figures ---------------------------------------------------------------------------------------


def judged(films: list[Film], told: list[list[list[int]]]) -> dict[str, float]:
    """Return the figures over all films."""
    sums: dict[str, float] = defaultdict(float)
    for film, ids in zip(films, told, strict=True):
        for name, value in _judged(film, ids).items():
            sums[name] += value
    return {
        "visits": int(sums["visits"]),
        "switches": int(sums["switches"]),
        "switches_a_minute": 60 * sums["switches"] / sums["seconds"],
        "tracks_a_visit": sums["parts"] / sums["visits"],
        "mixed": int(sums["mixed"]),
        "idf1": 2 * sums["right"] / (sums["true"] + sums["told"]),
    }


def _judged(film: Film, ids: list[list[int]]) -> dict[str, float]:
    from scipy.optimize import linear_sum_assignment

    last: dict[str, int] = {}
    pairs: dict[tuple[str, int], int] = defaultdict(int)
    switches = true = told = 0
    for who, row in zip(film.who, ids, strict=True):
        for visit, track in zip(who, row, strict=True):
            told += track >= 0 and visit != ""
            true += visit != ""
            if track < 0 or not visit:
                continue
            switches += last.get(visit, track) != track
            last[visit] = track
            pairs[visit, track] += 1
    visits, tracks = sorted({v for v, _ in pairs}), sorted({t for _, t in pairs})
    shared = np.zeros((len(visits), len(tracks)))
    for (visit, track), count in pairs.items():
        shared[visits.index(visit), tracks.index(track)] = count
    right = shared[linear_sum_assignment(-shared)].sum()
    people: dict[int, set[str]] = defaultdict(set)
    for visit, track in pairs:
        people[track].add(visit.rpartition(" ")[0])
    return {
        "visits": len({v for who in film.who for v in who if v}),
        "seconds": film.times_s[-1] - film.times_s[0],
        "switches": switches,
        "parts": len(pairs),
        "mixed": sum(len(names) > 1 for names in people.values()),
        "right": right,
        "true": true,
        "told": told,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="films of each made scene")
    parser.add_argument("--peers", default=os.environ.get("FACELIGN_PEERS_PYTHON", ""))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work()
        return 0
    peers = given.peers if given.peers and _has_peer(given.peers) else ""
    if not peers:
        print("no peer: --peers names the interpreter of an environment with trackers")
    films = {"made": list(made_films(given.seeds)), FILM: [real_film()]}
    keep(measured(films, peers), given.seeds)
    return 0


def _has_peer(python: str) -> bool:
    words = [python, "-c", "import supervision, trackers"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def measured(kinds: dict[str, list[Film]], peers: str) -> list[dict[str, Any]]:
    """Return a row for each kind of films, rate and tracker, and print it."""
    sides: dict[str, dict[str, Any] | None] = {"facelign": None, **(PEERS if peers else {})}
    rows: list[dict[str, Any]] = []
    for kind, films in kinds.items():
        for rate, step in STEPS.items():
            fewer = [film.every(step) for film in films]
            for side, options in sides.items():
                told, ms = followed(fewer) if options is None else asked(peers, fewer, options)
                row = {"films": kind, "fps": rate, "tracker": side, **judged(fewer, told), "ms": ms}
                rows.append(row)
                values = (f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values())
                print("  ".join(map(" ".join, zip(row, values, strict=True))), flush=True)
    return rows


def keep(rows: list[dict[str, Any]], seeds: int) -> None:
    """Write the record."""
    record = {"machine": machine.describe("scipy"), "seeds": seeds, "rows": rows}
    target = machine.RESULTS / "tracking.json"
    target.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
