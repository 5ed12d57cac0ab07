"""Does the rule of ``identify`` keep strangers out? Galleries of several sizes, and small faces.

    python benchmarks/open_set.py IMAGES [--preset P] [--small DIR] [--out FILE]

The people of IMAGES (a folder of people, such as lfw_dev) are cut into two halves. A calibration
is made on one; gallery and strangers come from the other; then the halves change places. The
threshold of a search is the score whose FMR times the number of templates is the wanted FPIR.

The threshold of one comparison, at FMR 1e-3, is held against the other half too: does its FMR lie
in the stated interval?

Small faces: the probes are photos reduced so that the face is so many px high (kept in --small).
The gallery is made of whole photos, or of photos as small as the probes: what the gates of enroll
and identify keep out. Compared are one threshold for all heights and a threshold for each height,
both from the calibration half.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import machine
import numpy as np

from facelign.compare import curves
from facelign.compare.scores import score_matrix
from facelign.compare.thresholds import score_at_fmr, search_threshold
from facelign.datasets.folder import read_folder
from facelign.datasets.records import Photo
from facelign.files.home import cache_path
from facelign.gallery.cache import VectorCache
from facelign.imaging.read import read
from facelign.imaging.write import write
from facelign.lab.calibration.figures import (
    CalibrationRequest,
    Evidence,
    calibrate,
    intervals_of_fmr,
)
from facelign.lab.identification.figures import open_set
from facelign.lab.identification.searching import Searches, galleries, search
from facelign.lab.material import photos as walk
from facelign.lab.material.named import Named, all_scores
from facelign.lab.statistics.exact import exact_share
from facelign.lab.statistics.resampling import SEED, people_weights
from facelign.recognition.options import IdentifyOptions
from facelign.recognition.recognizer import Recognizer
from facelign.types.calibrations import Calibration
from facelign.types.policies import VERIFY_FMR

SIZES = (10, 100, 300)
HEIGHTS = (80, 60, 40, 30, 24, 20)
FPIR = 0.01
DRAWS = 10
#: what happens to small faces without the gate of identify is what is measured here
UNGATED = IdentifyOptions(min_height=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--small", type=Path, help="folder for reduced photos (none: left out)")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    recognizer = Recognizer(
        options.preset, cache=VectorCache(cache_path()), workers=options.workers
    )
    whole = walk.embed(recognizer, read_folder(options.images).photos)
    reduced = {}
    if options.small is not None:
        for height in HEIGHTS:
            reduced[height] = small(recognizer, whole, height, options.small / str(height))
            print(f"{height} px: {len(reduced[height].failures)} photos without a face", flush=True)
    record = {
        "machine": machine.describe("scikit-learn"),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "set": options.images.resolve().parent.name,
        "digest": whole.named.digest,
        "preset": options.preset,
        "space": recognizer.space.id,
        "wanted_fpir": FPIR,
        "draws": DRAWS,
        "seed": SEED,
        **measured(whole, reduced),
    }
    print(json.dumps(record, indent=1))
    machine.write("open_set", record, options.out)


def small(recognizer: Recognizer, whole: walk.Embedded, height: int, folder: Path):
    """Return the photos reduced so that the chosen face is ``height`` px high, embedded."""
    made = []
    for photo, row in zip(whole.photos, whole.rows, strict=True):
        target = folder / photo.person / f"{photo.path.stem}.png"
        if not target.exists() and row >= 0:
            pixels = read(photo.path).pixels
            factor = height / float(whole.named.heights[row])
            size = tuple(max(1, round(side * factor)) for side in pixels.shape[1::-1])
            target.parent.mkdir(parents=True, exist_ok=True)
            write(target, cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
        made.append(Photo(target, photo.person))
    return walk.embed(recognizer, made)


def measured(whole: walk.Embedded, reduced: dict[int, walk.Embedded]) -> dict:
    people = np.array(sorted({photo.person for photo in whole.photos}))
    halves = np.array_split(np.random.default_rng(SEED).permutation(people), 2)
    tables: dict[str, dict[tuple, list]] = {
        name: {} for name in ("sizes", "fixed", "heights", "small_galleries")
    }
    others, small_pairs = [], []
    for own, other in (halves, halves[::-1]):
        named = only(whole.named, own)
        wanted = CalibrationRequest("half", "half", "-")
        evidence = Evidence.of_people(named, wanted.draws, wanted.seed)
        calibration = calibrate(evidence, named, wanted)
        tested = only(whole.named, other)
        others.append(on_others(calibration, tested))
        one = search_threshold(calibration, 1, FPIR).threshold.score
        for size, at, enrolled in drawn(calibration, tested):
            searches = search(tested.where(enrolled), tested.where(~enrolled))
            add(tables["sizes"], (size,), at, searches)
            add(tables["fixed"], (size,), one, searches)
        for height, embedded in reduced.items():
            rows = probes(whole, embedded, other)
            limits = tail(embedded.named, whole.named, own)
            for size, at, enrolled in drawn(calibration, tested):
                searches = away(tested, enrolled, rows)
                add(tables["heights"], (height, size, "one threshold"), at, searches)
                add(tables["heights"], (height, size, "by height"), limits(FPIR / size), searches)
            seen = only(embedded.named, other)
            limits = tail(embedded.named, embedded.named, own)
            small_pairs.append({"height": height} | pair_rates(calibration, limits, seen))
            for size, at, enrolled in drawn(calibration, seen):
                searches = search(seen.where(enrolled), seen.where(~enrolled))
                cells = tables["small_galleries"]
                add(cells, (height, size, "one threshold"), at, searches)
                add(cells, (height, size, "by height"), limits(FPIR / size), searches)
    return {
        "fmr_on_others": others,
        "by_gallery_size": [told(*key, cell, "size") for key, cell in tables["sizes"].items()],
        "fixed_threshold": [told(*key, cell, "size") for key, cell in tables["fixed"].items()],
        "by_height": by_height(tables["heights"]),
        "small_pairs": sorted(small_pairs, key=lambda row: -row["height"]),
        "small_galleries": by_height(tables["small_galleries"]),
        "not_found": {
            str(height): {"failed": len(e.failures), "of": len(e.photos)}
            for height, e in reduced.items()
        },
    }


def drawn(calibration: Calibration, tested: Named) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield size, threshold by the rule, and mask of the enrolled photos of every gallery."""
    for size in SIZES:
        at = search_threshold(calibration, size, FPIR).threshold.score
        generator = np.random.default_rng(SEED)
        for enrolled in galleries(tested, size, draws=DRAWS, generator=generator):
            yield size, at, enrolled


