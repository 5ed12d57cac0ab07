"""A wrong color, scale or layout of an embedder is told on real faces, and the right one named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facelign import models
from facelign.cli.adding import OnFaces, faces_of
from facelign.errors import ConfigError
from facelign.files.disk import digest
from facelign.models.convert import rewrites
from facelign.models.convert.graph import FLOAT32, Node, Value, serialize
from facelign.models.convert.onnx_graph import opened
from facelign.models.weights.store import Store
from facelign.recognition.readings import Verdict, tried
from facelign.types.specs import InputSpec, Source, WeightFile

SHARED = Path(__file__).parents[4] / "shared"
LFW = SHARED / "data" / "recognition" / "lfw_100" / "images"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not LFW.is_dir(), reason="no photos beside the checkout"),
]
SCALED = {"mean": (127.5,) * 3, "std": (128.0,) * 3}
WRONG = {
    "right": ({}, ""),
    "color": ({"order": "bgr"}, ""),
    "scale": (SCALED, ""),
    "layout": ({}, "another"),
}
#: dlib's graph reads bytes and scales by itself; its layout is told on several people only
CASES = [
    *((model, wrong, None) for model in ("sface", "mobilefacenet") for wrong in WRONG),
    ("dlib-resnet", "right", None),
    ("dlib-resnet", "color", None),
    ("dlib-resnet", "layout", LFW),
    ("sface", "right", LFW),
    ("mobilefacenet", "color", LFW),
]


@pytest.fixture(scope="module")
def store() -> Store:
    from facelign.files.home import home_folder

    found = Store(home_folder(), str(SHARED / "weights"))
    known = models.default()
    found.pull_all([known.spec("detect", "yunet")])
    return found


def judged(store: Store, model: str, wrong: str, folder: Path | None) -> Verdict:
    known = models.default()
    spec = known.spec("embed", model)
    store.pull(spec)
    changes, layout = WRONG[wrong]
    if layout:
        layout = "crop" if model != "dlib-resnet" else "eyes"
    given = replace(spec.input, **changes)
    output = replace(spec.output, layout=layout or spec.output.layout)
    detector = models.detector("yunet")
    found = tried(
        replace(spec, input=given, output=output), store, faces_of(folder), detector, known
    )
    assert found is not None
    return found


@pytest.mark.parametrize(("model", "wrong", "folder"), CASES)
def test_the_wrong_one_is_told_and_the_right_one_named(
    store: Store, model: str, wrong: str, folder: Path | None
) -> None:
    native = models.default().spec("embed", model)
    verdict = judged(store, model, wrong, folder)
    best: InputSpec = verdict.best.input
    assert verdict.best.fits
    assert best.order == native.input.order
    assert verdict.best.layout == native.output.layout
    assert best.mean == pytest.approx(native.input.mean)
    assert best.std == pytest.approx(native.input.std)
    assert verdict.agrees == (wrong == "right")


def test_lengths_alone_do_not_choose_a_color_in_silence(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """MobileFace reads red first, and gives longer vectors, farther apart, for blue first."""
    known = models.default()
    spec = known.spec("embed", "mobileface-v2")
    store.pull(spec)
    verdict = judged(store, "mobileface-v2", "right", None)
    assert (verdict.best.input.order, verdict.clearly) == ("bgr", False)
    assert verdict.best.length > verdict.asked.length
    assert verdict.best.gap < verdict.asked.gap
    OnFaces(known, open={"order", "scale", "layout"})(spec, store)  # nothing is raised
    assert "it is kept as said" in capsys.readouterr().err


def test_what_is_known_is_told_and_not_refused(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of one's own knows how it fed its network; its command has no flag to say it again."""
    known = models.default()
    spec = known.spec("embed", "sface")
    store.pull(spec)
    for given, told in (
        (replace(spec.input, **SCALED), "would fit better fed otherwise ([input] mean = [0.0"),
        (spec.input, "a face mirrored is nearer"),
    ):
        asked = replace(spec, input=given)
        if given != spec.input:
            with pytest.raises(ConfigError, match="--as-said"):
                OnFaces(known)(asked, store)
        capsys.readouterr()
        OnFaces(known, known=True)(asked, store)
        said = capsys.readouterr().err
        assert told in said
        assert "--" not in said


def test_a_network_that_sees_next_to_nothing_is_tried(store: Store) -> None:
    """Whatever is tried first, every vector is the same: gaps of both signs are rounding."""
    known = models.default()
    spec = known.spec("embed", "mobilefacenet")
    store.pull(spec)
    blind = replace(spec, input=replace(spec.input, std=(3e5,) * 3))
    found = tried(blind, store, faces_of(None), models.detector("yunet"), known)
    assert found is not None
    assert abs(found.asked.gap) < 1e-4
    assert found.best.fits
    assert found.clearly


@pytest.mark.parametrize("right", ["nhwc", "nwhc"])
def test_width_before_height_is_told(store: Store, tmp_path: Path, right: str) -> None:
    """Which of the two comes first shows in no shape: the network is turned round by hand."""
    known = models.default()
    base = known.spec("embed", "mobilefacenet")
    store.pull(base)
    _, made = opened(next(iter(store.raw_files(base)))[2])
    rewrites.free_batch(made)
    turn = [0, 3, 1, 2] if right == "nhwc" else [0, 3, 2, 1]
    made.nodes.insert(0, Node("Transpose", ["turned"], [made.inputs[0].name], {"perm": turn}))
    made.inputs = [Value("turned", FLOAT32, ["n", 112, 112, 3])]
    path = tmp_path / "turned.onnx"
    path.write_bytes(serialize(made))
    source = Source.file(str(path), sha256=digest(path), size=path.stat().st_size)
    weights = (WeightFile(path.name, (source,)),)
    wrong = "nwhc" if right == "nhwc" else "nhwc"
    for said in (right, wrong):
        spec = replace(base, weights=weights, input=replace(base.input, axes=said))
        found = tried(spec, store, faces_of(None), models.detector("yunet"), known)
        assert found is not None
        assert found.best.input.axes == right
        assert found.agrees == (said == right)
        assert found.clearly == (said == wrong)
