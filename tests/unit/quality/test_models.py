"""The measures of quality that are models: one without weights, and one whose file is not here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import facelign
from facelign.geometry.templates import ARCFACE_FIVE
from facelign.geometry.transforms import similarity
from facelign.models.catalog import default
from facelign.quality.models.ediffiqa import EDifFiqa, chip_of
from facelign.runtime.onnx import OnnxOptions
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.options import NoOptions
from facelign.types.schemes import DLIB_5, FIVE
from facelign.types.specs import Task

POINTS = np.array(
    [[200.1, 101.8], [247.2, 102.6], [220.3, 124.7], [198.9, 143.2], [239.8, 143.9]], np.float32
)
BOX = np.array([[178, 62, 268, 176]], np.float32)


def one_face(points: np.ndarray = POINTS, size: tuple[int, int] = (512, 512)) -> Faces:
    return Faces(BOX, np.ones(1, np.float32), Landmarks(points[None], FIVE), "by hand", size)


@pytest.fixture
def network(tmp_path: Path) -> EDifFiqa:
    """A network that gives the mean of the red channel of the upper half, as it is fed."""
    picked = np.zeros((1, 3, 112, 112), np.float32)
    picked[0, 0, :56] = 1 / (56 * 112)
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["input", "picked"], ["red"]),
            helper.make_node("ReduceSum", ["red", "axes"], ["output"], keepdims=0),
        ],
        "made",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1])],
        [
            numpy_helper.from_array(picked, "picked"),
            numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path = tmp_path / "made.onnx"
    onnx.save(model, path)
    spec = default().spec(Task.QUALITY, "ediffiqa-t")
    return EDifFiqa(spec, {spec.weights[0].name: path}, NoOptions(), OnnxOptions())


def test_ediffiqa_is_fed_red_first_between_minus_1_and_1(
    network: EDifFiqa, portrait: Image
) -> None:
    matrix = cv2.estimateAffinePartial2D(POINTS, ARCFACE_FIVE, method=cv2.LMEDS)[0]
    chip = cv2.warpAffine(portrait.pixels, matrix, (112, 112))
    expected = ((chip[:56, :, 0] / 255 - 0.5) / 0.5).mean()
    (number,) = network.measure(portrait, one_face())["ediffiqa-t"]
    assert number == pytest.approx(expected, abs=0.01)


def test_ediffiqa_wants_five_points(network: EDifFiqa, portrait: Image) -> None:
    box = Faces(BOX, np.ones(1, np.float32), None, "by hand", portrait.size)
    assert network.measure(portrait, box) == {}
    dlib = box.with_landmarks(Landmarks(POINTS[None], DLIB_5))
    assert network.measure(portrait, dlib) == {}
    together = one_face(np.full((5, 2), 100, np.float32))
    assert network.measure(portrait, together)["ediffiqa-t"].tolist() == [0.0]


def test_a_large_face_is_reduced_by_area(portrait: Image) -> None:
    large = cv2.resize(portrait.pixels, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    noisy = large.astype(np.int16)
    noisy[::2] += 60
    noisy[1::2] -= 60
    noisy = np.clip(noisy, 0, 255).astype(np.uint8)
    points = (POINTS + 0.5) * 6 - 0.5
    straight = chip_of(portrait, POINTS).astype(int)
    reduced = chip_of(Image.from_array(noisy, "rgb"), points).astype(int)
    assert np.abs(reduced - straight).mean() < 12
    assert np.allclose(
        similarity(POINTS, ARCFACE_FIVE) @ np.append(POINTS[0], 1), [38.3, 51.7], 0.1
    )


def test_measured_falls_with_what_a_recognizer_suffers_from(portrait: Image) -> None:
    model = facelign.models.quality("measured")

    def number(pixels: np.ndarray, points: np.ndarray = POINTS) -> float:
        size = (pixels.shape[1], pixels.shape[0])
        return float(
            model.measure(Image.from_array(pixels, "rgb"), one_face(points, size))["measured"][0]
        )

    plain = number(portrait.pixels)
    assert 0.8 < plain < 1
    assert number(cv2.GaussianBlur(portrait.pixels, (0, 0), 6)) < plain
    assert number((portrait.pixels * 0.02).astype(np.uint8)) < plain
    aside = POINTS.copy()
    aside[2, 0] += 25
    assert number(portrait.pixels, aside) <= plain


def test_measured_tells_nothing_without_points(portrait: Image) -> None:
    box = Faces(BOX, np.ones(1, np.float32), None, "by hand", portrait.size)
    assert facelign.models.quality("measured").measure(portrait, box) == {}
