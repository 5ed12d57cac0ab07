"""How long after something happens before a camera it is told: from the picture to the event.

    python benchmarks/camera_to_event.py [--seconds 120] [--turn 4] [--out FILE.json]

A real RTSP server (tests/rtsp_server.py) gives 640x360 at 25 frames a second, H.264 over TCP; each
picture shows when it was taken. In every other turn of ``--turn`` seconds a face of scikit-image's
astronaut stands in it, who is enrolled. ``Watcher`` watches as ``facelign watch`` does, with the
preset ``default``, and keeps a log on the disk before it tells. Told are, over all events:

* ``picture_to_event``: from the time in the picture that decided to the event's telling;
* ``seen_to_appeared``, ``seen_to_recognized``: from the first picture that shows the face.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np

sys.path.insert(0, str(machine.HERE.parent / "tests"))

import cv2
import psutil
from skimage import data

from facelign.recognition.options import ChainOptions
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.types.events import Event
from facelign.types.image import Image
from facelign.types.policies import Attempts
from facelign.video.events import EventRules
from facelign.video.live import Place, Watcher
from facelign.video.sinks.sqlite import SqliteLog
from facelign.video.sources import opened_together
from facelign.video.telling import Telling
from facelign.video.tracker import ByteTracker
from made_cameras import rtsp_camera
from made_films import BITS, number_of

SIZE = (640, 360)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seconds", type=float, default=120)
    words.add_argument("--turn", type=float, default=4)
    words.add_argument("--out", type=Path)
    given = words.parse_args()
    turn_ms = round(1000 * given.turn)
    portrait = Image.from_array(data.astronaut(), "rgb")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        places = []
        for shown in (True, False):
            picture = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
            if shown:
                picture[:180, 220:400] = cv2.resize(portrait.pixels[20:220, 120:320], (180, 180))
            places.append(folder / f"{shown}.i420")
            places[-1].write_bytes(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).tobytes())
        recognizer = Recognizer(options=ChainOptions(attempts=Attempts(padded=False, turned=False)))
        gallery = PhotoGallery(folder / "people.db", recognizer)
        gallery.enroll("Eileen", portrait)
        gallery.identify(portrait)
        more = ("--size", "640x360", "--turn-ms", str(turn_ms), "--scenes", *map(str, places))
        with rtsp_camera(*more) as camera:
            record = watched(gallery, camera.url, given.seconds, turn_ms, folder / "events.db")
        gallery.close()
    record["machine"] = machine.describe("av", "onnxruntime")
    machine.write("camera_to_event", record, given.out)
    print(machine.text(record))
    return 0


def watched(
    gallery: PhotoGallery, url: str, seconds: float, turn_ms: int, log: Path
) -> dict[str, Any]:
    """Return the delays of all events."""
    burnt = [0]
    delays: dict[str, list[float]] = {}

    def show(event: Event) -> None:
        now = time.monotonic_ns() // 1_000_000 % (1 << BITS)
        delays.setdefault("picture_to_event", []).append((now - burnt[0]) % (1 << BITS))
        if event.kind in ("appeared", "recognized"):
            # the face came at the beginning of its turn
            since = now % (2 * turn_ms)
            delays.setdefault(f"seen_to_{event.kind}", []).append(since)
        told.append(str(event.kind))

    told: list[str] = []
    memory: list[float] = []
    until = time.monotonic() + seconds
    rules = EventRules(absence=1.0, cooldown=0.0)
    with opened_together([url]) as cameras, Telling([SqliteLog(log)], show) as telling:
        watcher = Watcher(
            gallery,
            cameras,
            [Place("camera", rules)],
            telling,
            tracker=ByteTracker,
            seen=lambda _place, frame, *_: burnt.__setitem__(0, number_of(frame.image.pixels)),
        )

        def wanted() -> bool:
            memory.append(psutil.Process().memory_info().rss / 1e6)
            return time.monotonic() < until

        watcher.run(wanted)
        (figures,) = watcher.figures
    tell = {
        name: {
            "events": len(values),
            "median_ms": round(statistics.median(values)),
            "worst_ms": round(max(values)),
        }
        for name, values in sorted(delays.items())
    }
    return {
        "seconds": seconds,
        **tell,
        "events": {kind: told.count(kind) for kind in sorted(set(told))},
        "frames_decided_on": figures.decided,
        "decision_ms": round(1000 * figures.took_s / max(figures.decided, 1), 1),
        "age_ms": {
            "median": round(1000 * statistics.median(figures.ages_s), 1),
            "worst": round(1000 * max(figures.ages_s), 1),
        },
        "memory_mb": {"first_minute": round(memory[len(memory) // 10]), "end": round(memory[-1])},
    }


if __name__ == "__main__":
    sys.exit(main())
