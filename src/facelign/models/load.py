"""From a record to a model that works."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from facelign.errors import ConfigError, ModelError
from facelign.models.weights.store import Store
from facelign.runtime.onnx import OnnxOptions
from facelign.types.specs import ModelSpec


def model_class(spec: ModelSpec) -> Any:
    """Return the class that ``spec.entry`` names; raises ModelError when it is not there."""
    module, _, name = spec.entry.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as problem:
        raise ModelError(
            f"The class of {spec.id}, {spec.entry}, cannot be imported: {problem}.",
            "Check the record of the model, or reinstall the package that it comes from.",
        ) from problem


def merged_options(spec: ModelSpec, options: Mapping[str, object]) -> object:
    """Return the options dataclass of the model: its own defaults, the record's, then ``options``.

    Raises ConfigError for names that it has not.
    """
    kind = getattr(model_class(spec), "Options", None)
    if kind is None or not dataclasses.is_dataclass(kind):
        raise ModelError(f"{spec.entry} has no dataclass 'Options'.", "Give the class one.")
    fields = {field.name for field in dataclasses.fields(kind) if field.init}
    values = {**spec.defaults, **options}
    unknown = sorted(set(values) - fields)
    if unknown:
        raise ConfigError(
            f"{spec.id} has no option '{unknown[0]}'.",
            f"It has: {', '.join(sorted(fields)) or 'none'}.",
        )
    kinds: Any = kind
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kinds(**plain)
    except (TypeError, ValueError) as problem:
        said = ", ".join(f"{name} = {value!r}" for name, value in plain.items())
        raise ConfigError(
            f"The options of {spec.id} do not fit: {problem}.", f"They are: {said}."
        ) from problem


def load(
    spec: ModelSpec,
    store: Store,
    *,
    options: Mapping[str, object] | None = None,
    engine: OnnxOptions | None = None,
) -> Any:
    """Return the model of ``spec``, ready to work.

    Raises WeightsMissing (the hint is the pull command), LicenseRefused, WeightsCorrupt,
    ExtraMissing or ConfigError. Nothing is downloaded.
    """
    chosen = merged_options(spec, options or {})
    files = store.ready(spec)
    return model_class(spec)(spec, files, chosen, engine or OnnxOptions())
