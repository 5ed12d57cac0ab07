"""What every benchmark tells about where it ran, and where its photos and results lie.

``one_core`` must be called before NumPy, OpenCV or ONNX Runtime are imported.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
SHARED = HERE.parents[1] / "shared"

#: distributions whose versions decide about times
PACKAGES = ("facelign", "numpy", "onnxruntime", "opencv-python-headless", "pillow")


def one_core(pin: bool = True) -> int | None:
    """Make BLAS use one thread, and keep this process on one core where the system can do that.

    Returns the core, or None where processes cannot be pinned.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    if not pin or not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))  # the first one serves most interrupts
    os.sched_setaffinity(0, {core})
    return core


def describe(*packages: str) -> dict[str, object]:
    """Return processor, cores, system, versions (of ``packages`` too, where installed) and load."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "features": features(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "versions": versions(*PACKAGES, *packages),
        "load": [round(v, 2) for v in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "date": time.strftime("%Y-%m-%d"),
    }


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of those distributions that are installed."""
    found = {}
    for package in dict.fromkeys(packages):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """Return the name of the processor."""
    lines = _cpuinfo()
    name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    return name or platform.processor() or platform.machine()


def features() -> list[str]:
    """Return the vector extensions that decide about the speed of networks (Linux only)."""
    line = next((x for x in _cpuinfo() if x.startswith(("flags", "Features"))), "")
    have = set(line.split())
    wanted = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp")
    return [name for name in wanted if name in have]


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def photos(folder: str = "data/recognition/lfw_100/images") -> list[Path]:
    """Return the JPEG files of a folder beside the checkout, by name; stops when there is none."""
    found = sorted((SHARED / folder).rglob("*.jpg"))
    if not found:
        raise SystemExit(f"No photos: this benchmark wants ../shared/{folder}.")
    return found


def write(name: str, result: dict[str, object], out: Path | None = None) -> Path:
    """Write ``result`` to benchmarks/results/NAME.json (or ``out``) and return the path."""
    path = out or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(result) + "\n", encoding="utf-8")
    return path


def text(value: object, margin: int = 0) -> str:
    """Return JSON in which every part that fits a line of 120 characters stands on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if margin + len(flat) <= 120 or not isinstance(value, dict | list) or not value:
        return flat
    pad = " " * (margin + 1)
    if isinstance(value, dict):
        keys = [f"{json.dumps(key, ensure_ascii=False)}: " for key in value]
        parts = [
            key + text(item, margin + 1) for key, item in zip(keys, value.values(), strict=True)
        ]
        return f"{{\n{pad}" + f",\n{pad}".join(parts) + f"\n{pad[1:]}}}"
    return (
        f"[\n{pad}" + f",\n{pad}".join(text(item, margin + 1) for item in value) + f"\n{pad[1:]}]"
    )
