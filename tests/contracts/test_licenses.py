"""Every record under the guard, and every id whose weights are not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from facelign.cli.app import run
from facelign.errors import LicenseRefused, WeightsMissing
from facelign.models import catalog
from facelign.models.load import load
from facelign.models.weights.store import Store
from facelign.types.specs import ModelSpec

#: words of licenses that do not let weights be sold
RESTRICTED = ("non-commercial", "noncommercial", "research", "gpl", "-nc")
SPECS = [registered.spec for registered in catalog.own_models()]
IDS = [f"{spec.task}-{spec.id}" for spec in SPECS]


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_the_guard_lets_nothing_pass_that_may_not_be_sold(spec: ModelSpec, tmp_path: Path) -> None:
    verdict = spec.license.commercial
    restricted = [word for word in RESTRICTED if word in spec.license.weights.lower()]
    assert verdict == "no" or not restricted, f"its license says {restricted}"
    for guard, refused in (("commercial", ("no",)), ("strict", ("no", "unclear"))):
        store = Store(tmp_path, guard=guard)
        if verdict in refused:
            for attempt in (store.allowed, store.ready, store.pull):
                with pytest.raises(LicenseRefused, match=spec.id):
                    attempt(spec)
            if not spec.extra:
                with pytest.raises(LicenseRefused):
                    load(spec, store)
        else:
            store.allowed(spec)


@pytest.mark.parametrize("spec", [s for s in SPECS if s.weights], ids=lambda spec: spec.id)
def test_weights_that_are_not_here_are_named_with_command_and_license(
    spec: ModelSpec, tmp_path: Path
) -> None:
    with pytest.raises(WeightsMissing) as caught:
        Store(tmp_path).ready(spec)
    assert f"facelign models pull {spec.id}" in caught.value.hint
    assert f"{spec.id} (license: {spec.license.weights})" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("task", ["detect", "embed"])
def test_the_command_line_ends_with_4(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FACELIGN_LICENSE", raising=False)
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (64, 64)).save(photo)
    for spec in SPECS:
        if spec.task == task and spec.weights and not spec.extra:
            assert run([task, str(photo), *_named(task), spec.id]) == 4, spec.id
            assert "facelign models pull" in " ".join(capsys.readouterr().err.split())


def _named(task: str) -> list[str]:
    return ["--detector"] if task == "detect" else ["--model"]
