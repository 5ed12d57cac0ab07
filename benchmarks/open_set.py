"""Does the rule of ``identify`` keep strangers out? Galleries of several sizes, and small faces.

    python benchmarks/open_set.py IMAGES [--preset P] [--small DIR] [--out FILE]

The people of IMAGES (a folder of people, such as lfw_dev) are cut into two halves. A calibration
is made on one; gallery and strangers come from the other; then the halves change places. The
threshold of a search is the score whose FMR times the number of templates is the wanted FPIR.

Small faces: the probes are photos reduced so that the face is so many px high (kept in --small),
the gallery is made of whole photos. Compared are one threshold for all heights (with and without
the gate that refuses faces under 30 px) and a threshold for each height, both from the calibration
half.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import machine
import numpy as np

from facelign.cli.settings import cache_path
from facelign.compare.scores import score_matrix
from facelign.compare.thresholds import search_threshold
from facelign.datasets.folder import read_folder
from facelign.datasets.records import Photo
from facelign.evaluate import photos as walk
from facelign.evaluate.calibration import calibrate
from facelign.evaluate.identification import open_set, search, share
from facelign.evaluate.named import Named
from facelign.evaluate.resampling import SEED
from facelign.evaluate.searched import galleries
from facelign.gallery.cache import VectorCache
from facelign.imaging.read import read
from facelign.imaging.write import write
from facelign.pipeline.recognizer import Recognizer

SIZES = (10, 100, 300)
HEIGHTS = (80, 60, 40, 30, 24, 20)
FPIR = 0.01
DRAWS = 10


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
    sizes: dict[int, list] = {size: [] for size in SIZES}
    fixed: dict[int, list] = {size: [] for size in SIZES}
    heights: dict[tuple, list] = {}
    for own, other in (halves, halves[::-1]):
        named = only(whole.named, own)
        calibration = calibrate(named, record_id="half", chain={}, set_name="half", date="-")
        tested = only(whole.named, other)
        for size in SIZES:
            at = search_threshold(calibration, size, FPIR).threshold.score
            one = search_threshold(calibration, 1, FPIR).threshold.score
            for enrolled in galleries(tested, size, draws=DRAWS, seed=SEED):
                searches = search(tested.where(enrolled), tested.where(~enrolled))
                sizes[size].append((at, open_set(searches, at), searches))
                fixed[size].append((one, open_set(searches, one), searches))
        for height, embedded in reduced.items():
            limits = tail(embedded.named, whole.named, own)
            rows = probes(whole, embedded, other)
            for size in SIZES:
                at = search_threshold(calibration, size, FPIR).threshold.score
                for enrolled in galleries(tested, size, draws=DRAWS, seed=SEED):
                    searches = away(tested, enrolled, rows)
                    for rule, score in (("one threshold", at), ("by height", limits(FPIR / size))):
                        cell = heights.setdefault((height, size, rule), [])
                        cell.append((score, open_set(searches, score), searches))
    return {
        "by_gallery_size": [told(size, sizes[size], "size") for size in SIZES],
        "fixed_threshold": [told(size, fixed[size], "size") for size in SIZES],
        "by_height": [
            {"height": height, "size": size, "rule": rule, **told(size, cell, "size")}
            for (height, size, rule), cell in heights.items()
        ],
        "not_found": {
            str(height): {"failed": len(e.failures), "of": len(e.photos)}
            for height, e in reduced.items()
        },
    }


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
    strangers = sum(int((s.mate < 0).sum()) for _, _, s in runs)
    enrolled = sum(int((s.mate >= 0).sum()) for _, _, s in runs)
    named = sum(r.fpir.value * (s.mate < 0).sum() for _, r, s in runs)
    missed = sum(r.fnir.value * (s.mate >= 0).sum() for _, r, s in runs if r.fnir)
    wrong = sum(r.misnamed.value * (s.mate >= 0).sum() for _, r, s in runs if r.misnamed)
    each = [r.fpir.value for _, r, _ in runs]
    once = 2 * strangers / len(runs)  # two halves: every stranger about once
    bound = share(round(named / strangers * once), round(once))
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
