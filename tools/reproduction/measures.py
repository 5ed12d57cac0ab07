"""How each row is measured: by the command of the product where one tells it, else on its vectors.

A measure gives lines of figures, {what: {name: figure}}, and under "drawn" what pictures need.
"""

from __future__ import annotations

import csv
import functools
import gzip
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import real_faces as here

from facelign import models
from facelign.compare import calibrations, curves, thresholds
from facelign.compare.pairs import PairScores
from facelign.datasets.folder import read_folder
from facelign.files.home import cache_path
from facelign.gallery.cache import VectorCache
from facelign.imaging.read import read
from facelign.lab.identification.classifiers import Classifier, classify
from facelign.lab.identification.searching import odd_even, search
from facelign.lab.material import photos as walk
from facelign.lab.material import projection
from facelign.lab.material.named import Named
from facelign.lab.material.trials import Trials
from facelign.lab.statistics import resampling
from facelign.lab.statistics.exact import exact_share
from facelign.lab.statistics.folds import cross_validated
from facelign.recognition.recognizer import Recognizer
from facelign.report import plots
from facelign.report.plot import Plot, Series
from facelign.types.embeddings import Metric
from facelign.types.policies import FacePolicy
from reproduction.rows import CHAINS, Row

Figures = dict[str, Any]
PLACES = {
    "lfw_100": here.LFW_100.parent,
    "lfw_dev": here.LFW_DEV,
    "muct": here.LANDMARKS / "muct",
    "ytfaces": here.LANDMARKS / "ytfaces",
}
#: the article's 70 thresholds; and as many steps as unit vectors can be apart
GRIDS = {"0.30 to 0.99": np.arange(0.30, 1.0, 0.01), "0.01 to 1.99": np.arange(0.01, 2.0, 0.01)}
DRAWS = 1000
MEASURES: dict[str, Callable[[Row], Figures]] = {}


class Unavailable(Exception):
    """A row cannot be measured here; the message says why."""


def measures(*rows: str) -> Callable[[Callable[[Row], Figures]], Callable[[Row], Figures]]:
    """Return a decorator that makes a function the measure of rows."""

    def register(function: Callable[[Row], Figures]) -> Callable[[Row], Figures]:
        MEASURES.update(dict.fromkeys(rows, function))
        return function

    return register


def lying(name: str) -> None:
    """Look whether the photos of a set are where they are expected."""
    if not PLACES[name].is_dir():
        raise Unavailable(
            f"The photos of {name} are not at {PLACES[name]}. docs/how-to/repeat-a-figure.md says "
            "which they are and how they lie."
        )


