"""``facelign evaluate``: error rates with intervals, on photos whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import typer

#: commands in the order of --help: name -> module:function in this folder
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "verification": "verification:verification",
        "identification": "identification:identification",
        "landmarks": "landmarks:landmarks",
        "detection": "detection:detection",
        "pad": "pad:pad",
        "compare": "compare:compare",
        "ensemble": "ensemble:ensemble",
        "plan": "plan:plan",
    }
)

app = typer.Typer(
    help="Measure error rates, with intervals, on photos whose truth is known.",
    no_args_is_help=True,
)
for _name, _place in COMMANDS.items():
    _module, _, _function = _place.partition(":")
    app.command(_name)(getattr(import_module(f"{__name__}.{_module}"), _function))
