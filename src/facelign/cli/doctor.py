"""facelign doctor: what this machine has, and whether the chain works on it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from facelign._version import __version__
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command
from facelign.cli.output import answer
from facelign.cli.settings import settings_path
from facelign.errors import FacelignError
from facelign.files.home import cache_path, home_folder
from facelign.recognition.options import DEFAULT_PRESET
from facelign.types.wording import counted
from facelign.wire.records import Record, plain, some

if TYPE_CHECKING:
    from facelign.models import Registry
    from facelign.models.weights.store import Store
    from facelign.types.image import Image

T = TypeVar("T")

_PACKAGES = (
    *("numpy", "onnx", "onnxruntime", "opencv-python-headless", "pillow", "dlib-bin"),
    *("pillow-heif", "scikit-image"),
)
#: instruction sets that move the speed of the networks (x86 and Arm names of the kernel)
_FEATURES = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni"),
    *("avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "sve"),
)


@command
def doctor(
    preset: Annotated[
        str, typer.Option("--preset", help="The preset that the self-test runs.")
    ] = DEFAULT_PRESET,
    *,
    output: JsonFlag,
) -> int:
    """Print versions, processor, providers, cache and models here, and run a self-test.

    Exit 4 when the self-test cannot be run or fails.
    """
    from facelign import models
    from facelign.models.weights.store import Store

    known, store = models.default(), Store.from_environment()
    report: Record = {
        "versions": versions(),
        "processor": processor(),
        "engine": _engine(),
        "settings": _settings(store),
        "libraries": libraries(),
        "models": _models(known, store),
        "broken": plain(known.broken),
        "self_test": self_test(preset),
    }
    answer(report, *_lines(report), json=output.json)
    return Exit.DONE if report["self_test"]["ok"] else Exit.MODEL


def versions() -> dict[str, str]:
    """Return the versions of facelign, Python, the system, and of what facelign stands on."""
    found = {
        "facelign": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    for package in _PACKAGES:
        name = package.removesuffix("-python-headless")
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def processor() -> Record:
    """Return name, cores and instruction sets of the processor, as far as the system tells."""
    name, flags = platform.processor() or platform.machine(), set()
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        for text in info.splitlines():
            key, _, value = text.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags |= set(value.split())
    except OSError:
        flags = _features_of_numpy()
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity is not None else os.cpu_count()
    return {
        "name": name,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": usable,
        "features": [flag for flag in _FEATURES if flag in flags],
    }


def _features_of_numpy() -> set[str]:
    """Return what NumPy found out, where the system has no /proc (macOS, Windows)."""
    import numpy as np

    config: Any = np.show_config(mode="dicts")
    extensions = config.get("SIMD Extensions", {})
    return {str(name).lower() for name in extensions.get("found", [])}


def _engine() -> Record:
    from facelign.runtime.onnx import OnnxOptions, available_providers

    options = OnnxOptions()
    return {
        "providers": list(available_providers()),
        "used": list(options.providers),
        "threads": options.threads,
        "spinning": options.spinning,
    }


def libraries() -> list[Record]:
    """Return what libraries would send or keep by themselves, and by which setting they do not."""
    from facelign.runtime.onnx import telemetry_off

    told = {name: os.environ.get(name, "") for name in ("ORT_DISABLE_TELEMETRY", "MPLCONFIGDIR")}
    return [
        {
            "library": "onnxruntime",
            "what": "telemetry",
            "off": telemetry_off(),
            "setting": f"ORT_DISABLE_TELEMETRY={told['ORT_DISABLE_TELEMETRY']}",
        },
        {
            "library": "matplotlib",
            "what": "list of fonts in the user's cache",
            "off": True,
            "setting": f"MPLCONFIGDIR={told['MPLCONFIGDIR'] or home_folder() / 'cache/matplotlib'}",
        },
    ]


def _settings(store: Store) -> Record:
    file = settings_path()
    size = sum(p.stat().st_size for p in store.folder.rglob("*") if p.is_file())
    return {
        "home": str(home_folder()),
        "config": str(file) if file.exists() else None,
        "cache": str(store.folder),
        "cache_bytes": size,
        "vector_cache": str(cache_path()),
        "vector_cache_bytes": cache_path().stat().st_size if cache_path().is_file() else 0,
        "mirror": store.mirror,
        "license_guard": store.guard or None,
    }


def _models(known: Registry, store: Store) -> list[Record]:
    """Return the models whose weights are here, each file with its digest and state."""
    return [
        {
            "id": spec.id,
            "task": spec.task.value,
            "commercial": spec.license.commercial,
            "files": [
                {"file": f.name, **some(f, "sha256", "good", "reason")}
                for f in store.verify([spec])
            ],
        }
        for spec in known.specs()
        if spec.weights and store.present(spec)
    ]


def self_test(preset: str) -> Record:
    """Walk the portrait through the preset; return ok, what was seen, and the ms of each stage.

    Every stage runs twice; the second, warm time is told, the first one as ``first_ms``.
    """
    image, subject = _portrait()
    report: Record = {"preset": preset, "subject": subject, "ok": False, "stages": {}}
    try:
        report |= _walk(preset, image, expect_face=subject == "portrait")
    except FacelignError as problem:
        report["problem"] = problem.message
        report["hint"] = problem.hint
    return report


def _portrait() -> tuple[Image, str]:
    """Return scikit-image's astronaut; where it is not installed, a pattern without a face."""
    from facelign.imaging.read import read

    try:
        from skimage import data
    except ImportError:
        return pattern()
    return read(data.astronaut(), order="rgb"), "portrait"


