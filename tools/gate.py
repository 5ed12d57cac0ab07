"""Error rates on real faces against the recorded baseline: the check that fails when they worsen.

    python tools/gate.py               measure and compare (``make gate``)
    python tools/gate.py --record      measure and write the baseline
    python tools/gate.py --only NAME   parts whose name begins so; --list names them
    python tools/gate.py --json FILE   also write all figures

Exit 1 when a figure is significantly worse than the baseline (95 % interval of the difference on
the same comparisons, people drawn; photos for detection and points), or below a floor; else 0. A
part whose photos or weights are not here is skipped and says so. No vectors are taken from any
cache: a change of the code must show.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import real_faces as here

import facelign
from facelign import models
from facelign.compare import curves
from facelign.compare.pairs import PairScores
from facelign.datasets.folder import read_folder
from facelign.datasets.lfw import read_pairs
from facelign.datasets.points import read_annotated
from facelign.datasets.widerface import read_boxes
from facelign.detect.attempts import find
from facelign.imaging.read import read
from facelign.lab.comparison.saved_runs import compare_runs, pair_record
from facelign.lab.detection import figures as detection
from facelign.lab.detection.figures import Detections, Truth
from facelign.lab.identification.searching import galleries, search
from facelign.lab.landmarks import run as landmark_run
from facelign.lab.material import photos as walk
from facelign.lab.material.named import Named, all_scores
from facelign.lab.material.trials import Trials
from facelign.lab.statistics import resampling
from facelign.lab.statistics.resampling import SEED, Interval
from facelign.lab.verification.figures import evaluate as verify
from facelign.recognition.recognizer import Recognizer
from facelign.types.specs import Task

BASELINE = here.RESULTS / "gate.json"
#: what may not be undercut, whatever the baseline says
FLOORS: Mapping[tuple[str, str], float] = {
    ("lfw_dev, default", "accuracy"): 0.989,
    ("lfw_dev, accurate", "accuracy"): 0.991,
    ("lfw_100, default", "auc"): 0.9995,
    ("lfw_100, default", "tar_at_fmr_0.001"): 0.97,
    ("lfw_100, accurate", "auc"): 0.9995,
    ("lfw_100, accurate", "tar_at_fmr_0.001"): 0.97,
}
PRESETS = ("default", "accurate", "fast", "light")
#: share of strangers that may be named, sizes of galleries, draws of galleries
FPIR, SIZES, GALLERIES = 0.01, (10, 100), 3
#: faces smaller than this, px, are not asked of a detector here
SMALLEST = 16
#: an error of points beyond this counts as this, and so does a face that was not found
WORST = 0.25
DRAWS = 500


@dataclass(frozen=True)
class Outcomes:
    """One number a unit: ``figure`` is their mean. groups: units that belong together are drawn
    together. larger: whether larger is better.
    """

    figure: str
    values: np.ndarray
    groups: np.ndarray
    larger: bool


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    part: str
    figure: str
    now: Interval
    before: float | None
    change: Interval | None
    verdict: str


# -- what is measured ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Set:
    """Photos with all vectors of one preset: pairs and people are measured on the same walk."""

    trials: Trials
    embedded: walk.Embedded
    pairs: PairScores


def embedded(preset: str, trials: Trials) -> Set:
    """Return the vectors of every photo, computed anew."""
    recognizer = Recognizer(preset, cache=None)
    done = here.counter(f"{trials.name}, {preset}", len(trials.photos))
    found = walk.embed(recognizer, trials.photos, done=done)
    return Set(trials, found, trials.scored(found))


def verification_part(held: Set) -> dict[str, Any]:
    """Return the record of a run, as ``facelign evaluate verification --json`` writes it."""
    result = verify(held.pairs, failures=held.embedded.failures, draws=DRAWS)
    kept = pair_record(held.pairs)
    record = result.to_dict()
    keep = ("pairs", "mated", "non_mated", "folds", "accuracy", "accuracy_se", "auc", "eer")
    return {
        "kind": "pairs",
        **{key: record[key] for key in keep},
        "tar_at_fmr": {k: v for k, v in record["tar_at_fmr"].items() if isinstance(v, float)},
        "intervals": record["intervals"],
        "failures": {"count": len(held.embedded.failures)},
        "photos": len(held.trials.photos),
        "digest": held.embedded.named.digest,
        "scores": np.round(np.asarray(kept["scores"]), 5).tolist(),
        "failed": np.flatnonzero(kept["failed"]).tolist(),
    }


def open_set_part(held: Set) -> dict[str, Any]:
    """Return how strangers and enrolled people fare: calibrated on one half, tested on the other.

    The threshold of a gallery is the score whose FMR on the first half is FPIR over its size; then
    the halves are swapped. Each probe of each drawn gallery is one outcome.
    """
    named = held.embedded.named
    people = np.array(sorted(set(named.people)))
    half = np.random.default_rng(SEED).permutation(people)[: len(people) // 2]
    inside = np.isin(np.array(named.people), half)
    strangers: list[tuple[float, int]] = []
    enrolled: list[tuple[float, int]] = []
    numbers = {person: number for number, person in enumerate(people.tolist())}
    for first, second in ((inside, ~inside), (~inside, inside)):
        scores = all_scores(named.where(first))
        test = named.where(second)
        for size in SIZES:
            threshold = curves.threshold_at_fmr(scores, FPIR / size)
            for gallery, probes in drawn(test, size):
                found = search(gallery, probes)
                names = found.named(threshold)
                for at, person in enumerate(probes.people):
                    mate = int(found.mate[at])
                    if mate < 0:
                        strangers.append((float(names[at] >= 0), numbers[person]))
                    else:
                        enrolled.append((float(names[at] != mate), numbers[person]))
    return outcomes_part(
        [
            _outcomes("FPIR", strangers, larger=False),
            _outcomes("FNIR", enrolled, larger=False),
        ]
    )


def drawn(test: Named, size: int) -> list[tuple[Named, Named]]:
    """Return (gallery, probes): one photo each of ``size`` people, those with most photos first.

    People with a second photo are enrolled first, in an order of their own a draw: nearly half of
    LFW's people have one photo only, and a gallery of them would have no probe.
    """
    generator = np.random.default_rng(SEED)
    masks = galleries(test, size, draws=GALLERIES, generator=generator, second_first=True)
    return [(test.where(mask), test.where(~mask)) for mask in masks]


def _outcomes(figure: str, rows: list[tuple[float, int]], *, larger: bool) -> Outcomes:
    table = np.array(rows)
    return Outcomes(figure, table[:, 0], table[:, 1].astype(np.int64), larger)


def detection_part(name: str) -> dict[str, Any]:
    """Return recall of faces of SMALLEST px and more, and detections on no annotated face.

    Not every face of these photos carries a box: the second figure holds for comparison only.
    """
    detector = models.detector(name)
    photos = [
        *read_boxes(here.DETECTION / "mask_voc_bbx_gt.txt", here.DETECTION),
        *read_boxes(here.DETECTION / "wider_bbx_gt.txt", here.DETECTION),
    ]
    hits: list[tuple[float, int]] = []
    false: list[tuple[float, int]] = []
    done = here.counter(f"detection, {name}", len(photos))
    for number, photo in enumerate(photos):
        image = read(photo.path, at_least=detector.wants_px)
        faces = find(detector, image).faces
        small = (photo.boxes[:, 3] - photo.boxes[:, 1]) < SMALLEST
        truth = Truth(photo.boxes, photo.ignore | small)
        one = detection.match([Detections(faces.boxes, faces.scores)], [truth])
        hits += [(float(np.isfinite(score)), number) for score in one.found]
        false.append((float(one.false_faces()), number))
        done(1)
    return outcomes_part(
        [
            _outcomes("recall", hits, larger=True),
            _outcomes("unboxed finds a photo", false, larger=False),
        ]
    )


def landmarks_part(name: str) -> dict[str, Any]:
    """Return the error of a detector's five points, on cut faces (every fifth) and whole photos."""
    detector = models.detector(name)
    rows: list[tuple[float, int]] = []
    missed: list[tuple[float, int]] = []
    for folder, step in (("faces68", 5), ("faces68_full", 1)):
        truth = read_annotated(here.LANDMARKS / folder / f"{folder}.csv")
        part = truth.rows(range(0, len(truth), step))
        places = {path: len(missed) + at for at, path in enumerate(dict.fromkeys(part.files))}
        run = landmark_run.run(
            part,
            lambda image: find(detector, image).faces,
            model=name,
            detector=name,
            done=here.counter(f"points, {name}, {folder}", len(part.files)),
        )
        errors = np.full(len(part.files), WORST)
        errors[run.rows] = np.minimum(run.report.errors, WORST)
        lost = np.ones(len(part.files))
        lost[run.rows] = 0
        groups = [places[path] for path in part.files]
        rows += list(zip(errors.tolist(), groups, strict=True))
        missed += list(zip(lost.tolist(), groups, strict=True))
    return outcomes_part(
        [
            _outcomes("NME of five points", rows, larger=False),
            _outcomes("faces missed", missed, larger=False),
        ]
    )


