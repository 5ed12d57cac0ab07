"""Fits the numbers of ``quality/models/measured.py``, and measures what they are worth.

    python tools/fit_quality.py [--photos 400] [--json FILE]

Photos of lfw_dev (../shared) are made worse in eight ways, by random amounts, and each is compared
with an untouched photo of the same person by the default preset. What is fitted: whether the score
reaches the shipped threshold (FMR 1e-3), by a logistic regression whose weights are not negative,
so that more light or more pixels can only help. People are halved by chance: one half fits, the
other is measured. Error versus reject: the share of mated comparisons below the threshold among
those that are left when the worst faces, by the number, are refused (ISO/IEC 29794-1), with 95 %
intervals over draws of people, beside refusal by height and by sharpness alone.

What it prints as WEIGHTS and BIAS is pasted into the model's file.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cv2
import numpy as np
import real_faces as here
from PIL import Image as Pillow

from facelign.compare.thresholds import threshold
from facelign.datasets.folder import read_folder
from facelign.quality.measure import FaceQuality, assess
from facelign.quality.models import measured
from facelign.recognition.recognizer import Recognizer
from facelign.recognition.selection import choose
from facelign.types.analysis import Analysis
from facelign.types.image import Image
from facelign.types.policies import FacePolicy

SEED = 14
DRAWS = 1000
#: what is refused, as a share of all
REJECTED = (0.0, 0.05, 0.1, 0.2, 0.3)
#: pull of the weights towards nothing: with 2,000 photos it hardly matters
RIDGE = 1e-3
Chance = np.random.Generator
Pixels = np.ndarray


def _clipped(values: Pixels) -> Pixels:
    return np.clip(values, 0, 255).astype(np.uint8)


def untouched(pixels: Pixels, chance: Chance) -> Pixels:
    return pixels


def small(pixels: Pixels, chance: Chance) -> Pixels:
    factor = np.exp(chance.uniform(np.log(0.06), np.log(0.5)))
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def blurred(pixels: Pixels, chance: Chance) -> Pixels:
    return cv2.GaussianBlur(pixels, (0, 0), chance.uniform(1, 7))


def moved(pixels: Pixels, chance: Chance) -> Pixels:
    length = int(chance.integers(5, 30))
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, chance.uniform(0, 180), 1)
    line = cv2.warpAffine(line, turn, (length, length))
    return cv2.filter2D(pixels, -1, line / line.sum())


def dark(pixels: Pixels, chance: Chance) -> Pixels:
    light = np.exp(chance.uniform(np.log(0.015), np.log(0.4)))
    return _clipped(pixels * light + chance.normal(0, 2, pixels.shape))


def bright(pixels: Pixels, chance: Chance) -> Pixels:
    return _clipped(pixels * chance.uniform(1.5, 6))


def flat(pixels: Pixels, chance: Chance) -> Pixels:
    spread = np.exp(chance.uniform(np.log(0.03), np.log(0.4)))
    return _clipped((pixels - 128.0) * spread + 128 + chance.normal(0, 2, pixels.shape))


def cut(pixels: Pixels, chance: Chance) -> Pixels:
    """The face of these photos is about 110 px high in the middle of 250."""
    keep = chance.uniform(0.4, 0.62)
    side = int(chance.integers(4))
    turned = np.rot90(pixels, side)
    part = turned[: int(keep * len(turned))]
    return np.ascontiguousarray(np.rot90(part, -side))


def packed(pixels: Pixels, chance: Chance) -> Pixels:
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "JPEG", quality=int(chance.integers(2, 15)))
    return np.asarray(Pillow.open(out))


WORSE: tuple[Callable[[Pixels, Chance], Pixels], ...] = (
    untouched, small, blurred, moved, dark, bright, flat, cut, packed,
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=400, help="pairs of photos that are used")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    here.settle()
    if why := here.absent_preset("default"):
        sys.exit(why)
    rows = walked(options.photos)
    people = np.array([row[0] for row in rows])
    every = sorted(set(people))
    fitting = set(np.random.default_rng(SEED).permutation(every)[: len(every) // 2])
    inner = np.array([person in fitting for person in people])
    kinds = np.array([row[1] for row in rows])
    met = np.array([row[2] for row in rows])
    given = np.concatenate([measured.features(row[3]) for row in rows])
    weights, bias = fitted(given[inner], met[inner])
    print("WEIGHTS", dict(zip(measured.WEIGHTS, weights.round(3).tolist(), strict=True)))
    print("BIAS", round(bias, 3))
    number = given @ weights.round(3) + round(bias, 3)
    out = ~inner
    refusals = {
        "measured": number,
        "height": np.array([row[3].height_px[0] for row in rows]),
        "sharpness": np.array([row[3].sharpness[0] for row in rows]),
    }
    told: dict[str, object] = {
        "photos": int(out.sum()),
        "people": len(set(people[out])),
        "fitted on": {"photos": int(inner.sum()), "people": len(set(people[inner]))},
        "area under ROC": {name: ranked(v[out], met[out]) for name, v in refusals.items()},
    }
    for name, chosen in (("all", out), ("untouched", out & (kinds == "untouched"))):
        told[f"FNMR, {name}"] = {
            by: rejecting(v[chosen], met[chosen], people[chosen]) for by, v in refusals.items()
        }
    told["share that match, by way"] = {
        kind: round(float(met[out & (kinds == kind)].mean()), 3) for kind in dict.fromkeys(kinds)
    }
    bins = np.quantile(number[out], np.linspace(0, 1, 6))
    place = np.clip(np.searchsorted(bins, number[out], side="right") - 1, 0, 4)
    told["fifths: number, share that match"] = [
        [
            round(float((1 / (1 + np.exp(-number[out][place == i]))).mean()), 3),
            round(float(met[out][place == i].mean()), 3),
        ]
        for i in range(5)
    ]
    text = json.dumps(told, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def walked(most: int) -> list[tuple[str, str, bool, FaceQuality]]:
    """Return person, way, whether the threshold is reached, and the measures of each photo.

    A photo whose face is not found any more is left out: it gives no number.
    """
    recognizer = Recognizer("default", workers=1)
    calibration = recognizer.calibration
    assert calibration is not None
    limit = threshold(calibration).score
    photos = defaultdict(list)
    for photo in read_folder(here.LFW_DEV / "images").photos:
        photos[photo.person].append(photo.path)
    chance = np.random.default_rng(SEED)
    pairs = [(person, paths[0], probe) for person, paths in photos.items() for probe in paths[1:]]
    chosen = [pairs[i] for i in sorted(chance.permutation(len(pairs))[:most])]
    seen: dict[Path, Analysis] = {}
    rows = []
    done = here.counter("photos", len(chosen))
    for number, (person, reference, probe) in enumerate(chosen):
        if reference not in seen:
            seen = {reference: recognizer.analyze_one(reference)}
        one = vector_of(seen[reference])
        pixels = np.asarray(Pillow.open(probe).convert("RGB"))
        # each photo as it is, and in four of the eight ways
        ways = [WORSE[0], *(WORSE[1 + (number + step) % 8] for step in (0, 2, 5, 7))]
        for way in ways if one is not None else ():
            worse = np.ascontiguousarray(way(pixels, chance))
            found = recognizer.analyze_one(Image.from_array(worse, "rgb", probe.name))
            other = vector_of(found)
            if other is None or found.image is None:
                continue
            face = choose(found.faces, FacePolicy.CENTRAL, probe.name)
            numbers = assess(found.image, found.faces)[face : face + 1]
            rows.append((person, way.__name__, bool(one @ other >= limit), numbers))
        done(1)
    return rows


def vector_of(found: Analysis) -> np.ndarray | None:
    """Return the vector of the face in the middle, of unit length; None where there is none."""
    if not len(found.faces):
        return None
    vector = found.vector_of(choose(found.faces, FacePolicy.CENTRAL, ""))
    return None if vector is None else vector.vectors[0] / np.linalg.norm(vector.vectors[0])


def fitted(given: np.ndarray, met: np.ndarray) -> tuple[np.ndarray, float]:
    """Return weights (6,), none negative, and the bias: projected steps downhill."""
    scale = np.maximum(given.std(axis=0), 1e-6)
    columns = np.concatenate([given / scale, np.ones((len(given), 1))], axis=1)
    at = np.zeros(columns.shape[1])
    # the curve bends at most this much, so such steps never climb
    step = 1 / (np.linalg.eigvalsh(columns.T @ columns / len(columns))[-1] / 4 + RIDGE)
    for _ in range(20_000):
        chance = 1 / (1 + np.exp(-(columns @ at)))
        slope = columns.T @ (chance - met) / len(columns)
        slope[:-1] += RIDGE * at[:-1]
        at = at - step * slope
        at[:-1] = np.maximum(at[:-1], 0)
    return at[:-1] / scale, float(at[-1])


def ranked(number: np.ndarray, met: np.ndarray) -> float:
    """Return the chance that one that matched has a larger number than one that did not."""
    good, bad = number[met], number[~met]
    wins = (good[:, None] > bad).mean() + 0.5 * (good[:, None] == bad).mean()
    return round(float(wins), 4)


def rejecting(number: np.ndarray, met: np.ndarray, people: np.ndarray) -> dict[str, list[float]]:
    """Return the share that fails, with its interval, by the share of the worst that is refused."""
    names, who = np.unique(people, return_inverse=True)
    chance = np.random.default_rng(SEED)
    found = {}
    for share in REJECTED:
        kept = np.ones(len(number), bool)
        kept[np.argsort(number, kind="stable")[: round(share * len(number))]] = False
        drawn = []
        for _ in range(DRAWS):
            times = np.bincount(chance.integers(len(names), size=len(names)), minlength=len(names))
            count = times[who] * kept
            drawn.append((count * ~met).sum() / max(count.sum(), 1))
        ends = np.quantile(drawn, [0.025, 0.975])
        value = (~met[kept]).mean()
        found[f"{share:g}"] = [round(float(v), 4) for v in (value, *ends)]
    return found


if __name__ == "__main__":
    sys.exit(main())
