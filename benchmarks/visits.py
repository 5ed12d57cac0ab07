"""Does the vote over a track keep strangers out and name those who are known?

    python benchmarks/visits.py IMAGES [--films DIR] [--work DIR] [--workers N] [--out FILE]

The people of IMAGES (a folder of people, such as lfw_dev) are cut into two halves. A calibration is
made on one; gallery and visits come from the other; then the halves change places. A visit is made
of one photo, or of several of one person, as a camera would give it: 24 frames within 3 seconds,
turned, moved, blurred, dim, noisy, compressed, coming nearer. Who is enrolled is enrolled with
another photo than those of the visit. Every stranger is looked for in galleries of other people,
drawn anew for each.

Beside the rule of ``facelign.video`` stand others: the best view alone, every frame by itself, a
vote of thresholded looks, and what Frigate and the InsightFace Server do, as far as that can be
said in a few lines.

--films: a folder with short_hamilton_clip.mp4 and others; how often the name of a track changes.
--work: where the vectors of the frames are kept, so that a second run only counts.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import machine
import numpy as np

from facelign.compare.thresholds import search_threshold, uncalibrated
from facelign.datasets.folder import read_folder
from facelign.files.home import cache_path
from facelign.gallery.cache import VectorCache
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores.memory import MemoryStore
from facelign.geometry.boxes import iou
from facelign.imaging.read import read
from facelign.lab.calibration.figures import CalibrationRequest, Evidence, calibrate
from facelign.lab.material import photos as walk
from facelign.lab.statistics.exact import exact_share
from facelign.quality.measure import assess
from facelign.recognition.naming import decide
from facelign.recognition.options import EnrollOptions, IdentifyOptions
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.types.calibrations import Calibration
from facelign.types.contracts import Frame
from facelign.types.decisions import Candidate, CandidateList, SearchThreshold
from facelign.types.embeddings import Embeddings, Space
from facelign.types.faces import Box
from facelign.types.image import Image
from facelign.types.policies import FacePolicy
from facelign.video import evidence
from facelign.video.cuts import Cuts
from facelign.video.following import FaceFollower, Track
from facelign.video.looks import Budget, Look, Sighting
from facelign.video.options import FollowOptions, LookOptions, VoteOptions
from facelign.video.sources import opened
from facelign.video.tracker import ByteTracker

Seen = tuple[str, tuple[float, float, float, float]]

SIZES, RATES, DRAWS = (10, 100, 300), (0.01, 0.1), 2
FRAMES, SECONDS = 24, 3.0
#: side of an LFW photo, px, and the height of its face
_PHOTO, _FACE = 250, 105
SEED = 7
#: an answer before anybody was asked
NOTHING = CandidateList((), None, "", None, 0)
#: what is kept of a face in a frame
FIELDS = ("time_s", "height", "sharpness", "yaw_deg", "inside", "score", "norm")


@dataclass
class Camera:
    """What one visit has in common: light, noise, compression, how the face comes nearer."""

    near: np.ndarray
    gamma: float
    gain: float
    tint: np.ndarray
    noise: float
    jpeg: int
    calm: np.ndarray
    yaw: np.ndarray
    roll: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Camera:
        start = rng.uniform(36, 80)
        end = start * rng.uniform(0.9, 2.2)
        trend = np.linspace(rng.uniform(0, 0.7), rng.uniform(0.5, 1), FRAMES)
        return cls(
            near=np.geomspace(start, end, FRAMES),
            gamma=float(np.exp(rng.normal(0, 0.2))),
            gain=float(np.exp(rng.normal(-0.1, 0.2))),
            tint=np.exp(rng.normal(0, 0.06, 3)).astype(np.float32),
            noise=float(rng.uniform(2, 8)),
            jpeg=int(rng.uniform(40, 90)),
            calm=np.clip(trend + wander(rng, 0.25), 0, 1),
            yaw=rng.normal(0, 8) + wander(rng, 14),
            roll=float(rng.normal(0, 5)),
        )


def wander(rng: np.random.Generator, spread: float) -> np.ndarray:
    """Return what goes on from frame to frame: an autoregressive walk, 0.8 from one to the next."""
    values = [rng.normal(0, spread)]
    for _ in range(FRAMES - 1):
        values.append(0.8 * values[-1] + 0.6 * rng.normal(0, spread))
    return np.array(values)


def frame(
    photo: np.ndarray, camera: Camera, k: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[float, float]]:
    """Return a frame (h, w, 3) uint8 RGB of a visit, and where the middle of the face is, px."""
    unrest, height = 1 - camera.calm[k], camera.near[k] * rng.uniform(0.96, 1.04)
    scale = height / _FACE
    side = int(320 * max(scale, 0.3))
    angles = (rng.normal(0, 6), camera.yaw[k], camera.roll + rng.normal(0, 2))
    turned = np.eye(3)
    for axis, angle in zip(np.eye(3), angles, strict=True):
        turned = turned @ cv2.Rodrigues(axis * math.radians(angle))[0]
    corners = np.array([(0, 0), (_PHOTO, 0), (_PHOTO, _PHOTO), (0, _PHOTO)], np.float32)
    placed = turned @ np.column_stack([corners - _PHOTO / 2, np.zeros(4)]).T
    seen = placed[:2] / (placed[2] + 600) * 600 * scale  # a lens, 600 px before the photo
    target = seen.T + side / 2 + rng.uniform(-0.08, 0.08, 2) * side
    warp = cv2.getPerspectiveTransform(corners, target.astype(np.float32))
    if scale < 1:
        photo = cv2.GaussianBlur(photo, (0, 0), 0.35 / scale)
    picture = cv2.warpPerspective(photo, warp, (side, side), borderMode=cv2.BORDER_REPLICATE)
    picture = blurred(picture.astype(np.float32), height, unrest, rng)
    light = camera.gain * np.exp(rng.normal(0, 0.05)) * camera.tint
    picture = 255 * (picture.clip(0, 255) / 255) ** camera.gamma * light
    picture = (picture + rng.normal(0, camera.noise, picture.shape)).clip(0, 255)
    quality = [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg]
    packed = cv2.imencode(".jpg", picture.astype(np.uint8), quality)[1]
    middle = cv2.perspectiveTransform(np.full((1, 1, 2), _PHOTO / 2, np.float32), warp)[0, 0]
    return cv2.imdecode(packed, cv2.IMREAD_COLOR), (float(middle[0]), float(middle[1]))


def blurred(
    picture: np.ndarray, height: float, unrest: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the picture out of focus and moved, the more the less calm the face is."""
    defocus = rng.exponential(0.006 + 0.015 * unrest) * height
    if defocus > 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), defocus)
    reach = int(rng.exponential(0.01 + 0.06 * unrest) * height)
    if reach > 1:
        line = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        angle = rng.uniform(0, math.pi)
        step = reach * np.array([math.cos(angle), math.sin(angle)])
        ends = [tuple(int(v) for v in reach + side * step) for side in (-1, 1)]
        cv2.line(line, ends[0], ends[1], 1.0)
        picture = cv2.filter2D(picture, -1, line / line.sum(), borderType=cv2.BORDER_REPLICATE)
    return picture


