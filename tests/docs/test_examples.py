"""Each script of examples/ runs as its own text says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.weights
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_runs(script, desk):
    usage = re.search(rf"^python examples/{script.name}(.*)$", script.read_text("utf-8"), re.M)
    assert usage, "its text says how to run it"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), *shlex.split(usage[1])],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
