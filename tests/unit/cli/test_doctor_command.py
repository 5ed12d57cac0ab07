"""facelign doctor tells the truth about this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from facelign.cli import doctor as room
from facelign.models import default
from facelign.models.weights.store import Store
from facelign.recognition.presets import PRESETS
from facelign.runtime.onnx import available_providers

SHARED = Path(__file__).parents[4] / "shared" / "weights"


def _run(*words: str) -> str:
    app = typer.Typer()
    app.command()(room.doctor)
    result = CliRunner().invoke(app, words)
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FACELIGN_MIRROR", raising=False)
    return tmp_path / "home"


def test_versions_and_processor() -> None:
    found = room.versions()
    assert found["numpy"] == np.__version__
    assert set(found) >= {"facelign", "python", "system", "onnxruntime", "opencv"}
    cpu = room.processor()
    assert 1 <= cpu["usable_cores"] <= cpu["cores"]


def test_an_empty_home_is_told_with_the_command_that_helps(home: Path) -> None:
    report = json.loads(_run("--json"))
    assert report["settings"]["home"] == str(home)
    assert report["engine"]["providers"] == list(available_providers())
    assert [m["id"] for m in report["models"]] == []
    assert report["self_test"]["ok"] is False
    assert "facelign models pull yunet" in report["self_test"]["hint"]
    assert "models here: none" in _run()


def test_what_libraries_would_do_by_themselves_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    assert "onnxruntime, telemetry: off (ORT_DISABLE_TELEMETRY=1)" in _run()
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    assert "onnxruntime, telemetry: ON (ORT_DISABLE_TELEMETRY=0)" in _run()
    assert [one["off"] for one in json.loads(_run("--json"))["libraries"]] == [False, True]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no weights beside the checkout")
def test_the_self_test_walks_the_portrait(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facelign.cli.models import wanted

    monkeypatch.setenv("FACELIGN_MIRROR", str(SHARED))
    known, store = default(), Store.from_environment()
    store.pull_all(wanted(known, ["default"]))
    report = json.loads(_run("--json"))
    # sface is made from the same file as its form in integers, so it is here too
    assert {m["id"] for m in report["models"]} >= {"yunet", "sface-int8"}
    assert all(f["good"] for m in report["models"] for f in m["files"])
    test = report["self_test"]
    assert test["ok"] is True
    assert test["faces"] == 1
    assert [name.split()[0] for name in test["stages"]] == ["detect", "align", "embed"]
    assert all(stage["ms"] > 0 for stage in test["stages"].values())


@pytest.mark.weights
@pytest.mark.shared
@pytest.mark.parametrize("preset", [p.id for p in PRESETS.values() if p.measured])
def test_the_self_test_of_every_preset(preset: str, pulled: Callable[..., Store]) -> None:
    known = default()
    pulled(*(known.spec(task, model) for task, model in PRESETS[preset].models))
    test = room.self_test(preset)
    assert test["ok"], test
    embeds = [name for name in test["stages"] if name.startswith("embed ")]
    assert embeds == [f"embed {part.model}" for part in PRESETS[preset].parts]


def test_without_a_portrait_it_says_so() -> None:
    image, subject = room.pattern()
    assert "no portrait" in subject
    assert image.size == (512, 512)
