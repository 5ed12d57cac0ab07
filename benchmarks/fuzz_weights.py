"""Convert many damaged ONNX files: no crash, no hang, no memory beyond the limit.

    python benchmarks/fuzz_weights.py [--count 10000] [--file X.onnx --converter onnx-float32]

The work runs in a child process with a limited address space, so that a crash or a runaway
allocation is seen and told with the number of the mutation that did it. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from facelign.errors import WeightsCorrupt
from facelign.models.convert import CONVERTERS

HERE = Path(__file__).resolve().parent
#: address space of the child, bytes (ONNX Runtime and onnx map about 1 GB before any work)
LIMIT = 4 << 30


def _mutations() -> object:
    """Return the module of the test, whose network and damage are used here too."""
    path = HERE.parent / "tests" / "unit" / "models" / "test_onnx_convert.py"
    made = importlib.util.spec_from_file_location("test_onnx_convert", path)
    module = importlib.util.module_from_spec(made)
    sys.modules[made.name] = module
    made.loader.exec_module(module)
    return module


def _child(arguments: argparse.Namespace) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    tests = _mutations()
    good = Path(arguments.file).read_bytes() if arguments.file else tests._small()
    converter = CONVERTERS[arguments.converter]
    kinds: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        raw, out = Path(folder) / "raw.onnx", Path(folder) / "out.onnx"
        for number in range(arguments.start, arguments.count):
            print(number, file=sys.stderr, flush=True)
            raw.write_bytes(tests.mutated(good, random.Random(number)))
            out.unlink(missing_ok=True)
            began = time.perf_counter()
            try:
                converter(raw, out)
                kinds["converted"] += 1
            except WeightsCorrupt:
                kinds["refused"] += 1
            slowest = max(slowest, time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**kinds, "slowest_s": round(slowest, 3), "peak_rss_mb": peak >> 20}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--file")
    parser.add_argument("--converter", default="onnx-float32")
    parser.add_argument("--child", action="store_true")
    arguments = parser.parse_args()
    if arguments.child:
        _child(arguments)
        return 0
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--child", *sys.argv[1:]], capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.splitlines()
        last = next((text for text in reversed(lines) if text.isdigit()), "?")
        told = [text for text in lines if not text.isdigit()][-20:]
        print(
            f"FAILED at mutation {last} with {done.returncode}:", *told, sep="\n", file=sys.stderr
        )
        return 1
    result = json.loads(done.stdout.strip().splitlines()[-1])
    result |= {
        "files": arguments.count - arguments.start,
        "source": arguments.file or "built network",
        "seconds": round(time.perf_counter() - began, 1),
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
