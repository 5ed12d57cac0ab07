"""How much faster than real time films are looked through, and frames by detector, size, reduction.

    python benchmarks/films.py [--seconds 60] [--peer-frames 60] [--peers PYTHON] [--out FILE.json]

The film is ../shared/data/recognition/video/short_hamilton_clip.mp4 (640x360, 30 frames a second,
up to seven faces, three cuts), over and over until it is long enough, coded once. facelign walks
through it with the preset ``default`` and two workers, decoding and all, as ``facelign video`` is.
Its peer is face_recognition's way: every frame is searched for faces and each face is encoded and
compared, in an interpreter of its own (``--peers``, or FACELIGN_PEERS_PYTHON) on evenly spread
frames of the same film that it gets decoded; its time is scaled to all frames. Both in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import machine
import numpy as np

from facelign import models
from facelign.imaging.resize import resized
from facelign.recognition.options import ChainOptions
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.types.image import Image
from facelign.types.policies import Attempts
from facelign.video.film_index import FilmIndex
from facelign.video.sources import opened
from facelign.video.sources.written import FilmWriter
from facelign.video.tracker import ByteTracker

VIDEO = machine.HERE.parent.parent / "shared" / "data" / "recognition" / "video"
CLIP = VIDEO / "short_hamilton_clip.mp4"
FPS = 30.0
DETECTORS = (
    "yunet",
    "yunet-n",
    "ultraface-slim-320",
    "blazeface-short",
    "scrfd-500m",
    "haar",
    "mtcnn",
)
SIZES = ((640, 360), (1280, 720))
REDUCTIONS = (1.0, 1.5, 2.0)

PEER = """
import json, sys, time
import numpy as np, face_recognition
frames = np.load(sys.argv[1])
known = [np.zeros(128)]
began, faces = time.perf_counter(), 0
for frame in frames:
    boxes = face_recognition.face_locations(frame)
    vectors = face_recognition.face_encodings(frame, boxes)
    faces += len(vectors)
    for vector in vectors:
        face_recognition.compare_faces(known, vector)
print(json.dumps({"s": time.perf_counter() - began, "frames": len(frames), "faces": faces}))
"""


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seconds", type=float, default=60)
    words.add_argument("--peer-frames", type=int, default=60)
    words.add_argument("--peers", default=os.environ.get("FACELIGN_PEERS_PYTHON", ""))
    words.add_argument("--out", type=Path)
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        film = Path(scratch) / "film.mp4"
        pixels = [frame.image.pixels for frame in opened(str(CLIP))]
        count = round(given.seconds * FPS)
        with FilmWriter(film) as writer:
            for number, picture in enumerate(islice(cycle(pixels), count)):
                writer.add(picture, number / FPS)
        record: dict[str, Any] = {"film": walked(film, Path(scratch), count / FPS)}
        if given.peers:
            chosen = [
                pixels[i % len(pixels)]
                for i in np.linspace(0, count - 1, given.peer_frames).astype(int)
            ]
            record["peer"] = peer(given.peers, chosen, Path(scratch), count)
            record["times_peer"] = round(record["peer"]["film_s"] / record["film"]["took_s"], 1)
    record["frames"] = table(pixels)
    record["machine"] = machine.describe("av", "onnxruntime")
    machine.write("films", record, given.out)
    print(machine.text(record))
    return 0


def walked(film: Path, scratch: Path, length_s: float) -> dict[str, Any]:
    """Return how long the film takes with the preset default and two workers."""
    options = ChainOptions(attempts=Attempts(padded=False, turned=False))
    recognizer = Recognizer(options=options, workers=2)
    with PhotoGallery(scratch / "people.db", recognizer) as gallery:
        gallery.enroll("Lin", next((VIDEO / "references").iterdir()))
        gallery.identify(next((VIDEO / "references").iterdir()))  # the networks are open then
        index = FilmIndex(gallery, ByteTracker)
        began, cpu = time.perf_counter(), time.process_time()
        visits = [v for s in index.watch("film", opened(str(film))) for v in s.visits]
        took, spent = time.perf_counter() - began, time.process_time() - cpu
    return {
        "length_s": length_s,
        "took_s": round(took, 2),
        "processor_s": round(spent, 2),
        "times_real_time": round(length_s / took, 1),
        "visits": len(visits),
        "visits_named": sum(v.verdict.person == "Lin" for v in visits),
    }


def peer(python: str, frames: list[Any], scratch: Path, count: int) -> dict[str, Any]:
    """Return how long face_recognition takes for every frame of the film."""
    place = scratch / "frames.npy"
    np.save(place, np.stack(frames))
    run = [python, "-c", PEER, str(place)]
    told = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    each = told["s"] / told["frames"]
    return {"each_ms": round(1000 * each, 1), "film_s": round(each * count, 1), **told}


def table(pixels: list[Any]) -> list[dict[str, Any]]:
    """Return frames a second of one thread: by detector, size of the frame and reduction."""
    rows = []
    for size in SIZES:
        frames = [Image(resized(one, size), size) for one in pixels[:: len(pixels) // 24]]
        for name in DETECTORS:
            for factor in REDUCTIONS:
                detector = models.detector(name)
                small = (round(size[0] / factor), round(size[1] / factor))
                detector.detect(frames[0])
                began, faces = time.perf_counter(), 0
                for frame in frames:
                    seen = frame
                    if factor > 1:
                        seen = Image(resized(frame.pixels, small), size, scale=small[0] / size[0])
                    faces += len(detector.detect(seen))
                each = (time.perf_counter() - began) / len(frames)
                rows.append({
                    "detector": name, "size": f"{size[0]}x{size[1]}", "reduction": factor,
                    "fps": round(1 / each, 1), "faces": faces,
                })  # fmt: skip
                print(rows[-1], file=sys.stderr)
    return rows


if __name__ == "__main__":
    sys.exit(main())