def outcomes_part(outcomes: list[Outcomes]) -> dict[str, Any]:
    """Return outcomes as plain data, short: most are 0 or 1."""
    return {
        "kind": "outcomes",
        "figures": {
            one.figure: {
                "value": float(one.values.mean()),
                "units": len(one.values),
                "larger": one.larger,
                "values": [_short(value) for value in one.values.tolist()],
                "groups": one.groups.tolist(),
            }
            for one in outcomes
        },
    }


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 5)


# -- which parts there are -----------------------------------------------------------------------


Part = Callable[[], dict[str, Any] | str]


class Sets:
    """The sets of photos, each walked once a preset."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Set] = {}

    def of(self, preset: str, name: str) -> Set | str:
        """Return a set, or why there is none."""
        if (preset, name) not in self._held:
            where = here.LFW_DEV if name == "lfw_dev" else here.LFW_100
            if not where.is_dir():
                return f"the photos of {name} are not beside the checkout"
            why = here.absent_preset(preset)
            if why:
                return why
            self._held[preset, name] = embedded(preset, trials_of(name))
        return self._held[preset, name]

    def part(self, preset: str, name: str, made: Callable[[Set], dict[str, Any]]) -> Part:
        """Return a part over a set."""

        def measured() -> dict[str, Any] | str:
            found = self.of(preset, name)
            return found if isinstance(found, str) else made(found)

        return measured


def model_part(name: str, where: Path, made: Callable[[str], dict[str, Any]]) -> Part:
    """Return a part over annotated photos."""

    def measured() -> dict[str, Any] | str:
        if not where.is_dir():
            return f"the photos of {where.name} are not beside the checkout"
        return here.absent((Task.DETECT, name)) or made(name)

    return measured


def parts() -> dict[str, Part]:
    """Return every part by name: a function that gives its record, or why it is skipped."""
    sets = Sets()
    every: dict[str, Part] = {}
    for preset in PRESETS:
        every[f"lfw_dev, {preset}"] = sets.part(preset, "lfw_dev", verification_part)
        every[f"lfw_100, {preset}"] = sets.part(preset, "lfw_100", verification_part)
    every["open set, default"] = sets.part("default", "lfw_dev", open_set_part)
    for name in ("yunet", "yunet-n"):
        every[f"detection, {name}"] = model_part(name, here.DETECTION, detection_part)
        every[f"points, {name}"] = model_part(name, here.LANDMARKS, landmarks_part)
    return every


def trials_of(name: str) -> Trials:
    """Return the comparisons of a set: the folds of lfw_dev, all pairs of lfw_100."""
    if name == "lfw_dev":
        return Trials.of_list(read_pairs(here.LFW_DEV / "pairs.txt", here.LFW_DEV / "images"))
    return Trials.all_pairs(read_folder(here.LFW_100))


# -- the comparison ------------------------------------------------------------------------------


def rows_of(part: str, now: dict[str, Any], before: dict[str, Any] | None) -> list[Row]:
    """Return the lines of one part."""
    if now["kind"] == "pairs":
        return _pair_rows(part, now, before)
    return _outcome_rows(part, now, before)


def _pair_rows(part: str, now: dict[str, Any], before: dict[str, Any] | None) -> list[Row]:
    wanted = "lfw_dev" if part.startswith("lfw_dev") else "lfw_100"
    shown = ("accuracy",) if wanted == "lfw_dev" else ("auc", "tar_at_fmr_0.001")
    changes = {}
    if before is not None:
        truth = trials_of(wanted)
        found = compare_runs(_whole(before, truth), _whole(now, truth))
        changes = {one.figure: one for one in found.changes}
        shown = (*shown, "failures")
    rows = []
    for figure in shown:
        change = changes.get(figure)
        if figure == "failures":
            held = now["failures"]["count"] / now["photos"]
            value = resampling.Interval(held, held, held)
        else:
            value = Interval(**now["intervals"][figure])
            if figure == "accuracy":  # the mean over folds, as View 2 of LFW asks
                value = Interval(now["accuracy"], value.low, value.high)
        rows.append(
            Row(
                part,
                figure,
                value,
                change.before if change else None,
                change.difference if change else None,
                change.verdict if change else "new",
            )
        )
    return [_floored(row) for row in rows]


def _whole(record: dict[str, Any], truth: Trials) -> dict[str, Any]:
    """Return a record with its pairs: people, folds and truth come from the list."""
    if len(record["scores"]) != len(truth):
        raise SystemExit(
            f"The baseline has {len(record['scores'])} pairs of {truth.name}, the list has "
            f"{len(truth)}: record the baseline anew (tools/gate.py --record)."
        )
    failed = np.zeros(len(truth), bool)
    failed[record["failed"]] = True
    pairs = PairScores(
        np.array(record["scores"]), truth.same, truth.person_a, truth.person_b, truth.folds, failed
    )
    return {**record, "pair_scores": pair_record(pairs)}


def _outcome_rows(part: str, now: dict[str, Any], before: dict[str, Any] | None) -> list[Row]:
    rows = []
    for figure, held in now["figures"].items():
        values = np.array(held["values"], np.float64)
        groups = np.array(held["groups"], np.int64)
        value = mean(values, groups)
        old = (before or {"figures": {}})["figures"].get(figure)
        if old is None or old["groups"] != held["groups"]:
            # other units (a face fewer, a probe more) cannot be paired: intervals must not touch
            rows.append(_unpaired(part, figure, value, old, held["larger"]))
            continue
        change = mean(values - np.array(old["values"], np.float64), groups)
        good, bad = change.low > 0, change.high < 0
        if not held["larger"]:
            good, bad = bad, good
        verdict = "worse" if bad else "better" if good else "same"
        rows.append(Row(part, figure, value, old["value"], change, verdict))
    return [_floored(row) for row in rows]


def _unpaired(
    part: str, figure: str, now: Interval, old: dict[str, Any] | None, larger: bool
) -> Row:
    if old is None:
        return Row(part, figure, now, None, None, "new")
    before = mean(np.array(old["values"], np.float64), np.array(old["groups"], np.int64))
    bad, good = now.high < before.low, now.low > before.high
    if not larger:
        good, bad = bad, good
    gap = Interval(now.value - before.value, now.low - before.high, now.high - before.low)
    verdict = "worse" if bad else "better" if good else "same"
    return Row(part, figure, now, before.value, gap, verdict)


def mean(values: np.ndarray, groups: np.ndarray) -> Interval:
    """Return the mean with its interval over groups drawn with replacement."""
    codes = np.unique(groups, return_inverse=True)[1]
    count = int(codes.max()) + 1
    sums = np.bincount(codes, values, count)
    sizes = np.bincount(codes, minlength=count)
    weights = resampling.people_weights(count, draws=DRAWS)
    reached = (weights @ sums) / np.maximum(weights @ sizes, 1)
    low, high = np.percentile(reached, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def _floored(row: Row) -> Row:
    floor = FLOORS.get((row.part, row.figure))
    if floor is not None and row.now.value < floor:
        return replace(row, verdict=f"BELOW {floor:g}")
    return row


def failing(row: Row) -> bool:
    """Say whether a line fails the gate."""
    return row.verdict == "worse" or row.verdict.startswith("BELOW")


# -- what is printed -----------------------------------------------------------------------------


def show(rows: list[Row], skipped: Mapping[str, str]) -> None:
    """Print the table."""
    print(f"{'part':20} {'figure':20} {'now':>8}  {'95 %':18} {'before':>8}  {'change (95 %)':29}")
    for row in rows:
        before = "" if row.before is None else f"{row.before:.5f}"
        change = ""
        if row.change is not None:
            change = f"{row.change.value:+.5f} ({row.change.low:+.5f} to {row.change.high:+.5f})"
        span = f"{row.now.low:.5f} to {row.now.high:.5f}"
        print(
            f"{row.part:20} {row.figure:20} {row.now.value:8.5f}  {span:18} {before:>8}  "
            f"{change:34} {row.verdict}"
        )
    for part, why in skipped.items():
        print(f"{part:20} skipped: {why}")


def about() -> dict[str, Any]:
    """Return what made the figures."""
    sys.path.insert(0, str(here.ROOT / "benchmarks"))
    import machine

    return {
        "facelign": facelign.__version__,
        "processor": machine.processor(),
        "system": platform.system(),
        "versions": machine.versions(*machine.PACKAGES, "scikit-learn", "scipy"),
        "date": time.strftime("%Y-%m-%d"),
        "draws": DRAWS,
        "seed": SEED,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help="write the baseline")
    parser.add_argument("--only", action="append", default=[], help="parts that begin so")
    parser.add_argument("--list", action="store_true", help="name the parts")
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    parser.add_argument("--json", type=Path, help="also write all figures")
    options = parser.parse_args()
    here.settle()
    every = parts()
    chosen = {
        name: part
        for name, part in every.items()
        if not options.only or any(name.startswith(word) for word in options.only)
    }
    if options.list:
        print(*every, sep="\n")
        return 0
    if not here.SHARED.is_dir():
        print("gate: skipped, ../shared is not beside the checkout")
        return 0
    return run(chosen, options)


def run(chosen: Mapping[str, Part], options: Any) -> int:
    """Measure, compare, and record where that is wanted; return the exit status."""
    saved: dict[str, Any] = {"parts": {}}
    if options.baseline.is_file():
        saved = json.loads(options.baseline.read_text(encoding="utf-8"))
    elif not options.record:
        here.say("gate: there is no baseline; floors only (tools/gate.py --record writes one)")
    now: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    rows: list[Row] = []
    began = time.perf_counter()
    for name, part in chosen.items():
        found = part()
        if isinstance(found, str):
            skipped[name] = found
            continue
        now[name] = found
        rows += rows_of(name, found, saved["parts"].get(name))
    show(rows, skipped)
    failed = [row for row in rows if failing(row)]
    if options.json:
        write(options.json, {"about": about(), "parts": now})
    print(
        f"gate: {len(rows) - len(failed)} of {len(rows)} figures hold, {len(skipped)} parts "
        f"skipped, {time.perf_counter() - began:.0f} s"
    )
    if options.record:
        write(options.baseline, {"about": about(), "parts": {**saved["parts"], **now}})
        here.say(f"gate: baseline written to {options.baseline.name}")
        return 1 if any(row.verdict.startswith("BELOW") for row in rows) else 0
    return 1 if failed else 0


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write plain data, one part a line: a changed part is one changed line."""
    parts = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(part, separators=(',', ':'))}"
        for name, part in record["parts"].items()
    )
    head = json.dumps(record["about"], ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"about": {head},\n"parts": {{\n{parts}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
