"""Detectors against annotated boxes."""

from facelign.lab import needs

needs("scipy", "sklearn")
