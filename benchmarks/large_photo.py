"""A photo of 12 megapixels with ten faces: time and peak of memory, a fresh process a preset.

    python benchmarks/large_photo.py [--preset NAME ...] [--out FILE.json]

The photo is made here: ten faces of lfw_100, one a person, enlarged or reduced to known heights
from 24 px to 1,200 px, on a background of gray noise. Each face is a cut from its photo with some
surroundings and with soft edges, so that the background does not betray it.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

CORE = machine.one_core()

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from facelign.recognition.recognizer import Recognizer  # noqa: E402

SIZE = (4000, 3000)
#: height of each face in the photo, px of the file
HEIGHTS = (24, 32, 48, 72, 110, 160, 240, 400, 700, 1200)
#: targets for the default preset, seconds and MB
TARGET_SECONDS, TARGET_MB = 0.5, 600
PRESETS = ("default", "fast", "light", "accurate")
ROUNDS = 5


def compose(path: Path) -> list[dict[str, float]]:
    """Write the photo; return the center and height of each face in it."""
    random = np.random.default_rng(0)
    width, height = SIZE
    coarse = random.normal(128, 25, (height // 200, width // 200))
    gray = cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC)
    gray += random.normal(0, 4, gray.shape)
    scene = np.repeat(gray[..., None], 3, axis=2)
    finder = Recognizer(workers=1)
    people = {file.parent.name: file for file in reversed(machine.photos())}
    placed = []
    # the two largest stand side by side, the others in a row above them
    centers = [(220 + 480 * i, 300) for i in range(8)] + [(900, 1900), (2800, 1900)]
    for (x, y), wanted, file in zip(centers, HEIGHTS, people.values(), strict=True):
        faces = finder.detect(file).faces
        offset = np.abs(faces.boxes.reshape(-1, 2, 2).mean(axis=1) - 125).max(axis=1)
        box = faces[int(np.argmin(offset))].box  # LFW's person is in the middle
        photo = cv2.imread(str(file)).astype(np.float64)
        factor = wanted / box.height
        reach = min(0.75 * box.height, 120)  # surroundings: hair and neck
        middle = ((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2)
        side = round(2 * reach * factor)
        matrix = np.array(
            [
                [factor, 0, side / 2 - factor * middle[0]],
                [0, factor, side / 2 - factor * middle[1]],
            ]
        )
        if factor < 0.5:
            photo = cv2.GaussianBlur(photo, (0, 0), 0.4 / factor)
        cut = cv2.warpAffine(
            photo, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        rim = np.minimum(np.arange(side), np.arange(side)[::-1]) / (0.1 * side)
        soft = np.clip(np.minimum.outer(rim, rim), 0, 1)[..., None]
        top, left = round(y - side / 2), round(x - side / 2)
        rows = slice(max(0, top), min(height, top + side))
        columns = slice(max(0, left), min(width, left + side))
        part = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        scene[rows, columns] += soft[part] * (cut[part] - scene[rows, columns])
        placed.append({"x": x, "y": y, "height": wanted})
    cv2.imwrite(str(path), np.clip(scene, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return placed


def look(path: str, preset: str) -> dict[str, object]:
    """Return what one process sees and needs; run in a process of its own."""
    cv2.setNumThreads(1)
    recognizer = Recognizer(preset, workers=1)
    small = machine.photos()[0]
    recognizer.analyze(small)
    before = peak()
    times, used = [], []
    for _ in range(ROUNDS):
        began, spent = time.perf_counter(), time.process_time()
        analysis = recognizer.analyze(path)
        times.append(time.perf_counter() - began)
        used.append(time.process_time() - spent)
    return {
        "seconds_median": round(statistics.median(times), 3),
        "seconds_best": round(min(times), 3),
        "processor_seconds_median": round(statistics.median(used), 3),
        "peak_mb": round(peak()),
        "peak_mb_before": round(before),
        "boxes": [[round(float(v), 1) for v in box] for box in analysis.faces.boxes],
        "vectors": len(analysis.embedded),
    }


def peak() -> float:
    """Return the peak of resident memory of this process, MB."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count what the parent held before this program started
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6


def found(placed: list[dict[str, float]], boxes: list[list[float]]) -> list[int]:
    """Return the heights of the faces that a box of about the right place and size covers."""
    seen = []
    for face in placed:
        for x1, y1, x2, y2 in boxes:
            near = np.hypot((x1 + x2) / 2 - face["x"], (y1 + y2) / 2 - face["y"])
            if near < 0.3 * face["height"] and 0.6 < (y2 - y1) / face["height"] < 1.6:
                seen.append(int(face["height"]))
                break
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", nargs="+", default=PRESETS)
    parser.add_argument("--keep", type=Path, help="write the photo here too")
    parser.add_argument("--look", nargs=2, metavar=("PHOTO", "PRESET"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.look:
        print(json.dumps(look(*given.look)))
        return 0
    rows: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        photo = given.keep or Path(folder) / "ten.jpg"
        placed = compose(photo)
        for preset in given.preset:
            words = [sys.executable, __file__, "--look", str(photo), preset]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
            row = json.loads(done.stdout)
            boxes = row.pop("boxes")
            heights = found(placed, boxes)
            row |= {"faces": len(boxes), "found_of_ten": len(heights), "found_px": heights}
            if preset == "default":
                row |= {"target_seconds": TARGET_SECONDS, "target_mb": TARGET_MB}
            rows[preset] = row
            print(
                f"{preset:10} {row['seconds_median']:6.3f} s  cpu "
                f"{row['processor_seconds_median']:6.3f} s  peak {row['peak_mb']} MB  "
                f"{len(heights)} of 10 faces, {row['vectors']} vectors"
            )
        megabytes = round(photo.stat().st_size / 1e6, 1)
    result = {
        "what": "JPEG file to faces and vectors, one core, a fresh process a preset",
        "photo": {"size": SIZE, "megabytes": megabytes, "heights_px": HEIGHTS},
        "rounds": ROUNDS,
        "machine": machine.describe(),
        "core": CORE,
        "presets": rows,
    }
    machine.write("large_photo", result, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
