"""What embedders share, on small real ONNX graphs; fusions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from facelign.embed.batch import EmbedderOptions, OnnxEmbedder
from facelign.embed.joint import Joint, shares
from facelign.embed.models import dlib_resnet, mobilefacenet, sface
from facelign.errors import BadArray, ConfigError, ModelError, ModelMismatch
from facelign.models.load import merged_options
from facelign.runtime.blob import blob_of
from facelign.runtime.onnx import OnnxOptions
from facelign.types.chips import Chips
from facelign.types.embeddings import Metric
from facelign.types.specs import DetectorOutput, EmbedderOutput, InputSpec

SIDE = 4


def spec_of(model_id: str = "tiny", **changes: Any) -> Any:
    base = sface.SPECS[0]
    given = {
        "id": model_id,
        "input": InputSpec(size=(SIDE, SIDE)),
        "output": EmbedderOutput(dim=6, metric=Metric.COSINE, unit=True, layout="arcface-112"),
    }
    return replace(base, **{**given, **changes})


def graph(
    folder: Path,
    *,
    batch: int | str = "N",
    kind: int = TensorProto.FLOAT,
    shape: tuple[int, ...] = (3, SIDE, SIDE),
    seed: int = 0,
    scale: float = 1.0,
    dim: int = 6,
) -> dict[str, Path]:
    """A linear map of all pixels, as the weight file of a record."""
    count = int(np.prod(shape))
    weights = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32) * scale
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["f"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["v"]),
    ]
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("x", kind, [batch, *shape])],
            [helper.make_tensor_value_info("v", TensorProto.FLOAT, [batch, dim])],
            [numpy_helper.from_array(weights, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    path = folder / f"tiny{seed}{batch}{kind}.onnx"
    onnx.save(made, path)
    return {sface.SPECS[0].weights[0].name: path}


def some_chips(n: int, layout: str = "arcface-112") -> Chips:
    pixels = np.random.default_rng(n).integers(0, 256, (n, SIDE, SIDE, 3), np.uint8)
    return Chips(pixels, layout, np.zeros((n, 2, 3)))


def embedder(folder: Path, spec: Any = None, *, seed: int = 0, **options: Any) -> OnnxEmbedder:
    shape = {
        k: options.pop(k) for k in ("batch_axis", "kind", "shape", "scale", "dim") if k in options
    }
    if "batch_axis" in shape:
        shape["batch"] = shape.pop("batch_axis")
    files = graph(folder, seed=seed, **shape)
    return OnnxEmbedder(spec or spec_of(), files, EmbedderOptions(**options), OnnxOptions())


def test_pixels_become_what_the_record_says() -> None:
    pixels = np.arange(2 * 2 * 3 * 3, dtype=np.uint8).reshape(2, 2, 3, 3)
    mean, std = (1.0, 2.0, 3.0), (2.0, 4.0, 8.0)
    blob = blob_of(pixels, InputSpec(size=None, mean=mean, std=std))
    assert (blob.shape, blob.dtype) == ((2, 3, 2, 3), np.float32)
    assert np.allclose(blob[1, 2, 1, 2], (pixels[1, 1, 2, 2] - 3) / 8)
    swapped = blob_of(pixels, InputSpec(size=None, order="bgr", mean=mean, std=std))
    assert np.allclose(swapped[1, 0, 1, 2], (pixels[1, 1, 2, 2] - 1) / 2), (
        "mean goes with the plane"
    )
    last = blob_of(pixels, InputSpec(size=None, mean=mean, std=std, axes="nhwc"))
    assert np.allclose(last.transpose(0, 3, 1, 2), blob)
    wide = blob_of(pixels, InputSpec(size=None, axes="nwhc"))
    assert (wide[1, 2, 1] == pixels[1, 1, 2]).all()
    raw = blob_of(pixels, InputSpec(size=None, mean=mean, axes="nhwc"), raw=True)
    assert raw.dtype == np.uint8
    assert (raw == pixels).all()
    with pytest.raises(ModelMismatch, match="gray"):
        blob_of(pixels, InputSpec(size=None, order="gray"))


def test_imagenet_pixels_of_mobilefacenet() -> None:
    # as torchvision does it: x / 255, minus the mean, over the spread
    pixels = np.full((1, 1, 1, 3), 200, np.uint8)
    wanted = (200 / 255 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    blob = blob_of(pixels, mobilefacenet.SPECS[0].input)
    assert np.allclose(blob[0, :, 0, 0], wanted, atol=1e-6)


@pytest.mark.parametrize("n", [1, 5, 9])
@pytest.mark.parametrize("flip", [False, True])
def test_a_batch_fixed_to_one_is_fed_one_by_one(tmp_path: Path, n: int, flip: bool) -> None:
    free = embedder(tmp_path, flip=flip).embed(some_chips(n))
    fixed = embedder(tmp_path, batch_axis=1, flip=flip).embed(some_chips(n))
    assert np.allclose(free.vectors, fixed.vectors, atol=1e-6)
    assert free.vectors.shape == (n, 6)


def test_a_graph_of_bytes_is_fed_with_bytes(tmp_path: Path) -> None:
    record = spec_of(input=InputSpec(size=(SIDE, SIDE), mean=(9.0,) * 3, axes="nhwc"))
    chips = some_chips(3)
    model = embedder(tmp_path, record, kind=TensorProto.UINT8, shape=(SIDE, SIDE, 3), unit=False)
    weights = np.random.default_rng(0).normal(size=(SIDE * SIDE * 3, 6)).astype(np.float32)
    wanted = chips.pixels.reshape(3, -1).astype(np.float32) @ weights
    assert np.allclose(model.embed(chips).vectors, wanted, rtol=1e-4)


def test_flip_averages_raw_vectors_before_they_get_unit_length(tmp_path: Path) -> None:
    chips = some_chips(4)
    mirrored = replace(chips, pixels=chips.pixels[:, :, ::-1])
    raw = embedder(tmp_path, unit=False)
    mean = (raw.embed(chips).vectors + raw.embed(mirrored).vectors) / 2
    found = embedder(tmp_path, flip=True, batch=3).embed(chips)
    assert np.allclose(found.norms, np.linalg.norm(mean, axis=1), rtol=1e-5)
    assert np.allclose(found.vectors * found.norms[:, None], mean, rtol=1e-4, atol=1e-2)


def test_a_network_that_says_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="length 0"):
        embedder(tmp_path, scale=0.0).embed(some_chips(2))


def test_a_record_and_a_file_that_disagree(tmp_path: Path) -> None:
    with pytest.raises(ModelMismatch, match="promises 6 numbers, its network gives 5"):
        embedder(tmp_path, dim=5).embed(some_chips(1))
    with pytest.raises(ModelMismatch, match="not that of an embedder"):
        embedder(tmp_path, spec_of(output=DetectorOutput(scheme=None)))
    with pytest.raises(ConfigError, match="batch"):
        EmbedderOptions(batch=0)


# -- fusions ---------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path: Path) -> tuple[OnnxEmbedder, OnnxEmbedder]:
    euclidean = EmbedderOutput(dim=6, metric=Metric.EUCLIDEAN, unit=False, layout="dlib-150")
    return (
        embedder(tmp_path, spec_of("first")),
        embedder(tmp_path, spec_of("second", output=euclidean), seed=1),
    )


def both_layouts(n: int) -> dict[str, Chips]:
    return {"arcface-112": some_chips(n), "dlib-150": replace(some_chips(n), layout="dlib-150")}


def test_the_cosine_of_a_joint_is_the_weighted_sum_of_cosines(
    pair: tuple[OnnxEmbedder, OnnxEmbedder],
) -> None:
    joint = Joint(pair, (3, 1))
    chips = both_layouts(7)
    found = joint.embed(*chips.values())
    assert joint.space.id == ("joint(first/arcface-112/five*0.7500+second/dlib-150/five*0.2500)")
    assert (joint.space.dim, joint.space.metric, joint.space.unit) == (12, Metric.COSINE, True)
    assert joint.layouts == ("arcface-112", "dlib-150")
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)
    cosines = []
    for part in pair:
        vectors = part.embed(chips[part.layout]).vectors.astype(np.float64)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines.append(vectors @ vectors.T)
    wanted = 0.75 * cosines[0] + 0.25 * cosines[1]
    assert np.allclose(found.vectors @ found.vectors.T, wanted, atol=1e-6)
    assert np.allclose(found.norms, pair[0].embed(chips["arcface-112"]).norms)


def test_a_joint_refuses_what_is_not_its_own(pair: tuple[OnnxEmbedder, OnnxEmbedder]) -> None:
    joint = Joint(pair, (1, 1))
    chips = both_layouts(2)
    with pytest.raises(ModelMismatch, match="dlib-150"):
        joint.embed(chips["arcface-112"])
    with pytest.raises(BadArray, match="same faces"):
        joint.embed(chips["arcface-112"], chips["dlib-150"][:1])
    with pytest.raises(ModelMismatch, match="order"):
        joint.joined([pair[1].embed(chips["dlib-150"]), pair[0].embed(chips["arcface-112"])])
    empty = joint.embed(*both_layouts(0).values())
    assert empty.vectors.shape == (0, 12)


def test_a_joint_can_be_made_of_vectors_that_are_there(
    pair: tuple[OnnxEmbedder, OnnxEmbedder],
) -> None:
    joint = Joint(pair, (1, 1))
    chips = both_layouts(3)
    parts = [part.embed(chips[part.layout]) for part in pair]
    assert (joint.joined(parts).vectors == joint.embed(*chips.values()).vectors).all()


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=5))
def test_shares_sum_to_one_as_they_are_spelled(weights: list[float]) -> None:
    try:
        found = shares(weights, len(weights))
    except ConfigError:
        assert min(weights) / sum(weights) < 1e-3, "only a vanishing share is refused"
        return
    assert sum(found) == pytest.approx(1, abs=1e-12)
    assert [float(f"{share:.4f}") for share in found] == list(found)
    assert np.allclose(found, np.array(weights) / sum(weights), atol=3e-4)


@pytest.mark.parametrize("weights", [(1,), (1, 0), (1, -1), (1, float("nan")), (1, 1, 1), ()])
def test_weights_that_cannot_be_meant(
    pair: tuple[OnnxEmbedder, OnnxEmbedder], weights: tuple[float, ...]
) -> None:
    with pytest.raises(ConfigError):
        Joint(pair, weights)


def test_a_record_has_a_say_on_the_batch_and_the_caller_the_last() -> None:
    for spec in sface.SPECS:  # slower in batches, dlib's network is faster
        assert merged_options(spec, {}) == EmbedderOptions(batch=1)
        assert merged_options(spec, {"batch": 4}) == EmbedderOptions(batch=4)
    assert merged_options(dlib_resnet.SPECS[0], {}) == EmbedderOptions()
