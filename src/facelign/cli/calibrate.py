"""``facelign calibrate``."""

from __future__ import annotations

from facelign.cli import options


def calibrate(json: options.Json = False) -> int:
    """To be written."""
    return 0
