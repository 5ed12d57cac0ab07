"""How many chips should go through a network together: milliseconds a chip, one thread.

    python benchmarks/batches.py [--rounds 9] [--out FILE.json]

Every batch size of every model takes its turn in each round. Told are the median and the best, a
chip, and how far vectors move from those of single chips.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import machine

CORE = machine.one_core()

import numpy as np  # noqa: E402

from facelign.embed.batch import EmbedderOptions  # noqa: E402
from facelign.models import catalog, load  # noqa: E402
from facelign.models.weights.store import Store  # noqa: E402
from facelign.types.chips import Chips  # noqa: E402
from facelign.types.specs import Task  # noqa: E402

SIZES = (1, 2, 4, 8, 16, 32)
MODELS = tuple(
    name + form for name in ("sface", "dlib-resnet", "mobilefacenet") for form in ("", "-int8")
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    store, models = Store.from_environment(), catalog.default()
    random = np.random.default_rng(0)
    rows: dict[str, dict[str, object]] = {}
    for name in given.models:
        spec = models.spec(Task.EMBED, name)
        if not store.present(spec):
            print(f"left out: {name} (its weights are not here)")
            continue
        layout = models.layout(spec.output.layout)
        pixels = random.integers(0, 256, (max(SIZES), *reversed(layout.size), 3), np.uint8)
        made = {
            n: load(spec, store, options={"batch": n, "points": "five"}) for n in (1, max(SIZES))
        }
        one, model = made[1], made[max(SIZES)]
        chips = {
            n: Chips(pixels[:n], layout.id, np.zeros((n, 2, 3)), "five")
            for n in (*SIZES, max(SIZES))
        }
        times: dict[int, list[float]] = {n: [] for n in SIZES}
        model.embed(chips[1])
        for _ in range(given.rounds):
            for n in SIZES:
                repeats = max(1, 8 // n)  # small batches are timed over as many chips as others
                before = time.perf_counter()
                for _ in range(repeats):
                    model.embed(chips[n])
                times[n].append(1e3 * (time.perf_counter() - before) / (n * repeats))
        apart = model.embed(chips[32]).vectors - one.embed(chips[32]).vectors
        rows[name] = {
            "ms_a_chip_median": {n: round(statistics.median(t), 2) for n, t in times.items()},
            "ms_a_chip_best": {n: round(min(t), 2) for n, t in times.items()},
            "largest_difference_32_to_1": float(np.abs(apart).max()),
        }
        told = "  ".join(f"{n}: {min(t):6.2f}" for n, t in times.items())
        print(f"{name:15} best ms a chip by batch  {told}")
    result = {
        "what": "milliseconds a chip by batch size, one thread",
        "rounds": given.rounds,
        "default_batch": EmbedderOptions().batch,
        "machine": machine.describe(),
        "core": CORE,
        "models": rows,
    }
    machine.write("batches", result, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
