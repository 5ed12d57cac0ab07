"""Looking for models and layouts: our own folders, and packages that announce theirs."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from types import ModuleType

from facelign.errors import ConfigError
from facelign.types.contracts import Layout
from facelign.types.specs import ModelSpec

MODEL_PACKAGES = (
    "facelign.detect.models",
    "facelign.landmark.models",
    "facelign.embed.models",
)
LAYOUT_PACKAGES = ("facelign.align.layouts",)
ENTRY_POINTS = "facelign.models"

LayoutFactory = Callable[..., Layout]


@dataclass(frozen=True, slots=True)
class Registered:
    """A record and the place where it is written."""

    spec: ModelSpec
    place: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A place that should give records and fails; shown with every list, never swallowed."""

    place: str
    reason: str


def modules(package: str) -> Iterator[ModuleType]:
    """Yield the modules of a package, in the order of their names; nothing runs but imports."""
    folder = import_module(package)
    for entry in sorted(pkgutil.iter_modules(folder.__path__), key=lambda m: m.name):
        if not entry.name.startswith("_"):
            yield import_module(f"{package}.{entry.name}")


def specs_of(module: ModuleType) -> tuple[Registered, ...]:
    """Return the records of a module (its ``SPECS``); raises ConfigError when they are none."""
    records = getattr(module, "SPECS", ())
    if not all(isinstance(record, ModelSpec) for record in records):
        raise ConfigError(
            f"SPECS of {module.__name__} holds something else than ModelSpec.",
            "See facelign.types.specs.",
        )
    return tuple(Registered(record, module.__name__) for record in records)


def own_models() -> Iterator[Registered]:
    """Yield the records of the models that come with facelign."""
    for package in MODEL_PACKAGES:
        for module in modules(package):
            yield from specs_of(module)


def announced_models() -> Iterator[Registered | Broken]:
    """Yield the records of other packages (entry points of the group ``facelign.models``)."""
    for point in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        place = f"{point.value} (entry point '{point.name}')"
        try:
            module = point.load()
            found = specs_of(module)
        except (ImportError, AttributeError, ConfigError, SyntaxError) as problem:
            yield Broken(place, str(problem))
        else:
            yield from found


def own_layouts() -> Iterator[tuple[str, LayoutFactory, str]]:
    """Yield id, factory and place of every layout that comes with facelign."""
    for package in LAYOUT_PACKAGES:
        for module in modules(package):
            for factory in getattr(module, "LAYOUTS", ()):
                yield layout_id(factory), factory, module.__name__


def layout_id(factory: LayoutFactory) -> str:
    """Return the id of what ``factory`` makes when it is asked for no options."""
    named = getattr(factory, "id", None)
    return named if isinstance(named, str) else factory().id
