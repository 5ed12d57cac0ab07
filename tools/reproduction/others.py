"""The other articles: what alignment is worth, published thresholds, ensembles, points, dlib."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import real_faces as here

from facelign import models
from facelign.compare import calibrations, thresholds
from facelign.compare.pairs import Failures
from facelign.datasets.points import read_annotated
from facelign.files.home import cache_path
from facelign.gallery.cache import VectorCache
from facelign.imaging.read import read
from facelign.lab.alignment import figures as study
from facelign.lab.alignment import run as arms
from facelign.lab.ensemble import run as ensemble
from facelign.lab.landmarks import run as landmark_run
from facelign.lab.statistics.paired import System, differences
from facelign.lab.verification import figures as verification
from facelign.lab.verification.figures import at_threshold
from facelign.models.weights.store import Store
from facelign.recognition.fused import preset_of
from facelign.recognition.recognizer import Recognizer
from facelign.report import plots
from facelign.report.plot import Series
from facelign.runtime.onnx import OnnxOptions
from facelign.types.specs import Task
from reproduction.bench import (
    ACCURATE,
    DEFAULT,
    DLIB,
    DLIB_5,
    DLIB_68,
    FAST,
    Bench,
    Chain,
    Told,
    Unavailable,
)
from reproduction.rows import Row, gap, percent, spanned

MODELS = ("sface", "dlib-resnet", "mobilefacenet")
DETECTORS = ("yunet", "mtcnn", "haar")
#: rows whose figures are those of networks that have to be trained first
TRAINING = (
    "Needs a network trained on {what}. Training is a later issue, and {lack}: the row is filled "
    "when both are there."
)
MUCT_LACK = (
    "the copy of MUCT at hand has 68 of the 76 points, 230 of the 276 people, and photos of "
    "cameras a and b only, so the article's 152 outputs and its split cannot be had from it"
)
CASIA_LACK = "CASIA-WebFace (494,414 photos) cannot be had here"


# -- the first article: alignment ----------------------------------------------------------------


def _study(
    bench: Bench,
    name: str,
    models: tuple[str, ...],
    detectors: tuple[str, ...],
    layouts: str,
    degradations: str = "none",
    leans: tuple[float, ...] = (),
) -> study.Study:
    why = here.absent(
        *((Task.DETECT, one) for one in ("yunet", *detectors)),
        *((Task.EMBED, one) for one in models),
        *([(Task.LANDMARK, "dlib-68")] if "haar" in detectors else []),
    )
    if why:
        raise Unavailable(why)
    trials = bench.trials(name)
    held = arms.Bench(
        models, detectors, layouts.split(","), cache=VectorCache(cache_path()), workers=2
    )
    conditions = study.conditions(leans, degradations.split(","))
    photos = [photo.path for photo in trials.photos]
    done = here.counter(f"{name}, {', '.join(models)}, {layouts}", len(photos))
    return study.summarize(trials, held.run(photos, conditions, done))


def _arm(result: study.ArmResult) -> Told:
    main = result.main
    told: Told = {
        "accuracy": main.accuracy,
        "se": main.accuracy_se,
        "auc": main.auc,
        "tar": main.tar,
        "lost": result.failed_photos,
        "ways": {
            str(way): {"accuracy": counted.accuracy, "auc": counted.auc}
            for way, counted in result.ways.items()
        },
    }
    if result.gain is not None:
        told["gain"] = {name: found.to_dict() for name, found in result.gain.figures.items()}
    return told


def aligned_lfw(bench: Bench) -> Told:
    """Unaligned, cut out and aligned photos of lfw_dev through one model."""
    found = _study(bench, "lfw_dev", ("sface",), ("yunet",), "none,crop,five")
    told: Told = {r.arm.layout: _arm(r) for r in found.results}
    told["verdict"] = found.verdict
    told["photos"] = len(found.trials.photos)
    told["curves"] = {
        r.arm.layout: {
            "fmr": np.round(r.curve.fmr[::-1], 6).tolist(),
            "tar": np.round(r.curve.tar[::-1], 6).tolist(),
        }
        for r in found.results
        if r.arm.layout in ("none", "five")
    }
    return told


_LAYOUTS = {
    "none": "unaligned (whole photo squeezed to 112)",
    "crop": "cut out (box and margin, the article's own script)",
    "five": "aligned by five points",
}


def tell_accuracy(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for layout, name in _LAYOUTS.items():
        one = found[layout]
        text = f"accuracy {percent(one['accuracy'])} +- {percent(one['se'])}"
        if "gain" in one:
            text += f", gain {gap(one['gain']['accuracy'])}"
        lines.append((name, text))
    return lines


def tell_roc(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for layout, name in _LAYOUTS.items():
        one = found[layout]
        text = f"AUC {one['auc']:.4f}"
        if "gain" in one:
            spread = one["gain"]["auc"]
            text += f", gain {spread['value']:+.4f} ({spread['low']:+.4f} to {spread['high']:+.4f})"
        lines.append((name, text))
    return lines


def tell_verdict(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [("verdict", found["verdict"])]
    lines += [
        (f"{name}: faces not found", f"{found[layout]['lost']} of {found['photos']} photos")
        for layout, name in _LAYOUTS.items()
        if layout != "none"
    ]
    ways = found["five"]["ways"]
    lines.append(
        (
            "aligned, by how a missed face counts",
            ", ".join(f"{way}: {percent(one['accuracy'])}" for way, one in ways.items()),
        )
    )
    return lines


def draw_roc(found: Mapping[str, Any]) -> Any:
    names = {"none": "unaligned", "five": "aligned by five points"}
    return plots.find("roc")(
        [
            Series(
                names[layout],
                np.asarray(curve["fmr"]),
                np.asarray(curve["tar"]),
                note=f"AUC {found[layout]['auc']:.3f}",
            )
            for layout, curve in found["curves"].items()
        ],
        lowest=1e-3,
        title="Unaligned and aligned (lfw_dev)",
    )


def unwilling(bench: Bench) -> Told:
    """The article's use: people who do not cooperate, against the photos as they are."""
    found = _study(
        bench,
        "lfw_100",
        ("sface",),
        ("yunet",),
        "none,five",
        "low-resolution,blur,dark,glasses",
        (30.0,),
    )
    return {
        r.arm.condition.told: {**_arm(r), "layout": r.arm.layout}
        for r in found.results
        if r.arm.layout == "five"
    }


