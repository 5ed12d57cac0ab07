"""Embedders whose files could not be had: made networks tell what theirs would be fed with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign.embed.batch import OnnxEmbedder
from facelign.errors import WeightsMissing
from facelign.models.catalog import default
from facelign.models.convert.graph import FLOAT32, Graph, Node, Value, serialize
from facelign.models.weights.store import Store
from facelign.runtime.onnx import OnnxOptions
from facelign.types.chips import Chips
from facelign.types.specs import UNSEEN_EMBEDDER, EmbedderOutput, Task

#: by id: what a record tells of itself stays out of the way of the laws that need its file
SPECS = {spec.id: spec for spec in default().specs(Task.EMBED) if spec.unseen == UNSEEN_EMBEDDER}
#: (color of the first plane, what 0 and 255 become) by family, as the publishers say
FED = {"adaface": ("blue", -1, 1)}
STILL = np.array([[[1.0, 0, 0], [0, 1, 0]]])


def means(path: Path, dim: int, batch: int | str) -> None:
    """A network whose vector holds the mean of each plane, and a 1 to have a length."""
    graph = Graph(
        [
            Node("GlobalAveragePool", ["picture"], ["means"]),
            Node("Flatten", ["means"], ["flat"], {"axis": 1}),
            Node("MatMul", ["flat", "wide"], ["spread"]),
            Node("Add", ["spread", "one"], ["vector"]),
        ],
        {
            "wide": np.eye(3, dim, dtype=np.float32),
            "one": np.eye(1, dim, dim - 1, dtype=np.float32),
        },
        [Value("picture", FLOAT32, [batch, 3, 112, 112])],
        [Value("vector", FLOAT32, [batch, dim])],
        17,
        8,
    )
    path.write_bytes(serialize(graph))


@pytest.mark.parametrize("batch", ["n", 1])
@pytest.mark.parametrize("name", SPECS)
def test_it_would_be_fed_as_its_publisher_says(name: str, tmp_path: Path, batch: int | str) -> None:
    spec = SPECS[name]
    output, file = spec.output, spec.weights[0].name
    assert isinstance(output, EmbedderOutput)
    means(tmp_path / file, output.dim, batch)
    options = OnnxEmbedder.Options(unit=False)
    model = OnnxEmbedder(spec, {file: tmp_path / file}, options, OnnxOptions())
    red = np.zeros((2, 112, 112, 3), np.uint8)
    red[..., 0] = 255
    found = model.embed(Chips(red, "arcface-112", np.repeat(STILL, 2, 0), "five")).vectors
    order, low, high = FED.get(spec.id.split("-")[0], ("red", -1, 1))
    planes = [high, low, low] if order == "red" else [low, low, high]
    np.testing.assert_allclose(found[:, :3], [planes] * 2, atol=1e-6)
    assert found.shape == (2, output.dim)


@pytest.mark.parametrize("name", SPECS)
def test_what_is_not_here_says_how_it_comes_and_what_it_forbids(name: str, tmp_path: Path) -> None:
    spec = SPECS[name]
    with pytest.raises(WeightsMissing) as absent:
        Store(tmp_path).ready(spec)
    assert f"facelign models pull {spec.id}" in str(absent.value.hint)
    if spec.license.commercial == "no":
        assert spec.license.weights in absent.value.message


def test_none_of_the_closed_weights_passes_the_guard() -> None:
    closed = {spec.id for spec in SPECS.values() if spec.license.commercial == "no"}
    assert closed == {"arcface-r50", "arcface-mbf", "edgeface-xxs", "edgeface-xs", "edgeface-s"}
