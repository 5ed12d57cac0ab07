"""Protocols, fitting and records of measurements: arrays in, plain records out.

``photos`` alone opens photos, through a recognizer. scikit-learn and SciPy live in this room.
"""

from __future__ import annotations

from importlib.util import find_spec

from facelign.errors import ExtraMissing

for _name, _wheel in (("scipy", "SciPy"), ("sklearn", "scikit-learn")):
    if find_spec(_name) is None:
        raise ExtraMissing(
            f"Measuring needs {_wheel}, which is not installed.", "pip install 'facelign[evaluate]'"
        )
