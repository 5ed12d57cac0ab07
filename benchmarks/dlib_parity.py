"""Everything that was rebuilt from dlib, against dlib itself (dlib-bin), on 100 photos.

    python benchmarks/dlib_parity.py [--photos FOLDER] [--limit N] [--out FILE.json]

Needs the extra ``dlib`` and the weights of mmod, dlib-5, dlib-68 and dlib-resnet. One thread on
either side; times are taken photo by photo in turn, in one process, and compared as medians.
Writes benchmarks/results/dlib_parity.json.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine

machine.one_core()

import cv2  # noqa: E402
import dlib  # noqa: E402
import numpy as np  # noqa: E402

from facelign.align.dlib_chip import extract  # noqa: E402
from facelign.detect.models.mmod import Mmod, MmodOptions, doubled  # noqa: E402
from facelign.embed.batch import EmbedderOptions  # noqa: E402
from facelign.geometry.boxes import from_xywh  # noqa: E402
from facelign.landmark.models.dlib_shape import DlibShapeOptions  # noqa: E402
from facelign.models.catalog import default  # noqa: E402
from facelign.models.load import model_class  # noqa: E402
from facelign.models.weights.store import Store  # noqa: E402
from facelign.runtime.onnx import OnnxOptions  # noqa: E402
from facelign.types.chips import Chips  # noqa: E402
from facelign.types.faces import Faces  # noqa: E402
from facelign.types.image import Image  # noqa: E402
from facelign.types.specs import Task  # noqa: E402

MODELS = (
    (Task.DETECT, "mmod"),
    (Task.LANDMARK, "dlib-5"),
    (Task.LANDMARK, "dlib-68"),
    (Task.EMBED, "dlib-resnet"),
)


@dataclass
class Row:
    """One piece: how many were compared, how many differ, the largest difference, times."""

    compared: int = 0
    differ: int = 0
    largest: float = 0.0
    dlib_ms: list[float] = field(default_factory=list)
    ours_ms: list[float] = field(default_factory=list)

    def add(self, wanted: np.ndarray, got: np.ndarray, tolerance: float = 0.0) -> None:
        self.compared += 1
        if wanted.shape != got.shape:
            self.differ += 1
            self.largest = float("inf")
        elif wanted.size:
            off = float(np.abs(wanted.astype(np.float64) - got.astype(np.float64)).max())
            self.largest = max(self.largest, off)
            self.differ += off > tolerance

    def record(self) -> dict[str, object]:
        found: dict[str, object] = {
            "compared": self.compared,
            "differ": self.differ,
            "largest_difference": self.largest,
        }
        if self.ours_ms:
            theirs, ours = float(np.median(self.dlib_ms)), float(np.median(self.ours_ms))
            ratios = np.array(self.dlib_ms) / np.array(self.ours_ms)
            found |= {
                "dlib_ms": round(theirs, 3),
                "facelign_ms": round(ours, 3),
                "dlib_over_facelign": round(float(np.median(ratios)), 2),
            }
        return found


def timed(times: list[float], work: Callable[[], Any]) -> Any:
    before = time.perf_counter()
    result = work()
    times.append(1e3 * (time.perf_counter() - before))
    return result


def edges(r: Any) -> tuple[int, int, int, int]:
    return r.left(), r.top(), r.right(), r.bottom()


def faces_of(image: Image, rectangles: list[Any]) -> Faces:
    xywh = [(a, b, c - a + 1, d - b + 1) for a, b, c, d in map(edges, rectangles)]
    boxes = from_xywh(np.array(xywh, np.float32).reshape(-1, 4))
    return Faces(boxes, np.ones(len(boxes), np.float32), None, "hog", image.size)


class Bench:
    """Both sides, loaded; ``photo`` compares everything on one photo."""

    def __init__(self) -> None:
        registry, self.store = default(), Store.from_environment()
        self.specs = [registry.spec(*model) for model in MODELS]
        self.store.pull_all([s for s in self.specs if not self.store.present(s)])
        raw = {s.id: str(next(iter(self.store.raw_files(s)))[2]) for s in self.specs}
        made = {
            s.id: model_class(s)(s, self.store.ready(s), options, OnnxOptions())
            for s, options in zip(
                self.specs,
                (
                    MmodOptions(),
                    DlibShapeOptions(),
                    DlibShapeOptions(),
                    EmbedderOptions(points="dlib-5"),
                ),
                strict=True,
            )
        }
        self.mmod: Mmod = made["mmod"]
        self.shapes = {"dlib-5": made["dlib-5"], "ibug-68": made["dlib-68"]}
        self.resnet = made["dlib-resnet"]
        self.hog = dlib.get_frontal_face_detector()
        self.their_mmod = dlib.cnn_face_detection_model_v1(raw["mmod"])
        self.their_shapes = {
            "dlib-5": dlib.shape_predictor(raw["dlib-5"]),
            "ibug-68": dlib.shape_predictor(raw["dlib-68"]),
        }
        self.their_resnet = dlib.face_recognition_model_v1(raw["dlib-resnet"])
        self.rows: dict[str, Row] = {}
        self.recent: list[np.ndarray] = []

    def row(self, name: str) -> Row:
        return self.rows.setdefault(name, Row())

    def photo(self, image: Image) -> None:
        self._boxes(image)
        rectangles = list(self.hog(image.pixels, 1))
        for scheme in self.shapes:
            self._points(image, rectangles, scheme)
        large = Image.from_array(cv2.resize(image.pixels, None, fx=4, fy=4), "rgb")
        grown = [dlib.rectangle(*(4 * v for v in edges(r))) for r in rectangles]
        for rectangle in grown:
            shape = self.their_shapes["dlib-5"](large.pixels, rectangle)
            self._chip(large, shape, "dlib-5", "chip dlib-5, photo enlarged 4 times")

    def _boxes(self, image: Image) -> None:
        row = self.row("MMOD boxes")
        wanted = timed(row.dlib_ms, lambda: self.their_mmod(image.pixels, 0))
        got = timed(row.ours_ms, lambda: self.mmod.detect(image))
        outwards = np.array([-0.5, -0.5, 0.5, 0.5])
        rectangles = np.array([edges(w.rect) for w in wanted], float).reshape(-1, 4) + outwards
        row.add(rectangles, got.boxes)
        scores = np.array([w.confidence for w in wanted])
        self.row("MMOD scores").add(scores, got.scores, tolerance=1e-4)
        h, w = image.pixels.shape[:2]
        enlarged = dlib.resize_image(image.pixels, 2 * h + 1, 2 * w + 2)
        self.row("MMOD doubled photo").add(enlarged, doubled(image.pixels))

    def _points(self, image: Image, rectangles: list[Any], scheme: str) -> None:
        row, count = self.row(f"points {scheme}"), len(rectangles)
        if not count:
            return
        ours = self.shapes[scheme]
        faces = faces_of(image, rectangles)
        shapes = timed(
            row.dlib_ms, lambda: [self.their_shapes[scheme](image.pixels, r) for r in rectangles]
        )
        located = timed(row.ours_ms, lambda: ours.locate(image, faces))
        for shape, points in zip(shapes, located.landmarks.points, strict=True):
            row.add(np.array([(p.x, p.y) for p in shape.parts()]), points)
            chip, matrix = self._chip(image, shape, scheme, f"chip {scheme}")
            if scheme == "dlib-5":
                self._vector(image, shape, chip, matrix)

    def _chip(self, image: Image, shape: Any, scheme: str, name: str) -> Any:
        row = self.row(name)
        points = np.array([(p.x, p.y) for p in shape.parts()])
        wanted = timed(row.dlib_ms, lambda: dlib.get_face_chip(image.pixels, shape, 150, 0.25))
        chip, matrix = timed(row.ours_ms, lambda: extract(image.pixels, points, scheme))
        row.add(wanted, chip)
        return chip, matrix

    def _vector(self, image: Image, shape: Any, chip: np.ndarray, matrix: np.ndarray) -> None:
        row = self.row("descriptor, batch 1")
        chips = Chips(chip[None], "dlib-150", matrix[None], "dlib-5")
        aligned = self.their_resnet.compute_face_descriptor
        wanted = np.array(timed(row.dlib_ms, lambda: aligned(chip)))
        got = timed(row.ours_ms, lambda: self.resnet.embed(chips))
        row.add(wanted, got.vectors[0], tolerance=1e-5)
        from_photo = np.array(aligned(image.pixels, shape))
        self.row("descriptor, photo to vector").add(from_photo, got.vectors[0], tolerance=1e-5)
        self.recent.append(chip)
        if len(self.recent) == 8:
            self._batch(np.stack(self.recent))
            self.recent.clear()

    def _batch(self, pixels: np.ndarray) -> None:
        row = self.row("descriptor, batch 8 (a face)")
        chips = Chips(pixels, "dlib-150", np.zeros((8, 2, 3)), "dlib-5")
        theirs: list[float] = []
        ours: list[float] = []
        wanted = timed(theirs, lambda: self.their_resnet.compute_face_descriptor(pixels[:]))
        got = timed(ours, lambda: self.resnet.embed(chips))
        row.dlib_ms.append(theirs[0] / 8)
        row.ours_ms.append(ours[0] / 8)
        row.add(np.array([list(w) for w in wanted]), got.vectors, tolerance=1e-5)


CONVERT = """
import resource, sys, time
from pathlib import Path
from facelign.models.convert import CONVERTERS
started = time.perf_counter()
for name, raw in zip(sys.argv[2::2], sys.argv[3::2]):
    CONVERTERS[name](Path(raw), Path(sys.argv[1]) / Path(raw).name)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(time.perf_counter() - started, time.process_time(), peak)