@functools.cache
def record(command: str) -> Figures:
    """Return what a facelign command tells with --json, on the photos beside the checkout."""
    words = shlex.split(command)[1:]
    for place, word in enumerate(words):
        name, _, rest = word.partition("/")
        if name in PLACES and rest:
            lying(name)
            words[place] = str(PLACES[name] / rest)
    here.say(f"  {command}")
    run = [sys.executable, "-m", "facelign", *words, "--json"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        raise Unavailable(done.stderr.strip())
    told: Figures = json.loads(done.stdout)
    return told


# -- rows that a command tells -------------------------------------------------------------------


@measures("A0-04", "A3-yardstick", "A3-11")
def verification(row: Row) -> Figures:
    named = {CHAINS[key][0]: record(f"{row.hand} {CHAINS[key][1]}") for key in row.chains}
    return {'always "different"': next(iter(named.values()))} if row.id == "A3-11" else named


@measures("A3-09")
def pair_counts(row: Row) -> Figures:
    told = {CHAINS[key][0]: record(f"{row.hand} {CHAINS[key][1]}") for key in row.chains}
    lost = {f"photos without a face: {name}": one for name, one in told.items()}
    counted = {name: {"failures": one["failures"]} for name, one in lost.items()}
    return {"pairs": next(iter(told.values())), **counted}


LAYOUTS = {
    "none": "unaligned (whole photo squeezed to 112)",
    "crop": "cut out (box and margin, the article's own script)",
    "five": "aligned by five points",
}


def arm(told: Figures, photos: int) -> Figures:
    """Return the figures of an arm of the alignment study, missed faces counted as errors."""
    ways = told["failures_counted_as"]
    main = {**ways["error"], "se": ways["error"]["accuracy_se"], "lost": told["failed_photos"]}
    shares = {way: counted["accuracy"] for way, counted in ways.items()}
    gain = told["gain_over_unaligned"]
    return {**main, "photos": photos, "ways": shares} | ({"gain": gain} if gain else {})


@measures("A0-12", "A0-13", "A0-14")
def aligned(row: Row) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        drawn = f" --csv {folder}" if row.pictures else ""
        study = record(row.hand + drawn)
        roc = Path(folder) / "01-2-roc.csv"
        columns = list(csv.reader(roc.open(encoding="utf-8"))) if drawn else []
    arms = {one["layout"]: arm(one, study["photos"]) for one in study["arms"]}
    if row.id == "A0-14":
        lost = {f"{LAYOUTS[key]}: faces not found": arms[key] for key in ("crop", "five")}
        ways = arms["five"]["ways"]
        verdict = {"verdict": {"verdict": study["verdict"]}}
        return verdict | lost | {"aligned, by how a missed face counts": ways}
    lines = {name: arms[layout] for layout, name in LAYOUTS.items()}
    if not drawn:
        return lines
    points = np.array([line for line in columns[1:] if all(line)], float)
    ends = {"none": points[:, 0:2], "five": points[:, 4:6]}
    curve = {key: {"fmr": xy[:, 0].tolist(), "tar": xy[:, 1].tolist()} for key, xy in ends.items()}
    return lines | {"drawn": {"curves": curve, "auc": {key: arms[key]["auc"] for key in ends}}}


def runs(row: Row) -> Path:
    """Return the folder of a row's trainings: what has ended is not trained again."""
    return cache_path().parent / "runs" / row.id


@measures("A0-05")
def trained(row: Row) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        study = record(f"{row.hand} --runs {shlex.quote(str(runs(row)))} --csv {folder}")["trained"]
        drawn = curves_of(Path(folder) / "01-1-roc.csv")
    lines: Figures = {"verdict": {"verdict": study["verdict"]}}
    for one in study["arms"]:
        cuts = (LAYOUTS[one[name]].partition(" (")[0] for name in ("trained", "tested"))
        gain = study["gains"].get(one["trained"]) if one["trained"] == one["tested"] else None
        name = "trained on: {}; tested on: {}".format(*cuts)
        lines[name] = one | ({"gain": gain} if gain else {})
    return lines | {"drawn": drawn}


def curves_of(table: Path) -> Figures:
    """Return the curves of a ROC as CSV: {name: {fmr, tar}}."""
    header, *rows = csv.reader(table.open(encoding="utf-8-sig"))
    points = np.array([row for row in rows if all(row)], float).round(4)
    names = [column.removesuffix(": FMR") for column in header[::2]]
    return {
        name: {"fmr": points[:, 2 * n].tolist(), "tar": points[:, 2 * n + 1].tolist()}
        for n, name in enumerate(names)
    }


def trained_roc(drawn: Mapping[str, Any]) -> Plot:
    lines = [Series(name, np.array(c["fmr"]), np.array(c["tar"])) for name, c in drawn.items()]
    title = "A network trained a side (lfw_dev)"
    return plots.find("roc")(lines, lowest=1 / 330, title=title)


@measures("A3-03")
def losses(row: Row) -> Figures:
    for name in ("ytfaces", "lfw_dev"):
        lying(name)
    lines: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "recognizer.toml"
        where = {name: str(path) for name, path in PLACES.items()} | {config.name: str(config)}
        begin, *trainings = row.hand.strip().splitlines()
        command(begin, where)
        for training in trainings:
            name = training.split(" --out ")[1].split()[0]
            run = runs(row) / name
            if not (run / "config.toml").exists():
                command(training, {**where, name: str(run)})
            ended = json.loads(command("facelign train resume RUN --json", {"RUN": str(run)}))
            with (run / "metrics.csv").open(encoding="utf-8") as file:
                curve = [f"{float(one['test_auc']):.3f}" for one in csv.DictReader(file)]
            lines[name.removeprefix("run-")] = ended["test"] | {"curve": ", ".join(curve)}
    return lines


def command(line: str, where: Mapping[str, str]) -> str:
    """Run a facelign command, its places put in; return what it printed."""
    here.say(f"  {line}")
    words = shlex.split(line)[1:]
    for name, path in where.items():
        place = re.compile(rf"(?<![\w./-]){re.escape(name)}(?=/|$)")
        words = [place.sub(lambda _found, path=path: path, word) for word in words]
    run = [sys.executable, "-m", "facelign", *words]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(done.stderr.strip())
    return done.stdout


@measures("A0-15")
def unwilling(row: Row) -> Figures:
    study = record(f"{row.hand} --degradations low-resolution,blur,dark,glasses")
    lines = {}
    for one in study["arms"]:
        lean = f"{one['rotation_deg']:.0f} deg" if one["rotation_deg"] else "as they are"
        name = one["degradation"] if one["degradation"] != "none" else lean
        if one["layout"] == "five":
            lines[name] = arm(one, study["photos"])
    return lines


@measures("A1-04")
def per_model(row: Row) -> Figures:
    study = record(row.hand)
    after = {"rotating": "eyes", "scaling and placing by points": "five"}
    lost = {
        (one["model"], one["detector"], one["layout"]): one["failed_photos"]
        for one in study["arms"]
    }
    return {
        f"{one['model']}, {one['detector']}, {one['step']}": {
            **one,
            "lost": lost[one["model"], one["detector"], after[one["step"]]],
            "photos": study["photos"],
        }
        for one in study["steps"]
        if one["step"] in after
    }


@measures("A1-19")
def together(row: Row) -> Figures:
    found = record(row.hand)
    lines = {one["name"]: one for one in found["systems"]}
    return lines | {"verdict": {"verdict": found["verdict"]}}


@measures("A2-18")
def points_on_muct(row: Row) -> Figures:
    names = {"yunet": "YuNet's five points", "dlib-68": "dlib's 68 points, as five"}
    return {names[run["model"]]: run for run in record(row.hand)["runs"]}


ON_SETS = {"lfw_100": "--all-pairs --face largest", "lfw_dev": "--pairs lfw_dev/pairs.txt"}
HOG = "--preset dlib --detector hog"


def on_set(name: str, flags: str) -> str:
    """Return the command that measures dlib's chain on a set."""
    where = f"--images {name}/images {ON_SETS[name]}"
    return f"facelign evaluate verification {where} {HOG} {flags}"


@measures("A4-04")
def five_or_68(row: Row) -> Figures:
    lines: Figures = {}
    for name in row.sets:
        with tempfile.TemporaryDirectory() as folder:
            runs = []
            for points in ("dlib-68", "dlib-5"):
                runs.append(Path(folder) / f"{points}.json")
                told = record(on_set(name, f"--landmarks {points} --pair-scores"))
                runs[-1].write_text(json.dumps(told), encoding="utf-8")
            found = record(f"facelign evaluate compare {runs[0]} {runs[1]}")
        changes = {one["figure"]: one["difference"] for one in found["changes"]}
        rate = next(key for key in changes if key.startswith("tar")).rpartition("_")[2]
        figures = {"accuracy": changes["accuracy"], "tar": changes[f"tar_at_fmr_{rate}"]}
        lines[f"5 points minus 68 points, {name}"] = {**figures, "rate": rate}
    if "lfw_100" in row.sets:
        lines["time of 68 points"] = {"ratio": time_ratio()}
    return lines


def time_ratio() -> float:
    """Return how many times longer 68 points take than 5, photo by photo in turns."""
    detector = models.detector("yunet")
    both = [models.landmarker(name) for name in ("dlib-5", "dlib-68")]
    ratios = []
    for photo in read_folder(here.LFW_100).photos[::5]:
        image = read(photo.path).full()
        faces = detector.detect(image)
        took = []
        for model in both if len(faces) else ():
            start = time.perf_counter()
            model.locate(image, faces)
            took.append(time.perf_counter() - start)
        ratios += [took[1] / took[0]] if took else []
    return float(np.median(ratios))


@measures("A4-05")
def dlib_distance(row: Row) -> Figures:
    lines: Figures = {}
    for name in row.sets:
        for distance in (0.5, 0.6):
            told = record(on_set(name, f"--threshold=-{distance}"))
            lines[f"{name}, distance <= {distance}"] = told["fixed_threshold"]
        best = {"best": -told["best"]["accuracy"]["threshold"], "lost": told["failures"]["count"]}
        lines[f"{name}, threshold chosen on other people"] = {**told, **best}
    return lines


# -- rows that are arithmetic, or read what is shipped ---------------------------------------------


@measures("A1-14")
def own_thresholds(_row: Row) -> Figures:
    lines = {}
    for preset in ("default", "fast", "accurate"):
        own = calibrations.load(f"{preset}-lfw-dev")
        limit = thresholds.threshold(own, 1e-3)
        lines[f"preset {preset} ({own.space})"] = {
            "score": limit.score,
            "unit_euclidean": float(np.sqrt(2 - 2 * limit.score)),
            "interval": list(limit.interval or ()),
            "subjects": own.subjects,
            "non_mated": own.non_mated,
        }
    return lines


@measures("A2-04")
def split_people(row: Row) -> Figures:
    table, crops = (PLACES["muct"] / name for name in ("muct76-opencv.csv.gz", "muct_crops.csv"))
    if not table.is_file() or not crops.is_file():
        raise Unavailable(f"{table.name} and {crops.name} are not at {PLACES['muct']}.")
    names = gzip.decompress(table.read_bytes()).decode()
    each = Counter(sorted(re.findall(r"^i(\d{3})[q-z]a-", names, re.MULTILINE)))
    ((what, wanted),) = row.quoted.items()
    people = int(np.searchsorted(np.cumsum(list(each.values())), int(wanted))) + 1
    held = list(csv.DictReader(crops.open(encoding="utf-8")))
    cameras, subjects = ({crop[key] for crop in held} for key in ("camera", "subject"))
    here_ = {
        "crops": len(held),
        "subjects": len(subjects),
        "cameras": " and ".join(sorted(cameras)),
    }
    told = {"most": max(each.values()), "people": people}
    return {f"the article's {wanted} {what}": told, "at hand": here_}


@measures("A3-01")
def parameters(_row: Row) -> Figures:
    from facelign.train.recognizer.networks import NETWORKS

    # a test builds them and counts
    names = ("nn4-small2", "nn4-small2-published")
    return {name: {"parameters": NETWORKS[name].parameters} for name in names}


@measures("A2-09")
def in_pixels(row: Row) -> Figures:
    losses = {name: float(mse) for name, mse in row.quoted.items()}
    return {name: {"mse": mse, "px": 299 * mse**0.5} for name, mse in losses.items()}


# -- article A3: unit vectors and their squared distance -------------------------------------------


@functools.cache
def trials() -> Trials:
    lying("lfw_100")
    return Trials.all_pairs(read_folder(here.LFW_100))


@functools.cache
def embedded(flags: str) -> walk.Embedded:
    """Return the vectors of lfw_100 by a chain's flags."""
    words = dict(zip(flags.split()[::2], flags.split()[1::2], strict=True))
    recognizer = Recognizer(
        words.get("--preset", "default"),
        detector=words.get("--detector"),
        landmarker=words.get("--landmarks"),
        model=words.get("--model"),
        cache=VectorCache(cache_path()),
        workers=2,
    )
    done = here.counter(f"lfw_100 {flags}", len(trials().photos))
    return walk.embed(recognizer, trials().photos, FacePolicy.LARGEST, done=done)


def unit(flags: str) -> Named:
    """Return vectors of length 1, compared by their angle: the scale of the article's tau."""
    named = embedded(flags).named
    vectors = np.asarray(named.vectors, np.float64)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return replace(
        named, space=replace(named.space, metric=Metric.COSINE, unit=True), vectors=vectors
    )


def squares(flags: str) -> PairScores:
    """Return the pairs with minus the squared distance of unit vectors as the score."""
    pairs = trials().scored(replace(embedded(flags), named=unit(flags)))
    return replace(pairs, scores=2 * np.asarray(pairs.scores, np.float64) - 2)


def over_thresholds(pairs: PairScores, grid: np.ndarray) -> Figures:
    """Return F1 and accuracy where "same" is a distance below each threshold; the best by F1."""
    usable = pairs.where(~pairs.failed)
    distance, same = -usable.scores, usable.same
    says = distance < grid[:, None]
    true, wrong = (says & same).sum(axis=1), (says != same).sum(axis=1)
    f1 = 2 * true / np.maximum(2 * true + wrong, 1)
    accuracy = (says == same).mean(axis=1)
    best = int(np.argmax(f1))
    return {
        "tau": round(float(grid[best]), 4),
        "f1": float(f1[best]),
        "accuracy": over_people(usable, says[best] == same),
        "curve": [np.round(x, 5).tolist() for x in (grid, f1, accuracy)],
    }


def over_people(pairs: PairScores, right: np.ndarray) -> Figures:
    """Return the share of pairs that are decided rightly, with its interval over people."""
    if right.all():
        room = resampling.Room.of(pairs)
        return room.around("accuracy", resampling.Interval(1.0, 1.0, 1.0)).to_dict()
    found = resampling.share(pairs, right, draws=DRAWS)
    if found is None:
        raise Unavailable("There are no pairs with scores.")
    return found.to_dict()


@measures("A3-08")
def triplet(row: Row) -> Figures:
    one, two = (trials().people.index(name) for name in ("Jacques_Chirac", "Gerhard_Schroeder"))
    lines: Figures = {}
    for name, flags in (CHAINS[key] for key in row.chains):
        pairs = squares(flags)
        both = np.sort(np.stack([pairs.a, pairs.b]), axis=0)
        masks = {"same": (both == one).all(axis=0)}
        masks["different"] = (both == np.sort([one, two])[:, None]).all(axis=0)
        lines[name] = {}
        for kind, mask in masks.items():
            far = -pairs.scores[mask & ~pairs.failed]
            ends = {"median": np.median(far), "low": far.min(), "high": far.max()}
            lines[name][kind] = {k: float(v) for k, v in ends.items()} | {"pairs": len(far)}
    return lines


@measures("A3-10")
def best_threshold(row: Row) -> Figures:
    lines: Figures = {}
    drawn: Figures = {}
    for name, flags in (CHAINS[key] for key in row.chains):
        pairs = squares(flags)
        for title, grid in GRIDS.items():
            lines[f"{name}; tau from {title}"] = over_thresholds(pairs, grid)
        curve = lines[f"{name}; tau from {title}"]["curve"]
        found = cross_validated(pairs.where(~pairs.failed), curves.best_by_f1)
        other = {"accuracy": found.accuracy, "se": found.standard_error, "f1": found.f1}
        lines[f"{name}; tau chosen on other people"] = {"other": other}
        if name == row.best:
            drawn = {"drawn": {"curve": curve, "baseline": float((~pairs.same).mean())}}
    return lines | drawn


@measures("A3-12")
def outliers(row: Row) -> Figures:
    lines: Figures = {}
    drawn: Figures = {}
    for name, flags in (CHAINS[key] for key in row.chains):
        pairs = squares(flags)
        tau = over_thresholds(pairs, GRIDS["0.01 to 1.99"])["tau"]
        far, usable = -pairs.scores, ~pairs.failed
        beyond = np.flatnonzero(pairs.same & usable & (far >= tau))
        within = np.flatnonzero(~pairs.same & usable & (far < tau))
        worst = [*beyond[np.argsort(-far[beyond])][:3], *within[np.argsort(far[within])][:3]]
        files = [photo.path.name for photo in trials().photos]
        sides = [(files[trials().a[i]], files[trials().b[i]], far[i]) for i in worst]
        words = "; ".join(f"{a} and {b} at {distance:.2f}" for a, b, distance in sides)
        counts = {"mated": pairs.same & usable, "non_mated": ~pairs.same & usable}
        lines[name] = {
            "tau": tau,
            "beyond": len(beyond),
            "within": len(within),
            "named": f" ({words})" if words else "",
            **{key: int(mask.sum()) for key, mask in counts.items()},
        }
        if name == row.best:
            distances = {key: np.round(far[mask], 4).tolist() for key, mask in counts.items()}
            drawn = {"drawn": {"tau": tau, **distances}}
    return lines | drawn


@measures("A3-13", "A3-14", "A3-15", "A3-16", "A3-24")
def classifiers(row: Row) -> Figures:
    """The odd/even split: five enrolled, five searched a person; everybody a stranger in turn."""
    return {CHAINS[key][0]: classified(CHAINS[key][1]) for key in row.chains}


@functools.cache
def classified(flags: str) -> Figures:
    named = unit(flags)
    tau = over_thresholds(squares(flags), GRIDS["0.01 to 1.99"])["tau"]
    limit = 1 - tau / 2  # squared L2 of unit vectors is 2 - 2 cosine
    enrolled, probing = odd_even(named)
    gallery, probes = named.where(enrolled), named.where(probing)
    told: Figures = {"tau": tau, "probes": len(probes.people)}
    for kind in Classifier:
        answer = classify(gallery, probes, limit, kind)
        told[str(kind)] = {"right": answer.right.to_dict(), "checked": answer.checked.to_dict()}
    given = 0
    for person in sorted(set(named.people)):
        away = named.where(np.array([other == person for other in named.people]))
        scores = search(gallery.without([person]), away).scores
        given += int((scores.max(axis=1) >= limit).sum())
    rate = exact_share(given, len(named.people)).to_dict()
    told["strangers"] = {"by_threshold": rate, "photos": len(named.people)}
    first = search(gallery, probes)
    best = int(first.scores[0].argmax())
    answer_ = first.people[best] if first.scores[0, best] >= limit else "Unknown"
    both = {"person": probes.people[0], "recognized_as": answer_}
    return told | {"one_photo": {key: name.replace("_", " ") for key, name in both.items()}}


@measures("A3-17")
def plane(row: Row) -> Figures:
    lines: Figures = {}
    drawn: Figures = {}
    for name, flags in (CHAINS[key] for key in row.chains):
        named = embedded(flags).named
        people = np.array(named.people)
        found, _ = projection.project(named, np.arange(len(people)))
        gaps = ((found[:, None] - found[None]) ** 2).sum(axis=2)
        np.fill_diagonal(gaps, np.inf)
        right = people[gaps.argmin(axis=1)] == people
        away = [f"photo {i + 1} of {len(people)} ({people[i]})" for i in np.flatnonzero(~right)]
        near = exact_share(int(right.sum()), len(right)).to_dict()
        lines[name] = {"neighbor_is_same": near, "outliers": ", ".join(away) or "none"}
        if name == row.best:
            points = np.round(found, 2).tolist()
            seen = {"points": points, "people": people.tolist(), "seed": resampling.SEED}
            drawn = {"drawn": seen}
    return lines | drawn


# -- pictures ------------------------------------------------------------------------------------


def roc(drawn: Mapping[str, Any]) -> Plot:
    names = {"none": "unaligned", "five": "aligned by five points"}
    lines = [
        Series(
            names[key],
            np.asarray(curve["fmr"]),
            np.asarray(curve["tar"]),
            note=f"AUC {drawn['auc'][key]:.3f}",
        )
        for key, curve in drawn["curves"].items()
    ]
    return plots.find("roc")(lines, lowest=1e-3, title="Unaligned and aligned (lfw_dev)")


AXIS = "squared L2 of unit vectors"
PICTURES: Mapping[str, Callable[[Mapping[str, Any]], Plot]] = {
    "a0-05.svg": trained_roc,
    "a0-12.svg": roc,
    "a3-10.svg": lambda drawn: plots.find("f1_accuracy")(
        *drawn["curve"], axis=f"tau ({AXIS})",
        baseline=drawn["baseline"],
    ),
    "a3-12.svg": lambda drawn: plots.find("histograms")(
        drawn["mated"], drawn["non_mated"], threshold=drawn["tau"], axis=AXIS,
        title="Distances of pairs whose truth is known",
    ),
    "a3-17.svg": lambda drawn: plots.find("scatter")(
        drawn["points"], drawn["people"], seed=drawn["seed"]
    ),
}  # fmt: skip
