"""Two workers over one, on a folder of a thousand photos.

    python benchmarks/workers.py [--count 1000] [--preset default] [--out FILE.json]

The folder is taken in pieces of 100 photos; each piece is walked with one worker and with two,
the order changing from piece to piece, so that other load falls on both alike. The ratio is told
by the sums and as the median over pieces, beside how much of two processors this process got
(time on the processor over time on the clock): without two free processors nothing can be seen.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import machine

machine.one_core(pin=False)

import cv2  # noqa: E402

from facelign.recognition.recognizer import Recognizer  # noqa: E402

#: target, on an idle machine
TARGET = 1.9
#: photos a second with two
TARGET_RATE = 60
PIECE = 100


def walk(recognizer: Recognizer, paths: list[Path], workers: int) -> tuple[float, float, int]:
    """Return seconds, seconds on the processor, and faces."""
    recognizer.workers = workers
    began, spent = time.perf_counter(), time.process_time()
    faces = sum(len(analysis.faces) for analysis in recognizer.stream(paths))
    return time.perf_counter() - began, time.process_time() - spent, faces


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    paths = machine.photos("data/recognition/lfw_dev/images")[: given.count]
    recognizer = Recognizer(given.preset)
    walk(recognizer, paths[:20], 2)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    used: dict[int, list[float]] = {1: [], 2: []}
    faces: dict[int, int] = {1: 0, 2: 0}
    for number, start in enumerate(range(0, len(paths), PIECE)):
        piece = paths[start : start + PIECE]
        for workers in (1, 2) if number % 2 == 0 else (2, 1):
            took, spent, count = walk(recognizer, piece, workers)
            seconds[workers].append(took)
            used[workers].append(spent)
            faces[workers] += count
    if faces[1] != faces[2]:
        raise SystemExit(f"one worker found {faces[1]} faces, two found {faces[2]}")
    ratios = [a / b for a, b in zip(seconds[1], seconds[2], strict=True)]
    speed_up = sum(seconds[1]) / sum(seconds[2])
    processors = sum(used[2]) / sum(seconds[2])
    result = {
        "what": "photos of 250x250 from files to vectors, two workers over one",
        "preset": given.preset,
        "photos": len(paths),
        "faces": faces[1],
        "one_worker_photos_per_second": round(len(paths) / sum(seconds[1]), 1),
        "two_workers_photos_per_second": round(len(paths) / sum(seconds[2]), 1),
        "speed_up": round(speed_up, 2),
        "speed_up_median_of_pieces": round(statistics.median(ratios), 2),
        "processors_had_by_one": round(sum(used[1]) / sum(seconds[1]), 2),
        "processors_had_by_two": round(processors, 2),
        "processor_time_two_over_one": round(sum(used[2]) / sum(used[1]), 3),
        "target": TARGET,
        "target_photos_per_second": TARGET_RATE,
        "machine": machine.describe(),
    }
    machine.write("workers", result, given.out)
    print(
        f"{len(paths)} photos: {result['one_worker_photos_per_second']} a second with one worker, "
        f"{result['two_workers_photos_per_second']} with two: {speed_up:.2f} times "
        f"(target {TARGET}); two workers had {processors:.2f} processors"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
