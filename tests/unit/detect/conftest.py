"""Detectors by id, loaded through the store and the registry, as users get them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from facelign.models.catalog import default
from facelign.models.load import load


@pytest.fixture(scope="session")
def detector(pulled: Callable[..., Any]) -> Callable[..., Any]:
    """Call with an id and options; brings the weights when they are absent."""
    made: dict[str, Any] = {}

    def make(name: str, **options: object) -> Any:
        key = f"{name}{sorted(options.items())}"
        if key not in made:
            spec = default().spec("detect", name)
            made[key] = load(spec, pulled(spec), options=options)
        return made[key]

    return make
