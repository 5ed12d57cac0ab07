"""``facelign.models``: models by id in one line."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable

import pytest

import facelign
from facelign import models
from facelign.gallery.descriptors import DLIB_SPACE
from facelign.models.weights.store import Store
from facelign.runtime.onnx import OnnxOptions
from facelign.types.embeddings import Metric, Space
from facelign.types.image import Image
from facelign.types.specs import Task


def test_ids_by_pattern_and_task() -> None:
    every = models.list()
    assert every == sorted(set(every), key=every.index)
    assert {"yunet", "haar", "mtcnn", "dlib-5", "dlib-68", "sface"} <= set(every)
    assert models.list("yunet*") == ["yunet", "yunet-n"]
    assert models.list("dlib*", task="landmark") == ["dlib-5", "dlib-68"]
    small = ["dlib-resnet", "dlib-resnet-int8", "dlib-resnet-small"]
    assert models.list("dlib*", task=Task.EMBED) == small
    assert models.list("nobody*") == []
    with pytest.raises(ValueError, match="smell"):
        models.list(task="smell")
    tasks = [models.list(task=task) for task in Task]
    assert set().union(*map(set, tasks)) == set(every)


def test_a_space_by_its_id_or_by_the_embedder() -> None:
    assert models.space("sface").id == "sface/arcface-112/five"
    assert models.space("sface-int8") == models.space("sface")
    assert models.space("dlib-resnet") == DLIB_SPACE
    joined = models.space("dlib-resnet/dlib-150/five/clahe/flip/unit")
    assert joined == Space("dlib-resnet/dlib-150/five/clahe/flip/unit", 128, Metric.COSINE, True)
    with pytest.raises(facelign.UnknownModel, match="facenet"):
        models.space("facenet")
    for wrong in (
        "sface/arcface-112/five/raw/flip",
        "sface/arcface-112/five/unit",
        "sface/x/y/z/z",
    ):
        with pytest.raises(facelign.ConfigError, match="no space 'sface"):
            models.space(wrong)


def test_a_layout_with_its_options() -> None:
    assert models.layout("arcface-112", size=224).size == (224, 224)
    with pytest.raises(facelign.UnknownModel, match="arcface-11'"):
        models.layout("arcface-11")
    with pytest.raises(facelign.ConfigError, match="color"):
        models.layout("arcface-112", color="red")


@pytest.mark.weights
def test_models_work_as_they_come(pulled: Callable[..., Store], portrait: Image) -> None:
    known = models.default()
    pulled(known.spec(Task.DETECT, "yunet"), known.spec(Task.EMBED, "sface"))
    detector = models.detector("yunet", score_threshold=0.65, engine=OnnxOptions(threads=2))
    assert detector.spec.id == "yunet"
    assert detector.options.score_threshold == 0.65  # type: ignore[attr-defined]
    assert len(detector.detect(portrait)) == 1
    embedder = models.embedder("sface", flip=True)
    assert embedder.space.id == "sface/arcface-112/five/flip"
    models.pull("yunet", "sface")  # here already: nothing is fetched


def test_what_is_not_there_is_told_with_what_is_near() -> None:
    for load, name, near in (
        (models.detector, "yunett", "yunet"),
        (models.landmarker, "dlib-69", "dlib-68"),
        (models.embedder, "sfaces", "sface"),
        (models.pull, "yunett", "yunet"),
    ):
        with pytest.raises(facelign.UnknownModel, match=near):
            load(name)


def test_absent_weights_are_never_fetched_by_loading(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path))
    with pytest.raises(facelign.WeightsMissing, match="facelign models pull yunet"):
        models.detector("yunet")
    assert list(tmp_path.rglob("*.onnx")) == []
    with pytest.raises(facelign.ConfigError, match="shape"):
        models.detector("yunet", shape=3)


def test_every_function_is_documented() -> None:
    for name in ("list", "detector", "landmarker", "embedder", "layout", "pull"):
        assert inspect.getdoc(getattr(models, name)), name


def test_the_module_comes_with_the_package_and_costs_nothing_before() -> None:
    code = (
        "import sys, facelign; assert 'numpy' not in sys.modules;"
        "assert 'facelign.models' not in sys.modules;"
        "facelign.models.list; assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
