"""Damages dlib's weight files in many ways: each must give an error or a converted file, soon.

    python benchmarks/fuzz_dat.py [--n 10000] [--seed 0] [--out benchmarks/results/fuzz_dat.json]

The files are those of the weights folder (``facelign models pull mmod dlib-5 dlib-resnet``), and
small ones made of the same parts, which reach deeper. Memory is bounded by the system
(RLIMIT_AS), time is watched; a crash, a hang or another exception than WeightsCorrupt fails.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import machine

from facelign.detect.models import mmod
from facelign.embed.models import dlib_resnet
from facelign.errors import WeightsCorrupt
from facelign.landmark.models import dlib_shape
from facelign.models.convert.dlib import convert_mmod, convert_resnet, convert_shape
from facelign.models.weights.store import Store

MODELS = (*mmod.SPECS, dlib_shape.SPECS[0], *dlib_resnet.SPECS)
CONVERTERS: dict[str, Callable[[Path, Path], None]] = {
    "mmod": convert_mmod,
    "dlib-5": convert_shape,
    "dlib-resnet": convert_resnet,
    "small-shape": convert_shape,
}
#: bytes that mean something in a header: lengths, signs, the ancient form, flags
TELLING = (0x00, 0x01, 0x08, 0x0F, 0x30, 0x31, 0x70, 0x7F, 0x80, 0x81, 0x88, 0xFF)


def integer(value: int) -> bytes:
    magnitude = abs(value)
    length = max(1, (magnitude.bit_length() + 7) // 8)
    return bytes([length | (0x80 if value < 0 else 0)]) + magnitude.to_bytes(length, "little")


def small_shape(points: int = 3, cascades: int = 2, trees: int = 4, pixels: int = 5) -> bytes:
    """Return a whole shape predictor of a few kilobytes, with splits of depth 2."""
    one = integer(3) + integer(-2)
    column = integer(-2 * points) + integer(-1) + one * (2 * points)
    split = integer(1) + integer(2) + one
    tree = integer(3) + split * 3 + integer(4) + column * 4
    forests = integer(cascades) + (integer(trees) + tree * trees) * cascades
    anchors = integer(cascades) + (integer(pixels) + integer(1) * pixels) * cascades
    deltas = integer(cascades) + (integer(pixels) + one * (2 * pixels)) * cascades
    return integer(1) + column + forests + anchors + deltas


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return ``data`` damaged in one to four ways, mostly near its start, where headers are."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        reach = rng.choice((64, 400, 4000, len(damaged)))
        at = rng.randrange(max(1, min(reach, len(damaged))))
        kind = rng.randrange(6)
        if kind == 0 and damaged:
            damaged[at] = rng.randrange(256)
        elif kind == 1 and damaged:
            damaged[at] = rng.choice(TELLING)
        elif kind == 2:
            del damaged[at : at + rng.randint(1, 40)]
        elif kind == 3:
            damaged[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 40)))
        elif kind == 4:
            del damaged[at:]
        else:  # a number that asks for the moon
            damaged[at : at + 2] = integer(rng.choice((1, -1)) * (1 << rng.randint(7, 63)))
    return bytes(damaged)


def originals(store: Store) -> dict[str, bytes]:
    """Return the files to damage by name; those that are not on this machine are left out."""
    found = {spec.id: path for spec in MODELS for _, _, path in store.raw_files(spec)}
    return {"small-shape": small_shape(), **{n: p.read_bytes() for n, p in found.items()}}


def run(n: int, seed: int, files: dict[str, bytes], folder: Path) -> dict[str, object]:
    """Return counts and the longest time; raises whatever is not WeightsCorrupt."""
    rng = random.Random(seed)
    # small files are quick and their headers a larger part of them
    weights = [max(1.0, 3e6 / (len(data) + 1e5)) for data in files.values()]
    counts = {name: {"refused": 0, "taken": 0} for name in files}
    longest, worst = 0.0, ""
    for index in range(n):
        (name,) = rng.choices(list(files), weights)
        (folder / "raw").write_bytes(mutated(files[name], rng))
        before = time.process_time()
        try:
            CONVERTERS[name](folder / "raw", folder / "out")
        except WeightsCorrupt:
            counts[name]["refused"] += 1
        else:
            counts[name]["taken"] += 1  # a weight was changed into another weight
        spent = time.process_time() - before
        if spent > longest:
            longest, worst = spent, f"{name} #{index}"
    return {
        "n": n,
        "seed": seed,
        "counts": counts,
        "longest_processor_s": round(longest, 3),
        "at": worst,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory-mb", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/fuzz_dat.json"))
    given = parser.parse_args()
    files = originals(Store.from_environment())
    resource.setrlimit(resource.RLIMIT_AS, (given.memory_mb << 20,) * 2)
    started = time.perf_counter()
    warnings.simplefilter("error")  # a warning is a case that was not thought of
    with TemporaryDirectory() as folder:
        result = run(given.n, given.seed, files, Path(folder))
    result["seconds"] = round(time.perf_counter() - started, 1)
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result["python"] = platform.python_version()
    machine.write("fuzz_dat", result, given.out)
    print(json.dumps(result, indent=1))
    return 0 if float(str(result["longest_processor_s"])) < 10 else 1


if __name__ == "__main__":
    sys.exit(main())
