"""Every registered detector: recall by face size, false faces, points, time and memory.

    python benchmarks/detectors.py [--shared FOLDER] [--detectors ID ...] [--out FILE.json]

Needs the photos beside the checkout (../shared) and the weights of the detectors (absent ones are
named and left out; detectors that were measured before keep their rows). One thread. Times are
processor time, so that other work on the machine counts less. Each detector runs in a process of
its own. Writes benchmarks/results/detectors.json and detectors.md beside it.

A box is found when a detection overlaps it by at least 0.35 (detectors draw boxes differently:
dlib's are tighter, Haar's are squares). A detection that overlaps no box of the set at all (below
0.1) is "unmatched": a false face, or a real one that the set does not mark (mask_voc leaves out
many faces from the side and far back; WIDER is marked completely). False faces proper are
counted on pictures without people, upright and turned.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine

machine.one_core(pin=False)

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from facelign import models  # noqa: E402
from facelign.datasets.widerface import read_boxes  # noqa: E402
from facelign.detect.attempts import find  # noqa: E402
from facelign.errors import FacelignError  # noqa: E402
from facelign.geometry.boxes import iou  # noqa: E402
from facelign.imaging.read import read  # noqa: E402
from facelign.models.catalog import default  # noqa: E402
from facelign.models.load import load  # noqa: E402
from facelign.models.weights.store import Store  # noqa: E402
from facelign.types.image import Image  # noqa: E402
from facelign.types.specs import Task  # noqa: E402

HERE = Path(__file__).resolve().parent
SIZES = (8, 12, 16, 24, 40, 80)
MATCH, APART = 0.35, 0.1
#: pictures of scikit-image without people (camera shows a man, astronaut a woman)
EMPTY = (
    "brick", "cell", "checkerboard", "chelsea", "clock", "coffee", "coins", "colorwheel", "grass",
    "gravel", "horse", "hubble_deep_field", "immunohistochemistry", "logo", "moon", "page",
    "retina", "rocket", "text",
)  # fmt: skip


def used_ms(call: Any, image: Image) -> tuple[Any, float]:
    start = time.process_time()
    result = call(image)
    return result, (time.process_time() - start) * 1e3


def opened(path: Path, model: Any) -> Image:
    return read(path, at_least=model.wants_px)


def over_boxes(model: Any, photos: Any) -> dict[str, Any]:
    """Recall by height of the marked face, unmatched detections, time."""
    hits: dict[int, list[bool]] = {size: [] for size in SIZES}
    unmatched, times = 0, []
    for photo in photos:
        faces, ms = used_ms(model.detect, opened(photo.path, model))
        times.append(ms)
        marked = photo.boxes.astype(np.float64)
        overlap = iou(marked, faces.boxes.astype(np.float64))
        if len(faces):
            best = overlap.max(axis=0) if len(marked) else np.zeros(len(faces))
            unmatched += int((best < APART).sum())
        for i, box in enumerate(marked):
            size = max((s for s in SIZES if box[3] - box[1] >= s), default=None)
            if size is not None and not photo.ignore[i]:
                hits[size].append(len(faces) > 0 and float(overlap[i].max()) >= MATCH)
    return {
        "photos": len(times),
        "recall_from_px": {
            str(s): {"faces": len(h), "found": sum(h)} for s, h in hits.items() if h
        },
        "unmatched": unmatched,
        "ms_median": round(float(np.median(times)), 2),
    }


def over_lfw(model: Any, folder: Path) -> dict[str, Any]:
    """Photos in whose center a face is found; all faces found; time on 250 x 250."""
    paths = sorted(folder.rglob("*.jpg"))
    model.detect(opened(paths[0], model))
    centers, every, times = 0, 0, []
    for path in paths:
        faces, ms = used_ms(model.detect, opened(path, model))
        times.append(ms)
        every += len(faces)
        inside = (faces.boxes[:, :2] < 125).all(axis=1) & (faces.boxes[:, 2:] > 125).all(axis=1)
        centers += bool(inside.any())
    return {
        "photos": len(paths),
        "center_found": centers,
        "faces": every,
        "ms_median": round(float(np.median(times)), 2),
        "ms_p90": round(float(np.percentile(times, 90)), 2),
    }


def over_points(model: Any, folder: Path) -> dict[str, Any]:
    """Recall of annotated faces, and error of the five points over the outer eye distance."""
    rows: dict[str, list[Any]] = {}
    with (folder / "faces68_full.csv").open() as file:
        for row in csv.DictReader(file):
            points = [[float(row[f"{axis}{i:02d}"]) for axis in "xy"] for i in range(68)]
            rows.setdefault(row["file"], []).append(np.array(points))
    errors, found, total = [], 0, 0
    for name, people in rows.items():
        faces = model.detect(opened(next(folder.rglob(Path(name).name)), model))
        for points in people:
            total += 1
            middle = points[17:].mean(axis=0)
            boxes = faces.boxes
            near = ((boxes[:, :2] < middle) & (boxes[:, 2:] > middle)).all(axis=1)
            tall = faces.heights / np.ptp(points[:, 1])
            near &= (tall > 0.6) & (tall < 2.5)
            if not near.any():
                continue
            found += 1
            if faces.landmarks is None:
                continue
            five = [points[36:42].mean(0), points[42:48].mean(0), *points[[30, 48, 54]]]
            spread = np.linalg.norm(points[36] - points[45])
            apart = np.linalg.norm(faces.landmarks.points[near] - np.array(five), axis=2)
            errors.append(float(apart.mean(axis=1).min() / spread))
    result: dict[str, Any] = {"faces": total, "found": found}
    if errors:
        result["error_percent_mean"] = round(100 * float(np.mean(errors)), 2)
        result["error_percent_median"] = round(100 * float(np.median(errors)), 2)
    return result


def over_empty(model: Any) -> dict[str, Any]:
    """Faces found where there are none: plain looks, and after all tries."""
    from skimage import data

    plain, tried, names = 0, 0, []
    for name in EMPTY:
        array = np.asarray(getattr(data, name)())
        array = array.astype(np.uint8) * 255 if array.dtype == bool else array
        order = "gray" if array.ndim == 2 else "rgb"
        image = Image.from_array(array if array.ndim == 2 else array[:, :, :3], order, name)
        seen = len(model.detect(image))
        after = len(find(model, image).faces)
        plain, tried = plain + bool(seen), tried + bool(after)
        if after:
            names.append(name)
    return {"pictures": len(EMPTY), "plain": plain, "after_tries": tried, "names": names}


def group_photo(lfw: Path, size: tuple[int, int], heights: tuple[int, ...]) -> Any:
    """A photo with LFW faces of given heights on a smooth background, and how many it has."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(60, 190, (30, 40, 3), dtype=np.uint8)
    picture = cv2.GaussianBlur(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), (0, 0), 20)
    paths = sorted(lfw.rglob("*.jpg"))
    step = size[0] // 5
    boxes = []
    for i, height in enumerate(heights):
        head = cv2.imread(str(paths[(i * 7) % len(paths)]))
        factor = height / 112.0  # faces of LFW are about 112 px high in YuNet's eyes
        kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        small = cv2.resize(head, None, fx=factor, fy=factor, interpolation=kind)
        x, y = 40 + (i % 5) * step, 80 + (i // 5) * (size[1] // (len(heights) // 5 + 1))
        picture[y : y + small.shape[0], x : x + small.shape[1]] = small
        cx, cy = x + small.shape[1] / 2, y + small.shape[0] / 2
        boxes.append([cx, cy, height])
    return picture, boxes


def at_twelve_megapixels(model: Any, lfw: Path, large: Path, folder: Path) -> dict[str, Any]:
    """Time, reach and memory on 12 megapixels: ten faces, small faces; and on real group photos."""
    result: dict[str, Any] = {}
    for name, heights in (
        ("ten_faces", (240, 200, 160, 140, 120, 110, 100, 90, 80, 60)),
        ("small_faces", (40,) * 5 + (32,) * 5 + (28,) * 5 + (24,) * 5 + (20,) * 5),
    ):
        picture, boxes = group_photo(lfw, (4000, 3000), heights)
        path = folder / f"{name}.jpg"
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
        result[name] = timed(model, path)
        faces = model.detect(opened(path, model))
        reach: dict[str, int] = {}
        for cx, cy, height in boxes:
            middle = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
            near = np.abs(middle - [cx, cy]).max(axis=1) < 0.5 * height
            reach[str(height)] = reach.get(str(height), 0) + bool(near.any())
        result[name]["found_of_height"] = reach
    for path in sorted(large.glob("*.jpg")):
        result[path.stem] = timed(model, path)
    result["peak_mb"] = peak_mb()
    return result


def timed(model: Any, path: Path) -> dict[str, Any]:
    image, reading = used_ms(lambda _: opened(path, model), None)  # type: ignore[arg-type]
    runs = [used_ms(model.detect, image) for _ in range(2)]
    return {
        "faces": len(runs[0][0]),
        "read_ms": round(reading, 1),
        "detect_ms": round(min(ms for _, ms in runs), 1),
    }


def peak_mb() -> int:
    """Peak resident memory of this process, MB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def measure(name: str, shared: Path) -> dict[str, Any]:
    model = models.detector(name)
    detection, lfw = shared / "data/detection", shared / "data/recognition/lfw_100"
    with tempfile.TemporaryDirectory() as folder:
        large = at_twelve_megapixels(model, lfw, detection / "large", Path(folder))
    result: dict[str, Any] = {"large": large, "lfw_100": over_lfw(model, lfw)}
    for key, source, images in (
        ("wider", "wider_bbx_gt.txt", None),
        ("mask_voc", "mask_voc_bbx_gt.txt", None),
        ("dlib_faces", "dlib_faces_bbx_gt.txt", None),
    ):
        result[key] = over_boxes(model, read_boxes(detection / source, images))
    result["faces68_full"] = over_points(model, shared / "data/landmarks/faces68_full")
    groups = sorted((shared / "data/recognition/group_photos").glob("*.jpg"))
    result["group_photos"] = {p.stem: len(model.detect(opened(p, model))) for p in groups}
    result["empty"] = over_empty(model)
    return result


def share(cell: dict[str, int] | None) -> str:
    return "-" if cell is None else f"{cell['found'] / cell['faces']:.2f}"


def table(results: dict[str, Any]) -> str:
    """Return the Markdown tables of the docs."""
    lines = [
        "Recall by height of the face (px), and detections that match no marked face.",
        "",
        "| detector | set | " + " | ".join(f"{s}+" for s in SIZES) + " | unmatched |",
        "| --- " * (len(SIZES) + 3) + "|",
    ]
    for name, row in results.items():
        for key in ("wider", "mask_voc", "dlib_faces"):
            recall = row[key]["recall_from_px"]
            cells = " | ".join(share(recall.get(str(s))) for s in SIZES)
            lines.append(f"| {name} | {key} | {cells} | {row[key]['unmatched']} |")
    lines += [
        "",
        "Center faces of 100 LFW photos, faces68 photos (recall; mean error of five points over "
        "the distance of the outer eye corners), pictures without people in which something is "
        "found (plain, after all tries), processor time, and peak memory of the whole process.",
        "",
        "| detector | LFW | ms at 250x250 | faces68 found | point error % | false pictures | "
        "ms at 12 MP, ten faces (read + detect) | 24 px of 12 MP | peak MB |",
        "| --- " * 9 + "|",
    ]
    for name, row in results.items():
        lfw, points, empty, large = (row[k] for k in ("lfw_100", "faces68_full", "empty", "large"))
        ten, small = large["ten_faces"], large["small_faces"]
        lines.append(
            f"| {name} | {lfw['center_found']}/{lfw['photos']} | {lfw['ms_median']} | "
            f"{points['found']}/{points['faces']} | {points.get('error_percent_mean', '-')} | "
            f"{empty['plain']}, {empty['after_tries']} of {empty['pictures']} | "
            f"{ten['read_ms']:.0f} + {ten['detect_ms']:.0f} | "
            f"{small['found_of_height'].get('24', 0)}/5 | {large['peak_mb']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=HERE.parent.parent / "shared")
    parser.add_argument("--detectors", nargs="*")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "detectors.json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.shared)))
        return
    store, results = Store.from_environment(), {}
    if arguments.out.is_file():
        results = json.loads(arguments.out.read_text())["detectors"]
    for spec in default().specs(Task.DETECT):
        if arguments.detectors and spec.id not in arguments.detectors:
            continue
        try:
            load(spec, store)
        except FacelignError as problem:
            print(f"{spec.id}: left out. {problem}", file=sys.stderr)
            continue
        command = [sys.executable, "-W", "ignore", __file__, "--one", spec.id]
        command += ["--shared", str(arguments.shared)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        results[spec.id] = json.loads(done.stdout)
        print(f"{spec.id}: {results[spec.id]['lfw_100']}", file=sys.stderr)
        record = {"machine": machine.describe(), "detectors": results}
        machine.write("detectors", record, arguments.out)
        arguments.out.with_suffix(".md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
