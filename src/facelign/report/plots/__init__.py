"""One file a figure: ``draw(...)`` returns a Plot, ``example()`` draws it from made-up numbers.

A new figure is one new file here; the list, the tests and the reference page find it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from facelign.errors import ConfigError
from facelign.report.plot import Plot


def names() -> tuple[str, ...]:
    """Return the names of all figures, sorted."""
    return tuple(sorted(module.name for module in iter_modules(__path__)))


def find(name: str) -> Callable[..., Plot]:
    """Return the ``draw`` function of a figure; raises ConfigError for an unknown name."""
    return _of(name, "draw")


def example(name: str) -> Plot:
    """Return a figure drawn from made-up numbers: what it looks like before there is data."""
    return _of(name, "example")()


def _of(name: str, function: str) -> Callable[..., Plot]:
    if name not in names():
        raise ConfigError(f"There is no figure '{name}'.", f"There are: {', '.join(names())}.")
    found: Callable[..., Plot] = getattr(import_module(f"{__name__}.{name}"), function)
    return found
