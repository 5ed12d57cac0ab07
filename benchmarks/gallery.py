"""How fast a gallery writes and searches, beside what the disk and the memory allow.

    python benchmarks/gallery.py [--folder DIR] [--million]

Writes benchmarks/results/gallery.json. Vectors are random unit vectors: the search looks at every
row, so its time does not depend on them. One thread of BLAS.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import machine

machine.one_core()

# ruff: noqa: E402
import numpy as np

from facelign.gallery.gallery import Gallery
from facelign.gallery.indexes.exact import ExactIndex
from facelign.gallery.traces import files_with
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.policies import TemplateMode
from facelign.types.templates import FaceRecord, PhotoRef, Row

DIM = 128
COSINE = Space("bench/none/five", DIM, Metric.COSINE, unit=True)
EUCLIDEAN = Space("bench/none/dlib-5", DIM, Metric.EUCLIDEAN, unit=False)


def unit_vectors(n: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).standard_normal((n, DIM), dtype=np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def fsyncs_per_second(folder: Path, size: int, count: int = 500) -> float:
    """Appends of ``size`` bytes, each on the disk before the next: what a durable commit costs."""
    block = os.urandom(size)
    path = folder / "fsync.bin"
    with path.open("wb", buffering=0) as file:
        start = time.perf_counter()
        for _ in range(count):
            file.write(block)
            os.fdatasync(file.fileno())
        took = time.perf_counter() - start
    path.unlink()
    return count / took


def face() -> FaceRecord:
    return FaceRecord((10, 10, 90, 110), np.zeros((5, 2), np.float32), "five", 0.9, 100.0)


def singles(folder: Path, count: int = 1000) -> float:
    vectors = unit_vectors(count, 1)
    sets = [Embeddings(v[None], COSINE, np.ones(1, np.float32)) for v in vectors]
    record = [face()]
    with Gallery.open(folder / "singles.db") as gallery:
        start = time.perf_counter()
        for i, embeddings in enumerate(sets):
            photo = PhotoRef(f"people/{i // 5}/{i}.jpg", f"{i:064x}")
            gallery.enroll(f"person {i // 5}", embeddings, photo=photo, faces=record)
        took = time.perf_counter() - start
        assert gallery.count(COSINE.id)[1] == count
    return count / took


def bulk(folder: Path, count: int) -> tuple[float, Path]:
    vectors, record = unit_vectors(count, 2), face()
    path = folder / f"bulk{count}.db"
    rows = [
        Row(
            f"person {i // 5}",
            vectors[i],
            PhotoRef(f"people/{i // 5}/{i}.jpg", f"{i:064x}"),
            1,
            record,
        )
        for i in range(count)
    ]
    with Gallery.open(path) as gallery:
        start = time.perf_counter()
        done = gallery.enroll_many(rows, COSINE)
        took = time.perf_counter() - start
    assert done.enrolled == count
    return count / took, path


def milliseconds(function: object, rounds: int) -> dict[str, float]:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()  # type: ignore[operator]
        times.append((time.perf_counter() - start) * 1e3)
    return {"best": round(min(times), 3), "median": round(statistics.median(times), 3)}


def index_search(n: int, space: Space, rounds: int) -> dict[str, object]:
    index = ExactIndex(space)
    for start in range(0, n, 50_000):
        ids = np.arange(start + 1, min(n, start + 50_000) + 1)
        index.add(ids, unit_vectors(len(ids), start))
    probes = unit_vectors(64, 99)
    blocks = index.rows.blocks
    return {
        "rows": n,
        "metric": space.metric.value,
        "one_ms": milliseconds(lambda: index.search(probes[:1], 10), rounds),
        "bare_product_ms": milliseconds(
            lambda: [np.dot(probes[0], block) for block in blocks], rounds
        ),
        "batch_of_64_ms_per_query": {
            key: round(value / 64, 3)
            for key, value in milliseconds(lambda: index.search(probes, 10), 3).items()
        },
    }


def gallery_search(path: Path) -> dict[str, object]:
    """From probe to people, with the look at the revision, in a gallery of 100,000 templates."""
    probe = Embeddings(unit_vectors(1, 7), COSINE, np.ones(1, np.float32))
    figures: dict[str, object] = {}
    with Gallery.open(path) as gallery:
        for mode in TemplateMode:
            start = time.perf_counter()
            gallery.search(probe, k=5, mode=mode)
            first = time.perf_counter() - start
            steady = milliseconds(lambda mode=mode: gallery.search(probe, k=5, mode=mode), 30)
            figures[mode.value] = {"first_s": round(first, 3), "then_ms": steady}
        start = time.perf_counter()
        gallery.enroll("newcomer", probe, photo=PhotoRef("new.jpg", "f" * 64), faces=[face()])
        found = gallery.search(probe, k=1)[0][0].person
        figures["enroll_and_find_ms"] = round((time.perf_counter() - start) * 1e3, 2)
        assert found == "newcomer"
        start = time.perf_counter()
        receipt = gallery.remove("newcomer")
        figures["remove_s"] = round(time.perf_counter() - start, 2)
        assert receipt.verified
    data = [v.tobytes() for v in unit_vectors(512, 8)]
    start = time.perf_counter()
    assert not files_with(data, [path])
    size = path.stat().st_size / 1e6
    figures["byte_search_ms_per_mb"] = round((time.perf_counter() - start) * 1e3 / size, 2)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="on which disk to write (default: temporary)")
    parser.add_argument("--million", action="store_true", help="also a million rows (1 GB memory)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        raw = fsyncs_per_second(folder, 4096 * 6)
        single = singles(folder)
        raw = max(raw, fsyncs_per_second(folder, 4096 * 6))
        rate, path = bulk(folder, 100_000)
        figures: dict[str, object] = {
            "durable_singles_per_s": round(single),
            "raw_fdatasync_per_s": round(raw),
            "bulk_per_s": round(rate),
            "search_100k": [index_search(100_000, s, 50) for s in (COSINE, EUCLIDEAN)],
            "gallery_100k": gallery_search(path),
        }
        if options.million:
            figures["search_1m"] = index_search(1_000_000, COSINE, 15)
    figures["machine"] = machine.describe()
    machine.write("gallery", figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