def pattern() -> tuple[Image, str]:
    """Return a smooth picture in which nobody is."""
    import numpy as np

    from facelign.imaging.read import read

    y, x = np.mgrid[:512, :512]
    waves = 127.5 + 60 * np.sin(x / 23.0) + 60 * np.cos(y / 31.0)
    pixels = np.repeat(waves[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)
    return read(pixels, order="rgb"), "pattern (scikit-image is not installed: no portrait)"


def _walk(preset: str, image: Image, *, expect_face: bool) -> Record:
    from facelign import models
    from facelign.align.chips import chips
    from facelign.align.fitting import points_by
    from facelign.recognition.presets import preset as find_preset

    chosen = find_preset(preset)
    stages: dict[str, Mapping[str, float]] = {}

    def timed(name: str, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        call()
        middle = time.perf_counter()
        result = call()
        stages[name] = {
            "first_ms": round((middle - began) * 1e3, 2),
            "ms": round((time.perf_counter() - middle) * 1e3, 2),
        }
        return result

    detector = models.detector(chosen.detector)
    faces = timed(f"detect {chosen.detector}", partial(detector.detect, image))
    report: Record = {"faces": len(faces), "stages": stages, "ok": not expect_face}
    if not len(faces):
        return report
    if chosen.landmarker:
        landmarker = models.landmarker(chosen.landmarker)
        faces = timed(f"locate {chosen.landmarker}", partial(landmarker.locate, image, faces))
    for part in chosen.parts:
        layout = models.layout(models.embedder(part.model).layouts[0])
        points = points_by(layout.needs, faces)
        embedder = models.embedder(part.model, points=points, flip=part.flip, unit=part.unit)
        aligned, _, _ = timed(f"align {layout.id}", partial(chips, image, faces, layout))
        vectors = timed(f"embed {part.model}", partial(embedder.embed, aligned))
        report["ok"] = bool(len(vectors))
    return report


def _lines(report: Record) -> Iterator[str]:
    cpu, engine, settings = report["processor"], report["engine"], report["settings"]
    for name, version in report["versions"].items():
        yield f"{name}: {version}"
    yield f"processor: {cpu['name']}, {cpu['usable_cores']} of {cpu['cores']} cores usable"
    yield f"features: {' '.join(cpu['features']) or 'unknown'}"
    yield f"providers: {', '.join(engine['providers'])} (used: {', '.join(engine['used'])})"
    spinning = "on" if engine["spinning"] else "off"
    yield f"threads a network: {engine['threads']}, spinning {spinning}"
    yield f"home: {settings['home']}"
    yield f"file of settings: {settings['config'] or 'none'}"
    yield f"weights: {settings['cache']} ({settings['cache_bytes'] / 1e6:.1f} MB)"
    size = settings["vector_cache_bytes"] / 1e6
    yield f"vector cache: {settings['vector_cache']} ({size:.1f} MB)"
    yield f"mirror: {settings['mirror'] or 'none'}"
    yield f"license guard: {settings['license_guard'] or 'none'}"
    for one in report["libraries"]:
        state = "off" if one["off"] else "ON"
        yield f"{one['library']}, {one['what']}: {state} ({one['setting']})"
    if not report["models"]:
        yield "models here: none (facelign models pull default)"
    for model in report["models"]:
        yield f"model {model['task']} {model['id']} (commercial: {model['commercial']})"
        for file in model["files"]:
            state = "good" if file["good"] else f"BAD: {file['reason']}"
            yield f"  {file['file']}  {file['sha256']}  {state}"
    for broken in report["broken"]:
        yield f"broken: {broken['place']}: {broken['reason']}"
    yield from _lines_of_test(report["self_test"])


def _lines_of_test(test: Record) -> Iterator[str]:
    state = "ok" if test["ok"] else "FAILED"
    count = f", {counted(test['faces'], 'face')}" if "faces" in test else ""
    yield f"self-test ({test['preset']}, {test['subject']}): {state}{count}"
    for name, stage in test["stages"].items():
        yield f"  {name}: {stage['ms']} ms (first time {stage['first_ms']} ms)"
    if "problem" in test:
        yield f"  {test['problem']} {test['hint']}"
