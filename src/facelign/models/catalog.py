"""The catalog: every model and layout that is known, found by id.

Our own folders are looked into, and packages that announce theirs; nothing runs but imports.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from facelign.errors import ConfigError, FacelignError, UnknownModel
from facelign.files.home import expanded, home_folder
from facelign.types.contracts import Layout
from facelign.types.specs import ModelSpec, Task

MODEL_PACKAGES = (
    "facelign.detect.models",
    "facelign.landmark.models",
    "facelign.embed.models",
    "facelign.quality.models",
    "facelign.liveness.models",
)
LAYOUTS = "facelign.align.layouts"
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


class Registry:
    """Models by task and id, layouts by id. Made from places to look; holds records only."""

    def __init__(
        self,
        models: Iterable[Registered | Broken] = (),
        layouts: Iterable[tuple[str, LayoutFactory, str]] = (),
    ) -> None:
        self._models: dict[tuple[Task, str], Registered] = {}
        self._layouts: dict[str, tuple[LayoutFactory, str]] = {}
        #: places that should give records and do not
        self.broken: tuple[Broken, ...] = ()
        for entry in models:
            self._add(entry)
        for name, factory, place in layouts:
            if name in self._layouts:
                raise _twice(f"layout '{name}'", self._layouts[name][1], place)
            self._layouts[name] = (factory, place)

    def _add(self, entry: Registered | Broken) -> None:
        if isinstance(entry, Broken):
            self.broken = (*self.broken, entry)
            return
        key = (entry.spec.task, entry.spec.id)
        if key in self._models:
            what = f"{entry.spec.task} model '{entry.spec.id}'"
            raise _twice(what, self._models[key].place, entry.place)
        self._models[key] = entry

    def add_file(self, path: str | Path) -> ModelSpec:
        """Add the model that a TOML file describes; return its record (see ``specfile``)."""
        from facelign.models import specfile

        spec = specfile.read(expanded(path), self.spec)
        self._add(Registered(spec, str(path)))
        return spec

    def specs(self, task: Task | None = None) -> list[ModelSpec]:
        """Return all records, or those of one task, in the order of task and id."""
        order = list(Task)
        keys = sorted(self._models, key=lambda key: (order.index(key[0]), key[1]))
        return [self._models[key].spec for key in keys if task is None or key[0] is task]

    def spec(self, task: Task | str, model_id: str) -> ModelSpec:
        """Return the record of a model; raises UnknownModel, which lists near names."""
        task = Task(task)
        found = self._models.get((task, model_id))
        if found is None:
            raise self._unknown(f"{task} model", model_id, [s.id for s in self.specs(task)])
        return found.spec

    def find(self, model_id: str) -> list[ModelSpec]:
        """Return the records of that id in every task; raises UnknownModel if there is none."""
        found = [spec for spec in self.specs() if spec.id == model_id]
        if not found:
            raise self._unknown("model", model_id, [s.id for s in self.specs()])
        return found

    def place(self, spec: ModelSpec) -> str:
        """Return where the record is written."""
        return self._models[spec.task, spec.id].place

    def layouts(self) -> tuple[str, ...]:
        """Return the ids of all layouts."""
        return tuple(sorted(self._layouts))

    def layout(self, layout_id: str, **options: object) -> Layout:
        """Return the layout of that id, made with ``options``; raises UnknownModel."""
        found = self._layouts.get(layout_id)
        if found is None:
            raise self._unknown("layout", layout_id, self.layouts())
        try:
            return found[0](**options)
        except TypeError as problem:
            import inspect

            known = list(inspect.signature(found[0]).parameters)
            unknown = [name for name in options if name not in known]
            if unknown:
                raise ConfigError(
                    f"Layout '{layout_id}' has no option '{unknown[0]}'.",
                    f"It has: {', '.join(known)}." if known else "It has none.",
                ) from problem
            raise ConfigError(
                f"The layout '{layout_id}' cannot be made with {sorted(options)}: {problem}.",
                "See its page in the docs for its options.",
            ) from problem

    def _unknown(self, kind: str, name: str, known: Iterable[str]) -> UnknownModel:
        import difflib

        names = sorted(set(known))
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names)}."
        if self.broken:
            places = (f"{broken.place}: {broken.reason}" for broken in self.broken)
            hint += f" These could not be read: {'; '.join(places)}"
        return UnknownModel(f"There is no {kind} '{name}'.", hint)


def _twice(what: str, first: str, second: str) -> ConfigError:
    return ConfigError(
        f"The {what} is defined twice: in {first} and in {second}.", "Give one of them another id."
    )


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
    if not _announced():
        return
    from importlib import metadata

    for point in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        place = f"{point.value} (entry point '{point.name}')"
        try:
            module = point.load()
            found = specs_of(module)
        except (ImportError, AttributeError, ConfigError, SyntaxError) as problem:
            yield Broken(place, str(problem))
        else:
            yield from found


def _announced() -> bool:
    """Say whether any package may announce models.

    Most machines have none, and to load what asks them properly takes a start 15 to 30 ms.
    """
    group = ENTRY_POINTS.encode()
    for folder in map(Path, sys.path):
        if folder.is_file():
            return True  # an archive: asked properly
        for info in folder.glob("*-info"):  # of distributions and of eggs
            with suppress(OSError):
                if group in info.joinpath("entry_points.txt").read_bytes():
                    return True
    return False


def own_layouts() -> Iterator[tuple[str, LayoutFactory, str]]:
    """Yield id, factory and place of every layout that comes with facelign."""
    for module in modules(LAYOUTS):
        for factory in getattr(module, "LAYOUTS", ()):
            named = getattr(factory, "id", None)  # else that of what it makes without options
            name = named if isinstance(named, str) else factory().id
            yield name, factory, module.__name__


def default(home: Path | None = None) -> Registry:
    """Return a registry of our own models, those of other packages, and the user's own.

    home: folder of facelign, whose ``models`` folder holds the user's records (``models add``);
    None takes FACELIGN_HOME or the user's data folder. A record that cannot be read is noted in
    ``broken``.
    """
    registry = Registry([*own_models(), *announced_models()], own_layouts())
    for path in sorted(own_records(home).glob("*/*.toml")):
        try:
            registry.add_file(path)
        except FacelignError as problem:
            registry.broken = (*registry.broken, Broken(str(path), str(problem)))
    return registry


def own_records(home: Path | None = None) -> Path:
    """Return the folder in which the user's own records lie, one folder a model."""
    return (home or home_folder()) / "models"
