"""What made the numbers: versions, weights by SHA-256, command line, seed."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import metadata

from facelign._version import __version__
from facelign.models import catalog
from facelign.recognition.recognizer import Recognizer
from facelign.types.specs import ModelSpec, Task

_PACKAGES = ("numpy", "onnxruntime", "opencv-python-headless", "scikit-learn", "scipy", "pillow")


def versions() -> dict[str, str]:
    """Return the versions of whatever the figures depend on."""
    own = {"facelign": __version__, "Python": platform.python_version()}
    return own | dict(installed(_PACKAGES))


def installed(packages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (package, version) of those packages that are here."""
    for name in packages:
        with suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def table(
    recognizer: Recognizer | None,
    more: Mapping[str, object],
    models: Iterable[tuple[Task, str]] = (),
) -> dict[str, str]:
    """Return the provenance table of a report: ``more`` first, then chain, weights, versions.

    models: (task, id) of those that were measured where no single recognizer was.
    """
    rows = {name: str(value) for name, value in more.items() if value not in ("", None)}
    if recognizer is not None:
        evidence = recognizer.chain.evidence
        rows |= {
            "preset": evidence["preset"],
            "detector": evidence["detector"],
            "landmarks": evidence["landmarker"] or "as the detector gives them",
            "layout": evidence["layout"],
            "preprocessing": evidence["preprocessing"] or "none",
            "space": recognizer.space.id,
        }
        models = (*recognizer.chain.preset.models, *models)
    known = catalog.default()
    for task, model in dict.fromkeys(models):
        spec = known.spec(task, model)
        rows |= {f"weights of {spec.id}: {name}": digest for name, digest in _files(spec)}
    rows["versions"] = ", ".join(f"{name} {version}" for name, version in versions().items())
    rows["machine"] = f"{platform.system()} {platform.machine()}"
    return rows


def _files(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    """Yield (file, SHA-256 of what arrives), the first known source of each."""
    for file in spec.weights:
        yield file.name, file.sources[0].sha256