def seen(
    recognizer: Recognizer, picture: np.ndarray, middle: tuple[float, float], time_s: float
) -> tuple[list[float], np.ndarray] | None:
    """Return the numbers of ``FIELDS`` of the face nearest to a place, and its vector."""
    image = Image.from_array(picture, "rgb")
    found = recognizer.find(image)
    if not len(found.faces):
        return None
    centers = (found.faces.boxes[:, :2] + found.faces.boxes[:, 2:]) / 2
    chosen = np.zeros(len(found.faces), bool)
    chosen[np.argmin(np.linalg.norm(centers - middle, axis=1))] = True
    faces = found.faces[chosen]
    embedded = recognizer.embed(replace(found, faces=faces))
    if embedded.embeddings is None or not len(embedded.embeddings):
        return None
    quality = assess(image, faces)
    yaw = 0.0 if quality.yaw_deg is None else abs(float(quality.yaw_deg[0]))
    numbers = [
        time_s,
        float(quality.height_px[0]),
        float(quality.sharpness[0]),
        yaw,
        float(quality.inside[0]),
        float(faces.scores[0]),
        float(embedded.embeddings.norms[0]),
    ]
    return numbers, embedded.embeddings.vectors[0]


def person(number: int, folder: Path) -> dict[str, np.ndarray]:
    """Return what is seen of one person: the enrolled photo, and visits.

    "visit": of the other photos, or of the only one. "many": of all, where there are three or more.
    """
    recognizer = one()
    photos = [read(path).pixels for path in sorted(folder.glob("*.jpg"))]
    middle = (_PHOTO / 2, _PHOTO / 2)
    kept: dict[str, np.ndarray] = {"photos": np.array(len(photos))}
    first = seen(recognizer, photos[0], middle, 0.0)
    if first is not None:
        kept["template"] = first[1]
    visits = {"visit": photos[1:] or photos}
    if len(photos) > 2:
        visits["many"] = photos
    for place, (name, shown) in enumerate(visits.items()):
        rng = np.random.default_rng([SEED, number, place])
        camera, order = Camera.drawn(rng), rng.permutation(len(shown))
        rows = []
        for k in range(FRAMES):
            photo = shown[order[k * len(shown) // FRAMES]]
            row = seen(recognizer, *frame(photo, camera, k, rng), k * SECONDS / FRAMES)
            if row is not None:
                rows.append(row)
        if rows:
            kept[f"{name}_numbers"] = np.array([row[0] for row in rows], np.float32)
            kept[f"{name}_vectors"] = np.array([row[1] for row in rows], np.float32)
    return kept


_RECOGNIZER: list[Recognizer] = []


def one() -> Recognizer:
    """Return the recognizer of this process."""
    if not _RECOGNIZER:
        cv2.setNumThreads(1)
        _RECOGNIZER.append(Recognizer("default", workers=1))
    return _RECOGNIZER[0]


def part(job: tuple[Path, Path, Sequence[tuple[int, Path]]]) -> None:
    """See some people, and keep what was seen."""
    target, _, people = job
    kept = {}
    for number, folder in people:
        for name, values in person(number, folder).items():
            kept[f"{folder.name}/{name}"] = values
    np.savez(target, **kept)


def everybody(images: Path, work: Path, workers: int) -> Iterator[Path]:
    """Make and see the visits of everybody; yields files as they are there."""
    people = list(enumerate(sorted(path for path in images.iterdir() if path.is_dir())))
    work.mkdir(parents=True, exist_ok=True)
    blocks = [people[i : i + 40] for i in range(0, len(people), 40)]
    jobs = [(work / f"seen{i:03d}.npz", images, block) for i, block in enumerate(blocks)]
    todo = [job for job in jobs if not job[0].exists()]
    with ProcessPoolExecutor(workers) as pool:
        for count, _ in enumerate(pool.map(part, todo)):
            print(f"{count + 1} of {len(todo)} parts seen", flush=True)
    yield from (job[0] for job in jobs)


@dataclass(frozen=True, eq=False)
class Visit:
    """What a camera saw of one person: n sightings with their vectors, in the order of time."""

    person: int
    views: tuple[Sighting, ...]
    vectors: Embeddings

    @classmethod
    def of(cls, person: int, numbers: np.ndarray, vectors: np.ndarray, space: Space) -> Visit:
        views = []
        for place, row in enumerate(numbers):
            time_s, height, sharpness, yaw, inside, score, _ = map(float, row)
            box = Box(0.0, 0.0, 0.75 * height, height)
            views.append(Sighting(time_s, place, box, score, sharpness, yaw, inside))
        norms = np.ascontiguousarray(numbers[:, FIELDS.index("norm")])
        return cls(person, tuple(views), Embeddings(vectors, space, norms))

    def looked(self, options: LookOptions) -> list[int]:
        """The sightings that a track takes a look at."""
        budget, taken = Budget(options, IdentifyOptions().min_height), []
        for place, view in enumerate(self.views):
            if budget.wants(view):
                budget.taken(view)
                taken.append(place)
        return taken

    @cache  # noqa: B019 - visits live as long as the program
    def looks(self, options: LookOptions, weight: str) -> tuple[list[Look], np.ndarray]:
        """The looks of a track, without answers, and the vectors of the first 1, 2, ... of them."""
        made: list[Look] = [
            Weighed(self.views[i], self.vectors[i], NOTHING, weight) for i in self.looked(options)
        ]
        rows = [evidence.together(made[: n + 1]).vectors[0] for n in range(len(made))]
        return made, np.array(rows).reshape(len(made), -1)


@dataclass(frozen=True)
class Half:
    """Half of the people: a calibration made on the others, templates, and visits."""

    calibration: Calibration
    templates: np.ndarray
    known: np.ndarray
    visits: tuple[Visit, ...]
    many: tuple[Visit, ...]

    def limit(self, fpir: float, size: int) -> float:
        return search_threshold(self.calibration, size, fpir).threshold.score


def halves(images: Path, files: Sequence[Path], recognizer: Recognizer) -> list[Half]:
    """Return both halves, each with the calibration of the other."""
    kept: dict[str, np.ndarray] = {}
    for file in files:
        with np.load(file) as part_of:
            kept |= {name: part_of[name] for name in part_of.files}
    people = np.array(sorted({name.split("/")[0] for name in kept}))
    whole = walk.embed(recognizer, read_folder(images).photos).named
    drawn = np.array_split(np.random.default_rng(SEED).permutation(people), 2)
    made = []
    for own, other in (drawn, drawn[::-1]):
        inside = set(own.tolist())
        named = whole.where(np.array([name in inside for name in whole.people]))
        wanted = CalibrationRequest("half", "half", "-")
        evidence_of = Evidence.of_people(named, wanted.draws, wanted.seed)
        made.append(half(calibrate(evidence_of, named, wanted), kept, other, recognizer.space))
    return made


def half(
    calibration: Calibration, kept: dict[str, np.ndarray], people: Sequence[str], space: Space
) -> Half:
    usable = [name for name in people if f"{name}/template" in kept]
    every: dict[str, list[Visit]] = {"visit": [], "many": []}
    for place, name in enumerate(usable):
        for kind, visits in every.items():
            numbers = kept.get(f"{name}/{kind}_numbers")
            if numbers is not None:
                visits.append(Visit.of(place, numbers, kept[f"{name}/{kind}_vectors"], space))
    rows = np.array([kept[f"{name}/template"] for name in usable])
    known = np.array([int(kept[f"{name}/photos"]) > 1 for name in usable])
    return Half(calibration, rows, known, tuple(every["visit"]), tuple(every["many"]))


#: what a rule tells: for each moment whom it names, -1 for nobody
Told = np.ndarray


@dataclass(frozen=True)
class Case:
    """A visit before a gallery: the scores of all its frames, and what the asked rate means.

    scores: (frames, people of the gallery).
    """

    visit: Visit
    scores: np.ndarray
    templates: np.ndarray
    half: Half
    fpir: float

    def limit(self, fpir: float | None = None) -> float:
        return self.half.limit(fpir or self.fpir, len(self.templates))


def answered(scores: np.ndarray, limit: float) -> CandidateList:
    """Return what ``PhotoGallery.name`` answers: people are their places in the gallery."""
    order = np.argsort(-scores)[:5]
    found = tuple(
        Candidate(rank + 1, str(i), int(i), float(scores[i]), 1 - float(scores[i]))
        for rank, i in enumerate(order)
    )
    threshold = SearchThreshold(uncalibrated(limit, ""), 0.01, len(scores), limited=False)
    return decide(replace(NOTHING, candidates=found), threshold, IdentifyOptions())


def ours(
    case: Case,
    options: FollowOptions | None = None,
    weight: str = "both",
    cost: float | None = None,
) -> Told:
    """The rule of ``facelign.video``, by its own functions."""
    options = options or FollowOptions()
    if cost is None:
        limit = case.limit(evidence.visit_naming(at(case.fpir), options.looks.looks).fpir)
    else:
        limit = case.limit(case.fpir / cost)
    looks, sums = case.visit.looks(options.looks, weight)
    looks = [replace(look, answer=answered(case.scores[look.view.number], limit)) for look in looks]
    told = []
    for count, row in enumerate(sums, 1):
        seen = evidence.verdict(looks[:count], answered(case.templates @ row, limit), options)
        told.append(int(seen.person) if seen.person is not None and seen.sure else -1)
    return np.array(told, int)


@dataclass(frozen=True, slots=True, eq=False)
class Weighed(Look):
    """A look with another weight."""

    by: str = "both"

    @property
    def weight(self) -> float:
        norm = float(self.vector.norms[0])
        weights = {"none": 1.0, "view": self.view.worth, "norm": norm**2}
        return weights.get(self.by, self.view.worth * norm**2)


def at(fpir: float) -> IdentifyOptions:
    return IdentifyOptions(fpir=fpir)


def best_view(case: Case) -> Told:
    """One search, for the best view of all frames."""
    worth = [view.worth for view in case.visit.views]
    return every_frame(case)[[int(np.argmax(worth))]]


def every_frame(case: Case) -> Told:
    """Each frame by itself, by its nearest, without a vote."""
    return np.where(case.scores.max(axis=1) >= case.limit(), case.scores.argmax(axis=1), -1)


def counted_vote(case: Case) -> Told:
    """The looks of the budget, each named by itself or unknown; more than half of the weight."""
    places = case.visit.looked(LookOptions())
    named = every_frame(case)[places]
    weights = np.array([case.visit.views[i].worth for i in places])
    told = []
    for count in range(1, len(places) + 1):
        votes = {
            int(who): weights[:count][named[:count] == who].sum() for who in set(named[:count])
        }
        leader = max(votes, key=lambda who: votes[who])
        sure = count >= 2 and votes[leader] > weights[:count].sum() / 2
        told.append(leader if sure else -1)
    return np.array(told, int)


def frigate(case: Case) -> Told:
    """Confidence 1 / (1 + exp(-20 (cosine - 0.3))); frames below 0.8 do not vote; the others by
    min(area, 4000) (confidence - 0.8); named at 0.9; at most 12 frames; a tie names nobody.
    """
    frames = slice(0, 12)
    confidence = 1 / (1 + np.exp(-20 * (case.scores[frames].max(axis=1) - 0.3)))
    who = case.scores[frames].argmax(axis=1)
    area = np.array([min(view.box.area, 4000.0) for view in case.visit.views[frames]])
    told = []
    for count in range(1, len(who) + 1):
        votes = [i for i in range(count) if confidence[i] >= 0.8]
        counts = np.bincount(who[votes], minlength=1) if votes else np.zeros(1, int)
        leader = int(counts.argmax())
        mine = [i for i in votes if who[i] == leader]
        weights = np.array([area[i] * (confidence[i] - 0.8) for i in mine])
        if not mine or (counts == counts.max()).sum() > 1 or weights.sum() == 0:
            told.append(-1)
            continue
        told.append(leader if weights @ confidence[mine] / weights.sum() >= 0.9 else -1)
    return np.array(told, int)


def insightface_server(case: Case) -> Told:
    """Two frames a second; the same name, or none, three times in a row is told."""
    step = round(FRAMES / SECONDS / 2)
    named = every_frame(case)[::step]
    told = [
        int(named[i]) if i >= 2 and len(set(named[i - 2 : i + 1])) == 1 else -1
        for i in range(len(named))
    ]
    return np.array(told, int)


RULES: dict[str, Callable[[Case], Told]] = {
    "facelign": ours,
    "best view": best_view,
    "every frame": every_frame,
    "vote of names": counted_vote,
    "Frigate": frigate,
    "InsightFace Server": insightface_server,
}


def chosen(
    *, weight: str = "both", cost: float | None = None, confirm: int = 2, **looks: float
) -> Callable[[Case], Told]:
    options = FollowOptions(
        looks=LookOptions(**looks),  # type: ignore[arg-type]
        votes=VoteOptions(confirm=confirm),
    )
    return lambda case: ours(case, options, weight, cost)


#: what else the rule might have been; each differs from it in one thing
CHOICES: dict[str, Callable[[Case], Told]] = {
    "as it is": ours,
    **{f"{n} looks": chosen(looks=n) for n in (2, 4)},
    **{f"spacing grows by {g}": chosen(growth=g) for g in (1.0, 2.0)},
    "first look at once": chosen(wait_s=0.0),
    "weights: all alike": chosen(weight="none"),
    "weights: the view": chosen(weight="view"),
    "weights: the raw vector": chosen(weight="norm"),
    "counts as 1 search": chosen(cost=1),
}


def cases(
    half: Half, visits: Sequence[Visit], size: int, fpir: float, mated: bool
) -> Iterator[Case]:
    """Yield each visit before ``DRAWS`` galleries; who is enrolled stands first."""
    people = len(half.templates)
    for visit in visits:
        rng = np.random.default_rng([SEED, visit.person, size])
        others = np.delete(np.arange(people), visit.person)
        scores = visit.vectors.vectors @ half.templates.T
        for _ in range(DRAWS):
            drawn = rng.choice(others, size - mated, replace=False)
            enrolled = np.append(visit.person, drawn) if mated else drawn
            yield Case(visit, scores[:, enrolled], half.templates[enrolled], half, fpir)


def counted(
    made: Sequence[Half], rules: dict[str, Callable[[Case], Told]], size: int, fpir: float
) -> dict[str, dict]:
    """Return what each rule does at visits of strangers and of people who are enrolled."""
    found: dict[str, dict] = {}
    strangers = [(half, half.visits, False) for half in made]
    many = [(half, half.many, False) for half in made]
    enrolled = [
        (half, tuple(v for v in half.visits if half.known[v.person]), True) for half in made
    ]
    for name, rule in rules.items():
        told: dict[str, list[Told]] = {}
        people: dict[str, int] = {}
        for kind, groups in (("strangers", strangers), ("many", many), ("enrolled", enrolled)):
            told[kind] = [
                rule(case)
                for half, visits, mated in groups
                for case in cases(half, visits, size, fpir, mated)
            ]
            people[kind] = sum(len(visits) for _, visits, _ in groups)
        right = [bool((one == 0).any()) and not (one > 0).any() for one in told["enrolled"]]
        last = [len(one) > 0 and one[-1] == 0 for one in told["enrolled"]]
        wrong = [bool((one > 0).any()) for one in told["enrolled"]]
        found[name] = {
            "strangers_named": share(
                [bool((t >= 0).any()) for t in told["strangers"]], people["strangers"]
            ),
            "strangers_of_many_photos_named": share(
                [bool((t >= 0).any()) for t in told["many"]], people["many"]
            ),
            "right": share(right, people["enrolled"]),
            "right_at_the_end": share(last, people["enrolled"]),
            "wrong": share(wrong, people["enrolled"]),
            "looks": round(float(np.mean([len(one) for one in told["strangers"]])), 1),
        }
    return found


def told_unknown(made: Sequence[Half], size: int, fpir: float) -> list[dict]:
    """Return how often somebody who is enrolled is told unknown, by the looks that are waited for,
    and how often that is taken back by a name.
    """
    options = FollowOptions()
    named: list[list[bool]] = []
    for half in made:
        known = [visit for visit in half.visits if half.known[visit.person]]
        for case in cases(half, known, size, fpir, mated=True):
            limit = case.limit(evidence.visit_naming(at(fpir), options.looks.looks).fpir)
            sums = case.visit.looks(options.looks, "both")[1]
            named.append([bool((case.templates @ row).max() >= limit) for row in sums])
    rows = []
    for doubt in (2, 3, 4, 5, 6):
        first = [next((i for i in range(doubt - 1, len(n)) if not n[i]), None) for n in named]
        told = [any(n[i:]) for n, i in zip(named, first, strict=True) if i is not None]
        rows.append({"looks": doubt, "told": len(told), "taken_back": sum(told), "of": len(named)})
    return rows


def share(hits: Sequence[bool], people: int) -> dict:
    """Return the share over all draws; the exact interval is that of one draw, a visit a person."""
    value = float(np.mean(hits))
    bound = exact_share(round(value * people), people)
    return {
        "share": round(value, 5),
        "interval_95": [round(bound.low, 5), round(bound.high, 5)],
        "people": people,
    }


@dataclass
class Film:
    """What a film gave: tracks, by rule how often a name changed, and what was right."""

    seconds: float = 0.0
    tracks: int = 0
    switches: int = 0
    changes: dict[str, int] = field(default_factory=lambda: {"vote": 0, "every frame": 0})
    visits: int = 0
    right: int = 0
    wrong: int = 0

    def add(self, other: Film) -> None:
        for name in ("seconds", "tracks", "switches", "visits", "right", "wrong"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for rule, count in other.changes.items():
            self.changes[rule] += count

    def told(self) -> dict:
        minutes = self.seconds / 60
        rates = {rule: round(count / minutes, 2) for rule, count in self.changes.items()}
        return {
            "seconds_of_faces": round(self.seconds, 1),
            "tracks": self.tracks,
            "identity_switches": self.switches,
            "name_changes": self.changes,
            "name_changes_a_minute": rates,
            "visits": self.visits,
            "right": self.right,
            "wrong": self.wrong,
        }


def filmed(
    gallery: PhotoGallery, frames: Iterable[Frame], truth: Sequence[Sequence[Seen]] | None = None
) -> Film:
    """Follow a film; beside the vote each frame is named by its nearest.

    truth: who is where in each frame; a visit is a track that lasts half a second, and right where
    it says who that is, or nobody where that one is not enrolled.
    """
    follower, cuts, film = FaceFollower(gallery, ByteTracker()), Cuts(), Film()
    known = {person.name for person in gallery.people()}
    names: dict[tuple[str, int], list[str | None]] = {}
    people: dict[int, list[str]] = {}
    over: list[Track] = []
    shots = 0
    for frame in frames:
        if cuts.between(frame):
            follower.cut()
            shots += 1000  # a tracker that was reset may count from 1 again
        found = follower.find(frame)
        here = follower.update(frame, found)
        single = gallery.name_faces(gallery.recognizer.embed(found)).faces if len(here) else ()
        seen = () if truth is None else truth[frame.number]
        for track, face in zip(here, single, strict=True):
            key = shots + track.number
            told = track.verdict.person if track.verdict.sure else None
            names.setdefault(("vote", key), []).append(told)
            names.setdefault(("every frame", key), []).append(face.person)
            who = at_place(track.box, seen)
            if who is not None:
                people.setdefault(id(track), []).append(who)
        over += follower.ended()
    follower.cut()
    over += follower.ended()
    for (rule, _), told_of in names.items():
        known_at = next((i for i, name in enumerate(told_of) if name is not None), len(told_of))
        later = told_of[known_at:]
        film.changes[rule] += sum(a != b for a, b in pairwise(later))
    for track in over:
        film.tracks += 1
        film.seconds += track.last.time_s - track.first.time_s
        whose = people.get(id(track), [])
        film.switches += sum(a != b for a, b in pairwise(whose))
        if whose and track.last.time_s - track.first.time_s >= 0.5:
            person = max(set(whose), key=whose.count)
            film.visits += 1
            film.right += track.verdict.person == (person if person in known else None)
            film.wrong += track.verdict.person not in (None, person)
    return film


def at_place(box: Box, seen: Sequence[Seen]) -> str | None:
    """Return who is seen there, if anybody."""
    if not seen:
        return None
    shares = iou(np.array([box.edges]), np.array([place for _, place in seen]))[0]
    return seen[int(shares.argmax())][0] if shares.max() > 0.35 else None


def real_films(recognizer: Recognizer, films: Path, images: Path) -> dict[str, dict]:
    """The three films, before a gallery of the one person whose photo is there and 50 others."""
    with PhotoGallery(Gallery(MemoryStore()), recognizer) as gallery:
        gallery.enroll("Lin-Manuel Miranda", [films / "references/lin-manuel-miranda.png"])
        for folder in sorted(images.iterdir())[:50]:
            gallery.enroll(folder.name, [next(iter(sorted(folder.glob("*.jpg"))))])
        found = {}
        for name in ("short_hamilton_clip.mp4", "head_pose_female.gif", "asl_again.mkv"):
            with opened(str(films / name)) as frames:
                found[name] = filmed(gallery, frames).told()
    return found


def made_films(recognizer: Recognizer, seeds: Sequence[int] = (1,)) -> dict[str, dict]:
    """Scenes of tests/made_clips.py: of those who play, every second one is enrolled, with another
    photo; and 40 others.
    """
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from made_clips import SCENES, made, people_of

    every = {name: photos for name, photos in people_of().items() if len(photos) > 1}
    found: dict[str, dict] = {}
    whole = Film()
    for scene in SCENES:
        film = Film()
        for seed in seeds:
            rng = np.random.default_rng([SEED, seed, *scene.encode()])
            names = [str(name) for name in rng.permutation(sorted(every))]
            cast, others = names[:10], names[10:50]
            clip = made(scene, seed, photos={name: every[name][1] for name in cast}, fps=10.0)
            with PhotoGallery(Gallery(MemoryStore()), recognizer) as gallery:
                for name in (*cast[::2], *others):
                    gallery.enroll(name, [every[name][0]], EnrollOptions(FacePolicy.CENTRAL))
                film.add(filmed(gallery, clip.frames, clip.truth))
        found[scene] = film.told()
        whole.add(film)
        print(scene, found[scene], flush=True)
    return {"all scenes": whole.told(), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--films", type=Path)
    parser.add_argument("--work", type=Path, default=Path("visits-work"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    files = list(everybody(options.images, options.work, options.workers))
    recognizer = Recognizer(cache=VectorCache(cache_path()), workers=options.workers)
    made = halves(options.images, files, recognizer)
    record = {
        "machine": machine.describe(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "set": options.images.resolve().parent.name,
        "space": recognizer.space.id,
        "seed": SEED,
        "draws": DRAWS,
        "frames": FRAMES,
        "seconds": SECONDS,
        "rules": [
            {"fpir": fpir, "gallery": size, "rule": name, **row}
            for fpir in RATES
            for size in SIZES
            for name, row in counted(made, RULES, size, fpir).items()
        ],
        "choices": [
            {"fpir": RATES[0], "gallery": 100, "choice": name, **row}
            for name, row in counted(made, CHOICES, 100, RATES[0]).items()
        ],
        "told_unknown": told_unknown(made, 100, RATES[0]),
        "made_films": made_films(recognizer),
    }
    if options.films is not None:
        record["films"] = real_films(recognizer, options.films, options.images)
    print(json.dumps(record, indent=1))
    machine.write("visits", record, options.out)


if __name__ == "__main__":
    main()
