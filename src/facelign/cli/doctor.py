"""facelign doctor: what this machine has, and whether the chain works on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli.exits import Exit
from facelign.cli.options import Json
from facelign.cli.output import emit, line

if TYPE_CHECKING:
    from facelign.models import Registry
    from facelign.models.weights.store import Store
    from facelign.types.image import Image

Record = dict[str, Any]

_PACKAGES = (
    ("numpy", "numpy"),
    ("onnx", "onnx"),
    ("onnxruntime", "onnxruntime"),
    ("opencv", "opencv-python-headless"),
    ("pillow", "pillow"),
    ("dlib-bin", "dlib-bin"),
    ("pillow-heif", "pillow-heif"),
    ("scikit-image", "scikit-image"),
)
#: instruction sets that move the speed of the networks (x86 and Arm names of the kernel)
_FEATURES = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni"),
    *("avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "sve"),
)


def doctor(
    preset: Annotated[
        str, typer.Option("--preset", help="The preset that the self-test runs.")
    ] = "default",
    json: Json = False,
) -> int:
    """Print versions, processor, providers, cache and models here, and run a self-test.

    Exit 4 when the self-test cannot be run or fails.
    """
    from facelign import models as models
    from facelign.models.weights.store import Store

    known, store = models.default(), Store.from_environment()
    report: Record = {
        "versions": versions(),
        "processor": processor(),
        "engine": _engine(),
        "settings": _settings(store),
        "models": _models(known, store),
        "broken": [{"place": b.place, "reason": b.reason} for b in known.broken],
        "self_test": self_test(known, store, preset),
    }
    if json:
        emit(report)
    else:
        for text in _told(report):
            line(text)
    return Exit.DONE if report["self_test"]["ok"] else Exit.MODEL


def versions() -> dict[str, str]:
    """Return the versions of facelign, Python, the system, and of what facelign stands on."""
    import platform
    from importlib import metadata

    from facelign._version import __version__

    found = {
        "facelign": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    for name, package in _PACKAGES:
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def processor() -> Record:
    """Return name, cores and instruction sets of the processor, as far as the system tells."""
    import os
    import platform
    from pathlib import Path

    name, flags = platform.processor() or platform.machine(), set()
    try:
        for text in (
            Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        ):
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


def _settings(store: Store) -> Record:
    from facelign.files.home import cache_path
    from facelign.files.home import home_folder as home

    size = sum(p.stat().st_size for p in store.folder.rglob("*") if p.is_file())
    return {
        "home": str(home()),
        "cache": str(store.folder),
        "cache_bytes": size,
        "vector_cache": str(cache_path()),
        "vector_cache_bytes": cache_path().stat().st_size if cache_path().is_file() else 0,
        "mirror": store.mirror,
        "license_guard": store.guard or None,
    }


def _models(known: Registry, store: Store) -> list[Record]:
    """Return the models whose weights are here, each file with its digest and state."""
    found: list[Record] = []
    for spec in known.specs():
        if not spec.weights or not store.present(spec):
            continue
        files = store.verify([spec])
        found.append(
            {
                "id": spec.id,
                "task": spec.task.value,
                "commercial": spec.license.commercial,
                "files": [
                    {"file": f.name, "sha256": f.sha256, "good": f.good, "reason": f.reason}
                    for f in files
                ],
            }
        )
    return found


def self_test(known: Registry, store: Store, preset: str) -> Record:
    """Walk the portrait through the preset; return ok, what was seen, and the ms of each stage.

    Every stage runs twice; the second, warm time is told, the first one as ``first_ms``.
    """
    from facelign.errors import FacelignError

    image, subject = _portrait()
    report: Record = {"preset": preset, "subject": subject, "ok": False, "stages": {}}
    try:
        report |= _walk(known, store, preset, image, expect_face=subject == "portrait")
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


def _walk(known: Registry, store: Store, preset: str, image: Image, *, expect_face: bool) -> Record:
    from facelign.align.chips import chips
    from facelign.models import load
    from facelign.recognition.presets import preset as find_preset
    from facelign.types.specs import EmbedderOutput, Task

    chosen = find_preset(preset)
    stages: dict[str, Mapping[str, float]] = {}

    def timed(name: str, call: Any) -> Any:
        began = time.perf_counter()
        call()
        middle = time.perf_counter()
        result = call()
        stages[name] = {
            "first_ms": round((middle - began) * 1e3, 2),
            "ms": round((time.perf_counter() - middle) * 1e3, 2),
        }
        return result

    detector = load(known.spec(Task.DETECT, chosen.detector), store)
    faces = timed(f"detect {chosen.detector}", lambda: detector.detect(image))
    report: Record = {"faces": len(faces), "stages": stages, "ok": not expect_face}
    if chosen.landmarker and len(faces):
        landmarker = load(known.spec(Task.LANDMARK, chosen.landmarker), store)
        found = faces
        faces = timed(f"locate {chosen.landmarker}", lambda: landmarker.locate(image, found))
    for part in chosen.parts:
        spec = known.spec(Task.EMBED, part.model)
        if not isinstance(spec.output, EmbedderOutput) or not len(faces):
            continue
        embedder = load(spec, store)
        layout = known.layout(spec.output.layout)
        aligned, _, _ = timed(
            f"align {layout.id}", lambda layout=layout: chips(image, faces, layout)
        )
        vectors = timed(f"embed {part.model}", lambda e=embedder, c=aligned: e.embed(c))
        report["ok"] = bool(len(vectors))
    return report


def _told(report: Record) -> list[str]:
    lines = [f"{name}: {version}" for name, version in report["versions"].items()]
    cpu, engine, settings = report["processor"], report["engine"], report["settings"]
    lines += [
        f"processor: {cpu['name']}, {cpu['usable_cores']} of {cpu['cores']} cores usable",
        f"features: {' '.join(cpu['features']) or 'unknown'}",
        f"providers: {', '.join(engine['providers'])} (used: {', '.join(engine['used'])})",
        f"threads a network: {engine['threads']}, spinning {'on' if engine['spinning'] else 'off'}",
        f"home: {settings['home']}",
        f"weights: {settings['cache']} ({settings['cache_bytes'] / 1e6:.1f} MB)",
        f"vector cache: {settings['vector_cache']} ({settings['vector_cache_bytes'] / 1e6:.1f} MB)",
        f"mirror: {settings['mirror'] or 'none'}",
        f"license guard: {settings['license_guard'] or 'none'}",
    ]
    if not report["models"]:
        lines.append("models here: none (facelign models pull default)")
    for model in report["models"]:
        lines.append(f"model {model['task']} {model['id']} (commercial: {model['commercial']})")
        lines += [
            f"  {f['file']}  {f['sha256']}  {'good' if f['good'] else 'BAD: ' + f['reason']}"
            for f in model["files"]
        ]
    lines += [f"broken: {b['place']}: {b['reason']}" for b in report["broken"]]
    test = report["self_test"]
    lines.append(
        f"self-test ({test['preset']}, {test['subject']}): {'ok' if test['ok'] else 'FAILED'}"
        + (f", {test['faces']} face{'s' * (test['faces'] != 1)}" if "faces" in test else "")
    )
    lines += [
        f"  {name}: {stage['ms']} ms (first time {stage['first_ms']} ms)"
        for name, stage in test["stages"].items()
    ]
    if "problem" in test:
        lines.append(f"  {test['problem']} {test['hint']}")
    return lines
