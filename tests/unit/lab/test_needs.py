"""What measures asks for its packages with the words that install them; the rest does without."""

from __future__ import annotations

import subprocess
import sys

import pytest


def _imported(without: str, module: str) -> str:
    """Return what the import of a module ends with where a package is not installed."""
    code = f"import sys; sys.modules[{without!r}] = None; import facelign.lab.{module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.parametrize(
    ("without", "module"),
    [("scipy", "statistics.paired"), ("sklearn", "calibration.run"), ("sklearn", "ensemble.run")],
)
def test_a_room_that_uses_a_package_asks_for_it(without: str, module: str) -> None:
    told = _imported(without, module)
    assert "ExtraMissing" in told
    assert "facelign[evaluate]" in told


def test_material_needs_neither_package() -> None:
    assert _imported("sklearn", "material.projection") == ""
    assert _imported("scipy", "material.trials") == ""


@pytest.mark.parametrize("without", ["sklearn", "scipy"])
def test_a_plan_is_arithmetic(without: str) -> None:
    words = ["evaluate", "plan", "--fmr", "1e-3"]
    code = (
        f"import sys; sys.modules[{without!r}] = None; from facelign.cli.app import run;"
        f"sys.exit(run({words!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3,000 non-mated comparisons" in done.stdout
