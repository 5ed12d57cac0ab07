"""A wrong color, scale or layout of an embedder is told on real faces, and the right one named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facelign import models
from facelign.cli.adding import faces_of
from facelign.models.weights.store import Store
from facelign.recognition.readings import Verdict, tried
from facelign.types.specs import InputSpec

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