def add(table: dict[tuple, list], key: tuple, score: float, searches: Searches) -> None:
    table.setdefault(key, []).append((score, open_set(searches, score, UNGATED), searches))


def by_height(table: dict[tuple, list]) -> list[dict]:
    return [
        {"height": height, "size": size, "rule": rule, **told(size, cell, "size")}
        for (height, size, rule), cell in table.items()
    ]


def on_others(calibration: Calibration, tested: Named) -> dict:
    """Return whether the threshold of one comparison holds on people who did not choose it."""
    point = next(p for p in calibration.points if p.fmr == VERIFY_FMR)
    scores = all_scores(tested)
    weights = people_weights(len(set(tested.people)), draws=1000, seed=SEED)
    observed = float(curves.fmr(scores, point.threshold))
    low, high = intervals_of_fmr(tested, [point.threshold], weights)[0]
    return {
        "threshold": point.threshold,
        "stated": list(point.interval),
        "fmr": round(observed, 7),
        "fmr_95": [round(low, 7), round(high, 7)],
        "inside": point.interval[0] <= observed <= point.interval[1],
        "fnmr": round(float(curves.fnmr(scores, point.threshold)), 5),
        "non_mated": len(scores.non_mated),
    }


def pair_rates(
    calibration: Calibration, limits: Callable[[float], float], small_faces: Named
) -> dict:
    """Return FMR and FNMR of pairs of small faces at FMR 1e-3 of whole photos, and of that height.

    limits: gives the threshold of that height, from the calibration half.
    """
    scores = all_scores(small_faces)
    found = {}
    for rule, score in (
        ("one_threshold", score_at_fmr(calibration, VERIFY_FMR)),
        ("by_height", limits(VERIFY_FMR)),
    ):
        found[rule] = {
            "threshold": round(score, 4),
            "fmr": round(float(curves.fmr(scores, score)), 6),
            "fnmr": round(float(curves.fnmr(scores, score)), 4),
        }
    return found


