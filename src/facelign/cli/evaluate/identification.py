"""``facelign evaluate identification``."""

from __future__ import annotations

from facelign.cli import options


def identification(json: options.Json = False) -> int:
    """To be written."""
    return 0
