"""The catalog: every model and layout that is known, found by id.

Our own folders are looked into, and packages that announce theirs; nothing runs but imports.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from facelign.errors import ConfigError, FacelignError, UnknownModel
from facelign.files.home import expanded, home_folder
from facelign.types.contracts import Layout
from facelign.types.specs import ModelSpec, Task

MODEL_PACKAGES = (
    "facelign.detect.models",
    "facelign.landmark.models",
    "facelign.embed.models",
    "facelign.quality.models",
    "facelign.quality.poses",
    "facelign.liveness.models",
    "facelign.segment.models",
)
LAYOUTS = "facelign.align.layouts"
ENTRY_POINTS = "facelign.models"
#: names that a hint lists, where none is near
_MOST_NAMES = 40

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

        spec = specfile.read(expanded(path), self.like)
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

    def like(self, task: Task | str, model_id: str) -> ModelSpec:
        """Return the record that one of the user's own may be like: a model's, or a way of reading
        networks that is no model (``READINGS`` of a module); raises UnknownModel.
        """
        for package in MODEL_PACKAGES:
            for module in modules(package, model_id):
                for found in getattr(module, "READINGS", ()):
                    if (found.task, found.id) == (Task(task), model_id):
                        return found  # type: ignore[no-any-return]
        return self.spec(task, model_id)

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

    def _factory(self, layout_id: str) -> LayoutFactory | None:
        return self._layouts[layout_id][0] if layout_id in self._layouts else None

    def layout(self, layout_id: str, **options: object) -> Layout:
        """Return the layout of that id, made with ``options``; raises UnknownModel."""
        found = self._factory(layout_id)
        if found is None:
            raise self._unknown("layout", layout_id, self.layouts())
        try:
            return found(**options)
        except TypeError as problem:
            import inspect

            known = list(inspect.signature(found).parameters)
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

    def layout_of_size(
        self, layout_id: str, wanted: tuple[int, int] | None, /, **options: object
    ) -> Layout:
        """Return the layout of that id in the wanted size (width, height), px, if it has it.

        It has another where it cannot be made so, where a ``size`` is among the options, and where
        none is wanted. Raises as ``layout``.
        """
        made = self.layout(layout_id, **options)
        if wanted is None or wanted == made.size or "size" in options:
            return made
        width, height = wanted
        sides = {"size": width} if width == height else {"size": width, "height": height}
        try:
            return self.layout(layout_id, **options, **sides)
        except ConfigError:
            return made

    def _unknown(self, kind: str, name: str, known: Iterable[str]) -> UnknownModel:
        import difflib

        names = sorted(set(known))
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        every = f"Known: {', '.join(names)}."
        if len(names) > _MOST_NAMES:
            every = f"There are {len(names)}, see: facelign models list."
        hint = f"Did you mean {' or '.join(near)}?" if near else every
        if self.broken:
            places = (f"{broken.place}: {broken.reason}" for broken in self.broken)
            hint += f" These could not be read: {'; '.join(places)}"
        return UnknownModel(f"There is no {kind} '{name}'.", hint)


def _twice(what: str, first: str, second: str) -> ConfigError:
    return ConfigError(
        f"The {what} is defined twice: in {first} and in {second}.", "Give one of them another id."
    )


def modules(package: str, like: str = "") -> Iterator[ModuleType]:
    """Yield the modules of a package, in the order of their names; nothing runs but imports.

    like: an id; only those whose file is named like it, as ``sface.py`` is like "sface-int8".
    """
    folder, stem = import_module(package), like.replace("-", "_")
    for entry in sorted(pkgutil.iter_modules(folder.__path__), key=lambda m: m.name):
        if not entry.name.startswith("_") and (not like or stem.startswith(entry.name)):
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


def own_models(like: str = "") -> Iterator[Registered]:
    """Yield the records of the models that come with facelign; like: see ``modules``."""
    for package in MODEL_PACKAGES:
        for module in modules(package, like):
            yield from specs_of(module)


def announced_models() -> Iterator[Registered | Broken]:
    """Yield the records of other packages (entry points of the group ``facelign.models``)."""
    from importlib import metadata  # a start that asks for models of our own does not wait for it

    for point in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        place = f"{point.value} (entry point '{point.name}')"
        try:
            module = point.load()
            found = specs_of(module)
        except (ImportError, AttributeError, ConfigError, SyntaxError) as problem:
            yield Broken(place, str(problem))
        else:
            yield from found


def own_layouts(like: str = "") -> Iterator[tuple[str, LayoutFactory, str]]:
    """Yield id, factory and place of the layouts that come with facelign; like: see ``modules``."""
    for module in modules(LAYOUTS, like):
        for factory in getattr(module, "LAYOUTS", ()):
            named = getattr(factory, "id", None)  # else that of what it makes without options
            name = named if isinstance(named, str) else factory().id
            yield name, factory, module.__name__


class Installed(Registry):
    """What there is on this machine, read when it is asked for.

    Most runs want two or three models of our own, which lie in files that are named like them; only
    those are loaded. Whoever asks for another one, or for all, has everything read.
    """

    def __init__(self, home: Path | None = None) -> None:
        self._home = home

    def __getattr__(self, name: str) -> Any:
        if name not in ("_models", "_layouts", "broken"):
            raise AttributeError(name)
        vars(self).update(vars(_read(self._home)))
        return vars(self)[name]

    def spec(self, task: Task | str, model_id: str) -> ModelSpec:
        """Return the record of a model; raises UnknownModel, which lists near names."""
        for found in own_models(model_id):
            if (found.spec.task, found.spec.id) == (task, model_id):
                return found.spec
        return super().spec(task, model_id)

    def _factory(self, layout_id: str) -> LayoutFactory | None:
        for name, factory, _ in own_layouts(layout_id):
            if name == layout_id:
                return factory
        return super()._factory(layout_id)


def default(home: Path | None = None) -> Registry:
    """Return a registry of our own models, those of other packages, and the user's own.

    home: folder of facelign, whose ``models`` folder holds the user's records (``models add``);
    None takes FACELIGN_HOME or the user's data folder. A record that cannot be read is noted in
    ``broken``.
    """
    return Installed(home)


def _read(home: Path | None) -> Registry:
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
