"""Memory over thousands of photos of mixed size: what is held after 500 is held at the end.

    python benchmarks/memory.py [--count 5000] [--preset fast] [--out FILE.json]

The photos of lfw_dev over and over, every 25th a larger one (twelve, up to 9.6 megapixels),
through ``Recognizer.stream`` with two workers. Resident memory is read every 100 photos; what is
compared is the mean of five readings after photo 500 and of the last five, because single
readings move by the picture that is being looked at.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import machine

machine.one_core(pin=False)

import cv2  # noqa: E402
import psutil  # noqa: E402

from facelign.recognition.recognizer import Recognizer  # noqa: E402

#: target: growth, as a share
TARGET = 0.05
WARM, STEP, READINGS = 500, 100, 5
#: one photo in so many is a larger one
EVERY = 25


def mixed(count: int) -> Iterator[Path]:
    """Yield ``count`` photos, every 25th a larger one."""
    small = cycle(machine.photos("data/recognition/lfw_dev/images"))
    # the largest first, and all of them before photo 500: what is held grows with the largest
    # picture that was seen, once
    large = cycle(
        machine.photos("data/detection/large")
        + machine.photos("data/detection/wider")[:4]
        + machine.photos("data/recognition/deepface_tests")[:6]
    )
    for number in range(count):
        yield next(large if number % EVERY == 0 else small)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--preset", default="fast", help="the walk is the same, the nets are not")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.count < WARM + 2 * READINGS * STEP:
        parser.error(f"--count: at least {WARM + 2 * READINGS * STEP} photos")
    cv2.setNumThreads(1)
    process = psutil.Process()
    recognizer = Recognizer(given.preset, workers=given.workers)
    held: list[tuple[int, float]] = []
    faces = failed = 0
    began = time.perf_counter()
    for number, analysis in enumerate(recognizer.stream(mixed(given.count)), start=1):
        faces += len(analysis.faces)
        failed += analysis.error is not None
        if number % STEP == 0:
            held.append((number, round(process.memory_info().rss / 1e6, 1)))
    seconds = time.perf_counter() - began
    after = [mb for number, mb in held if number > WARM]
    first, last = statistics.mean(after[:READINGS]), statistics.mean(after[-READINGS:])
    growth = last / first - 1
    result = {
        "what": "resident memory over photos of mixed size, read every 100",
        "photos": given.count,
        "preset": given.preset,
        "workers": given.workers,
        "faces": faces,
        "failed": failed,
        "mb_after_500": round(first, 1),
        "mb_at_the_end": round(last, 1),
        "mb_most": max(mb for _, mb in held),
        "growth": round(growth, 4),
        "target_growth": TARGET,
        "photos_per_second": round(given.count / seconds, 1),
        "machine": machine.describe("psutil"),
        "readings_mb": held[:: max(1, len(held) // 50)],
    }
    machine.write("memory", result, given.out)
    print(
        f"{given.count} photos, {faces} faces: {first:.0f} MB after {WARM}, {last:.0f} MB at the "
        f"end, growth {growth:+.1%} (target under {TARGET:.0%})"
    )
    return 0 if growth < TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
