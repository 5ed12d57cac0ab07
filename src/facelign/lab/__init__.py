"""Protocols, fitting and records of measurements, a folder each, on statistics and material.

In every folder ``figures`` goes from arrays to numbers, ``run`` from photos to a record, ``report``
from a record to a page. ``material.photos`` alone opens photos, through a recognizer.
"""

from __future__ import annotations

from importlib.util import find_spec

from facelign.errors import ExtraMissing

#: what is imported -> how it is called where packages are installed
_WHEELS = {"scipy": "SciPy", "sklearn": "scikit-learn"}


def needs(*packages: str) -> None:
    """Raise ExtraMissing unless the packages can be imported: the rooms that use them ask first."""
    for name in packages:
        if find_spec(name) is None:
            raise ExtraMissing(
                f"Measuring needs {_WHEELS[name]}, which is not installed.",
                "pip install 'facelign[evaluate]'",
            )
