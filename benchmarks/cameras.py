"""How old a frame is that is decided on, minute after minute, and what memory that takes.

    python benchmarks/cameras.py [--seconds 600] [--work-ms 200 | --preset default] [--cameras 1]
                                 [--size 640x360] [--fps 25] [--out FILE.json]

A real RTSP server (tests/rtsp_server.py, gst-rtsp-server: it runs on this machine too) gives
pictures that show when they were taken, H.264 over TCP; the age is read out of the picture, so that
coding, sending and decoding are in it. Each frame that is taken is decided on for ``--work-ms`` of
waiting, or for as long as the recognizer of a preset looks for faces in it. A period is the median
time from one decision to the next of a camera.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import machine
import psutil

sys.path.insert(0, str(machine.HERE.parent / "tests"))

from facelign.types.image import Image
from facelign.video.sources import opened_together
from made_cameras import age_s, rtsp_camera

#: seconds of which the worst age is kept each
STEP_S = 10


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seconds", type=float, default=600)
    words.add_argument("--work-ms", type=float, default=200)
    words.add_argument("--preset", default="")
    words.add_argument("--cameras", type=int, default=1)
    words.add_argument("--size", default="640x360")
    words.add_argument("--fps", type=int, default=25)
    words.add_argument("--out", type=Path)
    given = words.parse_args()
    with ExitStack() as servers:
        more = ("--size", given.size, "--fps", str(given.fps))
        urls = [servers.enter_context(rtsp_camera(*more)).url for _ in range(given.cameras)]
        record = watched(urls, given.seconds, work(given.preset, given.work_ms))
    record |= {
        "work": given.preset or f"{given.work_ms:g} ms of waiting",
        "cameras": given.cameras, "size": given.size, "fps": given.fps,
        "machine": machine.describe("av"),
    }  # fmt: skip
    machine.write("cameras", record, given.out)
    print(machine.text(record))
    return 0 if record["age_periods"]["worst"] < 2 else 1


def work(preset: str, work_ms: float) -> Callable[[Image], object]:
    """Return what is done with a frame."""
    if not preset:
        return lambda image: time.sleep(work_ms / 1000)
    from facelign import Recognizer

    return Recognizer(preset).find


def watched(urls: list[str], seconds: float, decide: Callable[[Image], object]) -> dict[str, Any]:
    """Decide on frames of cameras for so long; return ages, periods and memory."""
    taken, decided, periods, held, cpu = [], [], [], [], []
    when: list[float] = []
    last: dict[int, float] = {}
    process = psutil.Process()
    with opened_together(urls) as cameras:
        began = read = time.monotonic()
        process.cpu_percent()
        while time.monotonic() - began < seconds:
            found = cameras.newest(5.0)
            if time.monotonic() - read > 5:
                read = time.monotonic()
                held.append(process.memory_info().rss / 1e6)
                cpu.append(process.cpu_percent())
            if found is None:
                continue
            which, frame = found
            taken.append(age_s(frame.image.pixels))
            decide(frame.image)
            # from the moment that it was taken before the lens to the one of the decision
            decided.append(age_s(frame.image.pixels))
            when.append(time.monotonic() - began)
            if which in last:
                periods.append(time.monotonic() - last[which])
            last[which] = time.monotonic()
        changes = [f"{one.state}: {one.reason}" for one in cameras.changes()]
        received = sum(one.received for one in cameras.cameras)
    period = statistics.median(periods)
    parts = range(0, round(seconds), STEP_S)
    worst = [
        max((age for at, age in zip(when, decided, strict=True) if part <= at < part + STEP_S),
            default=0.0)
        for part in parts
    ]  # fmt: skip
    return {
        "seconds": seconds,
        "frames": {"received": received, "decided": len(decided)},
        "period_ms": round(period * 1000, 1),
        "age_taken_ms": spread(taken, 1000),
        "age_decided_ms": spread(decided, 1000),
        "age_periods": spread(decided, 1 / period),
        "memory_mb": {"first": round(held[0], 1), "median": round(statistics.median(held), 1),
                      "last": round(held[-1], 1), "most": round(max(held), 1)},
        "cpu_percent": round(statistics.mean(cpu), 1),
        "worst_ms_each_10_s": [round(age * 1000) for age in worst],
        "changes": changes,
    }  # fmt: skip


def spread(values: list[float], unit: float) -> dict[str, float]:
    """Return median, 99th percentile and worst of all but the first ten, in ``unit``."""
    ordered = sorted(value * unit for value in values[10:])
    places = {"median": 0.5, "p99": 0.99, "worst": 1.0}
    return {
        name: round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 2)
        for name, share in places.items()
    }


if __name__ == "__main__":
    sys.exit(main())