def only(named: Named, people: np.ndarray) -> Named:
    inside = set(people.tolist())
    return named.where(np.array([person in inside for person in named.people]))


def tail(probe: Named, whole: Named, people: np.ndarray) -> Callable[[float], float]:
    """Return the threshold at an FMR of small faces against whole photos of other people."""
    small, full = only(probe, people), only(whole, people)
    scores = score_matrix(small.vectors, full.vectors, full.space.metric)
    apart = np.array(small.people)[:, None] != np.array(full.people)[None, :]
    rising = np.sort(scores[apart])

    def threshold(rate: float) -> float:
        allowed = int(rate * len(rising))
        return float(np.nextafter(rising[len(rising) - 1 - allowed], np.inf))

    return threshold


def probes(whole: walk.Embedded, small: walk.Embedded, people: np.ndarray) -> tuple[Named, list]:
    """Return the small faces of ``people`` and the digest of the whole photo of each."""
    inside = set(people.tolist())
    keep, origin = np.zeros(len(small.named.people), bool), {}
    for photo, row, large in zip(small.photos, small.rows, whole.rows, strict=True):
        if row >= 0 and large >= 0 and photo.person in inside:
            keep[row] = True
            origin[int(row)] = whole.named.photos[large]
    return small.named.where(keep), [origin[int(i)] for i in np.flatnonzero(keep)]


def away(tested: Named, enrolled: np.ndarray, rows: tuple[Named, list]):
    """Return the searches of small faces whose own whole photo is not enrolled."""
    named, origins = rows
    held = {digest for digest, inside in zip(tested.photos, enrolled, strict=True) if inside}
    mask = np.array([digest not in held for digest in origins])
    return search(tested.where(enrolled), named.where(mask))


def told(size: int, runs: list, name: str) -> dict:
    """Return pooled rates over draws and halves; intervals are those of one draw's counts."""
    strangers = sum(r.strangers for _, r, _ in runs)
    enrolled = sum(r.enrolled for _, r, _ in runs)
    named = sum(r.strangers_named for _, r, _ in runs)
    missed = sum(r.enrolled_missed for _, r, _ in runs)
    wrong = sum(r.enrolled_misnamed for _, r, _ in runs)
    each = [r.fpir.value for _, r, _ in runs]
    once = 2 * strangers / len(runs)  # two halves: every stranger about once
    bound = exact_share(round(named / strangers * once), round(once))
    return {
        name: size,
        "thresholds": sorted({round(t, 4) for t, _, _ in runs}),
        "fpir": round(float(named / strangers), 5),
        "fpir_95": [round(bound.low, 5), round(bound.high, 5)],
        "fpir_draws": [round(min(each), 5), round(max(each), 5)],
        "fnir": round(float(missed / enrolled), 5) if enrolled else None,
        "misnamed": round(float(wrong / enrolled), 5) if enrolled else None,
        "searches_of_strangers": strangers,
        "searches_of_enrolled": enrolled,
    }


if __name__ == "__main__":
    main()
