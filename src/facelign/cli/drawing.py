"""What draws a help, loaded without what no help of facelign needs.

typer's helps and refusals bring rich's Markdown and its tracebacks, and with them a parser of
Markdown and a highlighter of source code: a quarter of the work of ``facelign --help``. Texts here
are rich's own markup, and tracebacks are Python's.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def prepare() -> None:
    """Load what typer draws a help with, unless it is there; the two parts stay away until used."""
    if "typer.rich_utils" in sys.modules:
        return
    put: list[str] = []
    for module, name in (("rich.markdown", "Markdown"), ("rich.traceback", "Traceback")):
        if module not in sys.modules:
            stand_in = ModuleType(module)
            setattr(stand_in, name, type(name, (), {"__new__": _maker(module, name)}))
            sys.modules[module] = stand_in
            put.append(module)
    try:
        import_module("typer.rich_utils")
    except ImportError:  # a later typer asks for more of them, and gets it
        sys.modules.pop("typer.rich_utils", None)
    finally:
        for module in put:
            del sys.modules[module]


def _maker(module: str, name: str) -> Any:
    """Return what makes an object of the class itself, which it loads."""
    return lambda _, *values, **named: getattr(import_module(module), name)(*values, **named)
