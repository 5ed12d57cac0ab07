"""Landmarkers whose files could not be had, on made outputs and networks whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelign.errors import WeightsCorrupt
from facelign.landmark.models import pipnet
from facelign.landmark.models.insight_106 import Insight106
from facelign.models.catalog import default
from facelign.runtime.onnx import OnnxOptions
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import INSIGHT_106, WFLW_98
from facelign.types.specs import Task

BOX = np.array([[100, 50, 200, 190]], np.float32)


def faces(image: Image, boxes: np.ndarray = BOX) -> Faces:
    return Faces(boxes, np.ones(len(boxes), np.float32), None, "by hand", image.size)


def mean_face(path: Path, count: int, seed: int = 3) -> np.ndarray:
    points = np.random.default_rng(seed).uniform(0, 1, (count, 2))
    path.write_text(" ".join(f"{value:.17g}" for value in points.ravel()))
    return points


def constant(path: Path, side: int, arrays: dict[str, np.ndarray]) -> Path:
    """Write a network that gives these arrays, whatever it sees."""
    nodes = [
        helper.make_node("ReduceSum", ["input"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
    ]
    weights = [numpy_helper.from_array(np.zeros(1, np.float32), "zero")]
    outputs = []
    for name, value in arrays.items():
        weights.append(numpy_helper.from_array(value.astype(np.float32), f"{name}_is"))
        nodes.append(helper.make_node("Add", [f"{name}_is", "nothing"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape))
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, side, side])
    graph = helper.make_graph(nodes, "made", [given], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)
    return path


def test_neighbors_are_those_of_the_mean_face(tmp_path: Path) -> None:
    points = mean_face(tmp_path / "mean.txt", 68)
    near = pipnet.nearest(tmp_path / "mean.txt", 68)
    for point in range(68):
        others = sorted(
            set(range(68)) - {point}, key=lambda o: np.hypot(*(points[o] - points[point]))
        )
        assert near[point].tolist() == others[:10]


@pytest.mark.parametrize("text", ["", "a b c", "1 2 3", "nan " * 136, "<html>not here</html>"])
def test_a_file_that_is_no_mean_face_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mean.txt").write_text(text)
    with pytest.raises(WeightsCorrupt, match="mean face of 68"):
        pipnet.nearest(tmp_path / "mean.txt", 68)


def test_a_point_is_the_mean_of_what_it_and_its_neighbors_say(tmp_path: Path) -> None:
    """Plain loops over the authors' rule give the same places."""
    chance = np.random.default_rng(5)
    count = 98
    mean_face(tmp_path / "mean.txt", count)
    near = pipnet.nearest(tmp_path / "mean.txt", count)
    shapes = [count, count, count, 10 * count, 10 * count]
    chances, x, y, near_x, near_y = (chance.uniform(0, 1, (n, 8, 8)) for n in shapes)
    said: list[list[tuple[float, float]]] = [[] for _ in range(count)]
    for point in range(count):
        row, column = np.unravel_index(chances[point].argmax(), (8, 8))
        said[point].append((column + x[point, row, column], row + y[point, row, column]))
        for place, other in enumerate(near[point]):
            channel = 10 * point + place
            said[other].append(
                (column + near_x[channel, row, column], row + near_y[channel, row, column])
            )
    expected = np.array([np.mean(one, axis=0) / 8 for one in said])
    found = pipnet.decoded([chances, x, y, near_x, near_y], near)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_pipnet_looks_at_the_box_with_a_tenth_more_and_less_above(
    tmp_path: Path, portrait: Image
) -> None:
    arrays = {name: np.zeros((1, 98, 8, 8)) for name in ("chances", "x", "y")}
    arrays["chances"][0, :, 4, 4] = 1  # every point in the middle, so do all neighbors say
    arrays |= {name: np.zeros((1, 980, 8, 8)) for name in ("near_x", "near_y")}
    mean_face(tmp_path / "mean.txt", 98)
    spec = default().spec(Task.LANDMARK, "pipnet-98")
    network = constant(tmp_path / "made.onnx", 256, arrays)
    files = dict(zip([w.name for w in spec.weights], [network, tmp_path / "mean.txt"], strict=True))
    model = pipnet.PipNet(spec, files, pipnet.PipNet.Options(), OnnxOptions())
    marks = model.locate(portrait, faces(portrait)).landmarks
    assert marks is not None
    assert marks.scheme is WFLW_98
    # x from 90 to 210, y from 64 to 204, whole pixels, both ends: 121 and 141 wide
    np.testing.assert_allclose(marks.points, np.full((1, 98, 2), [90 + 60.5, 64 + 70.5]))
    none = model.locate(portrait, faces(portrait, np.zeros((0, 4), np.float32))).landmarks
    assert none is not None
    assert none.points.shape == (0, 98, 2)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_2d106_counts_from_the_middle_of_the_box(
    tmp_path: Path, portrait: Image, scale: float
) -> None:
    from dataclasses import replace

    image = portrait
    if scale != 1:
        half = np.ascontiguousarray(portrait.pixels[::2, ::2])
        image = replace(portrait, pixels=half, scale=scale, reload=None)
    places = np.random.default_rng(1).uniform(-1, 1, (1, 212)).astype(np.float32)
    spec = default().spec(Task.LANDMARK, "2d106")
    network = constant(tmp_path / "made.onnx", 192, {"places": places})
    model = Insight106(spec, {spec.weights[0].name: network}, Insight106.Options(), OnnxOptions())
    marks = model.locate(image, faces(image)).landmarks
    assert marks is not None
    assert marks.scheme is INSIGHT_106
    expected = np.array([150, 120]) + places.reshape(106, 2) * (140 * 1.5 / 2)
    np.testing.assert_allclose(marks.points[0], expected, rtol=1e-5)
