"""Detectors against annotated boxes."""
