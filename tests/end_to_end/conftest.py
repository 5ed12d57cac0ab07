"""A folder of photos made from the portrait, and the command line as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL import ImageEnhance, ImageOps


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]


Run = Callable[..., Ran]


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """people/Eileen (two photos), probes/ (changed copies), probes/cat.jpg (nobody)."""
    from skimage import data

    root = tmp_path_factory.mktemp("portraits")
    portrait = Pillow.fromarray(data.astronaut())
    people, probes = root / "people" / "Eileen", root / "probes"
    people.mkdir(parents=True)
    probes.mkdir()
    portrait.save(people / "one.png")
    portrait.crop((60, 0, 400, 340)).resize((500, 500)).save(people / "two.jpg", quality=92)
    ImageOps.mirror(portrait).save(probes / "mirrored.jpg", quality=85)
    ImageEnhance.Brightness(portrait).enhance(0.45).save(probes / "dark.jpg", quality=90)
    portrait.rotate(20, expand=True).save(probes / "tilted.jpg", quality=90)
    portrait.transpose(Pillow.Transpose.ROTATE_90).save(probes / "sideways.jpg", quality=90)
    Pillow.fromarray(data.chelsea()).save(probes / "cat.jpg", quality=90)
    return root


@pytest.fixture(autouse=True)
def _weights_are_here(request: pytest.FixtureRequest) -> None:
    """Bring what a plain run has for the tests marked ``weights``, in whatever order they run."""
    if request.node.get_closest_marker("weights"):
        request.getfixturevalue("plain_weights")


@pytest.fixture
def facelign(facelign_home: Path) -> Run:
    """Run ``facelign ...`` in a process of its own, against the tests' own home."""

    def run(*words: object, timeout: float = 300, **environment: str) -> Ran:
        env = {k: v for k, v in os.environ.items() if not k.startswith("FACELIGN_LICENSE")}
        env |= {
            "FACELIGN_HOME": str(facelign_home),
            "NO_COLOR": "1",
            "COLUMNS": "300",
        } | environment
        done = subprocess.run(
            [sys.executable, "-m", "facelign", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=env,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