def tell_unwilling(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            condition,
            f"TAR at FMR 1e-3 {one['tar']:.3f}, {one['lost']} of 100 faces not found"
            + (f"; gain over unaligned {_plain(one['gain']['tar'])}" if "gain" in one else ""),
        )
        for condition, one in found.items()
    ]


def _plain(found: Mapping[str, float]) -> str:
    return f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


# -- the second article --------------------------------------------------------------------------


def per_model(bench: Bench) -> Told:
    found = _study(bench, "lfw_100", MODELS, DETECTORS, "square,eyes,five")
    told: Told = {}
    by = {(r.arm.model, r.arm.detector, r.arm.layout): r for r in found.results}
    for step in found.steps:
        names = {"rotating": "eyes", "scaling and placing by points": "five"}
        if step.name in names:
            arm = by[step.model, step.detector, names[step.name]]
            told[f"{step.model}, {step.detector}, {step.name}"] = {
                **{name: value.to_dict() for name, value in step.difference.figures.items()},
                "after": arm.main.accuracy,
                "lost": arm.failed_photos,
            }
    return told


def tell_per_model(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            name,
            f"accuracy {gap(one['accuracy'])}, TAR at FMR 1e-3 {_plain(one['tar'])}; "
            f"{one['lost']} of 100 faces not found",
        )
        for name, one in found.items()
    ]


def own_thresholds(_bench: Bench) -> Told:
    told: Told = {}
    for preset in ("default", "fast", "accurate"):
        record = calibrations.load(f"{preset}-lfw-dev")
        limit = thresholds.threshold(record, 1e-3)
        told[preset] = {
            "space": record.space,
            "score": limit.score,
            "unit_euclidean": float(np.sqrt(2 - 2 * limit.score)),
            "interval": list(limit.interval or ()),
            "subjects": record.subjects,
            "non_mated": record.non_mated,
            "set": record.set,
        }
    return told