"""


def conversion(bench: Bench) -> dict[str, float]:
    """Convert the four files in a process of their own: seconds, processor seconds, peak MB."""
    given = [
        part
        for spec in bench.specs
        for file, _, path in bench.store.raw_files(spec)
        for part in (file.convert, str(path))
    ]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", CONVERT, folder, *given],
            check=True,
            capture_output=True,
            text=True,
        )
    wall, processor, peak = done.stdout.split()
    return {
        "seconds": round(float(wall), 2),
        "processor_seconds_with_imports": round(float(processor), 2),
        "peak_mb": int(peak),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = machine.SHARED / "data/recognition/lfw_100/images"
    parser.add_argument("--photos", type=Path, default=beside)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--out", type=Path, default=machine.RESULTS / "dlib_parity.json")
    given = parser.parse_args()
    paths = sorted(given.photos.rglob("*.jpg"))[: given.limit or None]
    bench = Bench()
    for path in paths:
        pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        bench.photo(Image.from_array(pixels, "rgb", path.name))
    rows = {name: row.record() for name, row in bench.rows.items()}
    result = {
        "what": "facelign's dlib pieces against dlib, one thread each, interleaved, medians",
        "data": f"{given.photos.parent.name}, {len(paths)} photos, faces of dlib's HOG",
        "machine": machine.describe("dlib-bin"),
        "rows": rows,
        "conversion_of_all_files": conversion(bench),
        "peak_mb_of_this_process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    machine.write("dlib_parity", result, given.out)
    print(f"{'piece':38} {'compared':>8} {'differ':>6} {'largest':>9}  dlib ms  ours ms  ratio")
    for name, row in rows.items():
        times = [row.get(k, "") for k in ("dlib_ms", "facelign_ms", "dlib_over_facelign")]
        print(
            f"{name:38} {row['compared']:8} {row['differ']:6} {row['largest_difference']:9.2g} "
            f"{times[0]:>8} {times[1]:>8} {times[2]:>6}"
        )
    print(f"conversion of the files: {result['conversion_of_all_files']}")
    return 1 if any(row["differ"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