def tell_thresholds(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            f"preset {preset} ({one['space']})",
            f"cosine {one['score']:.3f}, Euclidean of unit vectors {one['unit_euclidean']:.3f}, "
            f"for FMR 1e-3 ({one['interval'][0]:.1e} to {one['interval'][1]:.1e} on "
            f"{one['non_mated']:,} non-mated comparisons of {one['subjects']} people)",
        )
        for preset, one in found.items()
    ]


def together(bench: Bench) -> Told:
    why = here.absent((Task.DETECT, "yunet"), *((Task.EMBED, model) for model in MODELS))
    if why:
        raise Unavailable(why)
    trials = bench.trials("lfw_dev")
    recognizer = Recognizer(
        preset_of(MODELS, "yunet", flip=False), cache=VectorCache(cache_path()), workers=2
    )
    done = here.counter(f"lfw_dev, {', '.join(MODELS)}", len(trials.photos))
    found = ensemble.run(trials, recognizer, done=done).to_dict()
    return {k: found[k] for k in ("systems", "verdict", "pairs_judged", "people_parted")}


def tell_together(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [
        (
            one["name"],
            f"precision {one['precision']:.4f}, recall {one['recall']:.4f}, F1 {one['f1']:.4f}, "
            f"accuracy {percent(one['accuracy'])}, AUC {one['auc']:.5f}",
        )
        for one in found["systems"]
    ]
    return [*lines, ("verdict", found["verdict"])]


# -- the fourth article --------------------------------------------------------------------------


def five_or_68(bench: Bench) -> Told:
    told: Told = {}
    for name in ("lfw_100", "lfw_dev"):
        five, many = bench.pairs(DLIB_5, name), bench.pairs(DLIB_68, name)
        (found,) = differences(System.of(many), [System.of(five)])
        told[name] = {
            "rate": found.rate,
            "gains": {key: value.to_dict() for key, value in found.figures.items()},
            "verdict": found.verdict,
        }
    told["ratio"] = _time_ratio(bench)
    return told


def _time_ratio(bench: Bench) -> float:
    """Return how many times longer 68 points take than 5, photo by photo in turns."""
    known, store = models.default(), Store.from_environment()
    five, many = (
        models.load(known.spec(Task.LANDMARK, name), store, engine=OnnxOptions())
        for name in ("dlib-5", "dlib-68")
    )
    chain = bench.recognizer(DEFAULT)
    ratios = []
    for photo in bench.trials("lfw_100").photos[::5]:
        image = read(photo.path).full()
        faces = chain.detect(photo.path).faces
        if not len(faces):
            continue
        took = []
        for model in (five, many):
            start = time.perf_counter()
            model.locate(image, faces)
            took.append(time.perf_counter() - start)
        ratios.append(took[1] / took[0])
    return float(np.median(ratios))


def tell_five_or_68(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [
        (
            f"5 points minus 68 points, {name}",
            f"accuracy {gap(one['gains']['accuracy'])}"
            + (
                f", TAR at FMR {one['rate']} {_plain(one['gains']['tar'])}"
                if "tar" in one["gains"]
                else ""
            )
            + f": {one['verdict']}",
        )
        for name, one in found.items()
        if name != "ratio"
    ]
    return [*lines, ("time of 68 points", f"{found['ratio']:.1f} times that of 5")]


def dlib_threshold(bench: Bench) -> Told:
    told: Told = {}
    for name in ("lfw_100", "lfw_dev"):
        pairs = bench.pairs(DLIB_5, name).counted(Failures.DIFFERENT)
        result = verification.evaluate(bench.pairs(DLIB_5, name), draws=300)
        one: Told = {
            "without_face": len(bench.embedded(DLIB_5, name).failures),
            "best": -result.best["accuracy"].threshold,
            "accuracy": result.accuracy,
            "se": result.accuracy_se,
        }
        for distance in (0.5, 0.6):
            limit = thresholds.uncalibrated(-distance, "published")
            found = at_threshold(pairs, limit, draws=500)
            if found.fmr is None or found.fnmr is None:
                raise Unavailable("There are no pairs of both kinds.")
            one[str(distance)] = {"fmr": found.fmr.to_dict(), "fnmr": found.fnmr.to_dict()}
        told[name] = one
    return told


def tell_dlib_threshold(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for name, one in found.items():
        for distance in ("0.5", "0.6"):
            held = one[distance]
            lines.append(
                (
                    f"{name}, distance <= {distance}",
                    f"FMR {spanned(held['fmr'])}, FNMR {spanned(held['fnmr'])}",
                )
            )
        lines.append(
            (
                f"{name}, threshold chosen on other people",
                f"accuracy {percent(one['accuracy'])} +- {percent(one['se'])} (best distance "
                f"{one['best']:.3f}); {one['without_face']} photos without a face",
            )
        )
    return lines


def folds(bench: Bench) -> Told:
    told: Told = {}
    others = (
        Chain("YuNet-n, SFace", detector="yunet-n"),
        Chain("YuNet-n, SFace and dlib's ResNet", "accurate", detector="yunet-n"),
    )
    for chain in (DEFAULT, FAST, ACCURATE, DLIB, *others):
        result = verification.evaluate(bench.pairs(chain, "lfw_dev"), draws=500)
        told[chain.told] = {
            "accuracy": result.accuracy,
            "se": result.accuracy_se,
            "interval": result.intervals["accuracy"].to_dict(),
            "auc": result.auc,
            "without_face": len(bench.embedded(chain, "lfw_dev").failures),
        }
    return told


def tell_folds(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            chain,
            f"accuracy {percent(one['accuracy'])} +- {percent(one['se'])} (people drawn: "
            f"{100 * one['interval']['low']:.2f} to {100 * one['interval']['high']:.2f}), "
            f"AUC {one['auc']:.5f}, {one['without_face']} photos without a face",
        )
        for chain, one in found.items()
    ]


# -- the landmark article ------------------------------------------------------------------------


def in_pixels(_bench: Bench) -> Told:
    """The article's losses, told in pixels of its 299 px photos."""
    losses = {
        "ResNet50, 2 blocks, validation": 0.003779,
        "ResNet50, 2 blocks, training": 0.00005033,
        "scratch, validation": 0.02588,
        "Inception, 4 blocks, validation": 0.003802,
    }
    return {name: {"mse": mse, "px": 299 * mse**0.5} for name, mse in losses.items()}


def tell_pixels(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, f"MSE {one['mse']:g} = {one['px']:.1f} px") for name, one in found.items()]


def split_people(_bench: Bench) -> Told:
    table = here.LANDMARKS / "muct" / "muct_crops.csv"
    if not table.is_file():
        raise Unavailable("MUCT's crops are not beside the checkout.")
    rows = table.read_text(encoding="utf-8").splitlines()
    subject = rows[0].split(",").index("subject")
    people = {row.split(",")[subject] for row in rows[1:]}
    return {"photos": len(rows) - 1, "people": len(people), "needed": -(-249 // 3)}


def tell_split(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("the article's 249 photos a camera", f"at most 3 a person: {found['needed']} people"),
        ("at hand", f"{found['photos']} crops of {found['people']} people, cameras a and b"),
    ]


def muct_points(_bench: Bench) -> Told:
    """Points of the models at hand on MUCT's crops, frontal and turned."""
    table = here.LANDMARKS / "muct" / "muct_crops.csv"
    if not table.is_file():
        raise Unavailable("MUCT's crops are not beside the checkout.")
    why = here.absent((Task.DETECT, "yunet"), (Task.LANDMARK, "dlib-68"))
    if why:
        raise Unavailable(why)
    known, store = models.default(), Store.from_environment()
    detector = models.load(known.spec(Task.DETECT, "yunet"), store, engine=OnnxOptions())
    points = models.load(known.spec(Task.LANDMARK, "dlib-68"), store, engine=OnnxOptions())
    truth = read_annotated(table)
    told: Told = {}
    for name, locate in (
        ("YuNet's five points", detector.detect),
        ("dlib's 68 points, as five", lambda i: points.locate(i, detector.detect(i))),
    ):
        run = landmark_run.run(
            truth,
            locate,
            model=name,
            detector="yunet",
            done=here.counter(f"muct, {name}", len(truth.files)),
        )
        told[name] = run.report.to_dict()
    return told


def tell_muct_points(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            name,
            f"NME {100 * one['nme']:.2f} % of the distance of the outer eye corners, "
            f"{one['missed']} of {one['faces']} faces missed; by how far the nose is aside: "
            + ", ".join(f"{k}: {100 * v:.2f} %" for k, v in one["by_yaw"].items()),
        )
        for name, one in found.items()
    ]


def _trained(id_: str, title: str, article: str, conditions: str) -> Row:
    return Row(
        id_, title, article, conditions, "", cannot=TRAINING.format(what="MUCT", lack=MUCT_LACK)
    )


_A0_CONDITIONS = (
    "ResNet50 trained on CASIA-WebFace (unaligned and aligned), tested on LFW's pairs; number of "
    "pairs, folds and choice of threshold are not given"
)
_A0_WHY = (
    f"The article trains a network a side; {CASIA_LACK}, and training is a later issue. Here one "
    "model that was trained on aligned faces sees both kinds of photos, so the unaligned arm "
    "suffers more than a network would that was trained on such photos. Three folds of LFW's "
    "View 2 (`lfw_dev`, 660 pairs, funneled photos), thresholds from the other folds."
)
_STUDY = (
    "facelign study alignment --images lfw_dev/images --pairs lfw_dev/pairs.txt "
    "--layouts none,crop,five --rotations 0 --degradations none"
)

ROWS = (
    Row(
        "A0-04",
        "LFW's own protocol",
        "LFW, 13,233 photos of 5,749 people, with its list of pairs",
        "View 2: ten folds of 600 pairs, threshold from the other nine",
        "The whole of LFW cannot be had here; `lfw_dev` is three of its ten folds (660 of their "
        "pairs). With a copy of LFW: `facelign evaluate verification --protocol lfw-view2 --lists "
        "lfw_protocol --images lfw`.",
        folds,
        tell_folds,
        hand="facelign evaluate verification --images lfw_dev/images --pairs lfw_dev/pairs.txt",
        best=ACCURATE.told,
    ),
    Row(
        "A0-12",
        "ROC of both arms",
        'two curves; AUC "good" and "higher", no value',
        _A0_CONDITIONS,
        _A0_WHY,
        aligned_lfw,
        tell_roc,
        hand=_STUDY,
        pictures={"a0-12.svg": draw_roc},
        closest=_LAYOUTS["none"],
        best=_LAYOUTS["five"],
    ),
    Row(
        "A0-13",
        "Accuracy unaligned and aligned",
        "87.63 % unaligned, 94.52 % aligned (6.89 points)",
        _A0_CONDITIONS,
        _A0_WHY,
        aligned_lfw,
        tell_accuracy,
        hand=_STUDY,
        closest=_LAYOUTS["none"],
        best=_LAYOUTS["five"],
    ),
    Row(
        "A0-14",
        "The verdict, with the faces that were not found",
        "alignment helps; failures are not counted",
        _A0_CONDITIONS,
        _A0_WHY,
        aligned_lfw,
        tell_verdict,
        hand=_STUDY,
    ),
    Row(
        "A0-15",
        "People who do not cooperate",
        "claimed for low resolution and glasses, no figure",
        "named, not measured",
        "Leans, degradations and glasses are made from the photos of `lfw_100`: they stand in for "
        "surveillance photos, they are none.",
        unwilling,
        tell_unwilling,
        hand="facelign study alignment --images lfw_100/images --all-pairs --layouts none,five "
        "--rotations 30",
    ),
    Row(
        "A1-04",
        "What alignment adds, by model and detector",
        '"more than 1 %"',
        "no model, detector or data named",
        "From the upright square round the face to level eyes, and from there to five points. "
        "`lfw_100`: the size belongs to these ten people, the direction is safe where the "
        "interval says so. Haar finds no eyes, so its points are dlib's 68.",
        per_model,
        tell_per_model,
        hand="facelign study alignment --images lfw_100/images --all-pairs --layouts "
        "square,eyes,five --models sface,dlib-resnet,mobilefacenet --detectors yunet,mtcnn,haar "
        "--rotations 0 --degradations none",
    ),
    Row(
        "A1-14",
        "Thresholds by model",
        "Euclidean: VGG-Face 0.55, OpenFace 0.55, Facenet 10, DeepFace 64; none for DeepID",
        "no pixel scaling, weights version, data or error rate given",
        "Those models' weights cannot be had here, and the article's numbers come without an "
        "error rate. facelign's own come from people, with one. The published numbers are kept by "
        "name (`--threshold deepface-sface-cosine`) and are refused for any other space.",
        own_thresholds,
        tell_thresholds,
        hand="facelign calibrate --images lfw_dev/images --fmr 1e-3 --out own.json",
    ),
    Row(
        "A1-19",
        "An ensemble against its members",
        "precision, recall and F1 are said to improve; no figure",
        "VGG-Face, FaceNet, OpenFace, DeepFace, DeepID into a boosting model",
        "The five models' weights cannot be had here; three others are at hand. Fitted and judged "
        "on different people (`lfw_dev`).",
        together,
        tell_together,
        hand="facelign evaluate ensemble --images lfw_dev/images --pairs lfw_dev/pairs.txt "
        "--models sface,dlib-resnet,mobilefacenet",
    ),
    Row(
        "A2-04",
        "Split by person",
        "first 82 people test: 249 photos a camera, 1,245 in all",
        "MUCT, five cameras",
        "A person has at most three photos a camera, so 249 are 83 people.",
        split_people,
        tell_split,
    ),
    Row(
        "A2-09",
        "The article's losses in pixels",
        "MSE of coordinates in [0, 1] on 299 px photos",
        "152 outputs, test set flipped too",
        "Arithmetic: 299 times the root of the loss.",
        in_pixels,
        tell_pixels,
    ),
    _trained("A2-10", "Model scratch", "0.01547 training, 0.02588 validation", "24 epochs, Nadam"),
    _trained("A2-11", "Inception bottleneck", "0.03599 / 0.03567", "80 epochs, Adam"),
    _trained(
        "A2-12", "Inception, 2 and 4 blocks", "0.0001108 / 0.003932; 0.0002229 / 0.003802", "Adam"
    ),
    _trained(
        "A2-13", "ResNet50, 0 and 2 blocks", "0.01 / 0.013; 0.00005033 / 0.003779", "299 px, Adam"
    ),
    Row(
        "A2-18",
        "Turned faces, dlib beside it",
        "better than dlib on profiles: the article's aim, never measured in it",
        "MUCT, by yaw",
        "The article's network has to be trained first (see A2-10); what it has to beat is "
        "measured here, on crops of cameras a and b. Points are compared as five: MUCT's schemes "
        "and dlib's have no more in common.",
        muct_points,
        tell_muct_points,
        hand="facelign evaluate landmarks --data muct/muct_crops.csv --landmarks none,dlib-68",
    ),
    _trained("A2-25", "Table of all six models", "see A2-10 to A2-13", "one table"),
    Row(
        "A3-23",
        "Alignment and nn4.small2",
        '"very important", no number',
        "nn4.small2 with and without",
        "nn4.small2's weights cannot be had here; the models at hand stand in A1-04.",
        cannot="nn4.small2.v1's weights cannot be had here. For the models at hand see A1-04.",
    ),
    Row(
        "A4-04",
        "5 points or 68",
        "5 points are enough for alignment, lighter and faster; no figure",
        "dlib's two predictors, dlib's chip and ResNet",
        "Both through dlib's HOG detector. Failed photos count as errors on both sides.",
        five_or_68,
        tell_five_or_68,
        hand="facelign evaluate verification --images lfw_100/images --all-pairs --preset dlib "
        "--detector hog --landmarks dlib-68",
    ),
    Row(
        "A4-05",
        "dlib's distance of 0.5",
        "same person if the Euclidean distance is at most 0.5; no error rate (dlib itself: 0.6)",
        "dlib's 128 numbers as they come",
        "The article names no data. Photos without a face count as different.",
        dlib_threshold,
        tell_dlib_threshold,
        hand="facelign evaluate verification --images lfw_100/images --all-pairs --preset dlib "
        "--detector hog --threshold=-0.5",
    ),
)
