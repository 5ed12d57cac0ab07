"""Decoders of detectors that look once, on made outputs whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelign.detect.anchors import Candidates
from facelign.detect.models.blazeface import BlazeFace
from facelign.detect.models.centerface import CenterFace
from facelign.detect.models.retinaface import RetinaFaceInSquare, RetinaFaceSlim
from facelign.detect.models.scrfd import Scrfd
from facelign.detect.models.ssd_res10 import SsdRes10
from facelign.detect.models.ultraface import UltraFace
from facelign.detect.models.yolov8_face import YoloV8Face
from facelign.detect.one_look import AnySizeOptions, OneLook, OneLookOptions
from facelign.errors import ConfigError, WeightsCorrupt
from facelign.models.catalog import default
from facelign.runtime.onnx import OnnxOptions
from facelign.types.image import Image
from facelign.types.specs import Task


def made(kind: type[OneLook], id_: str, **options: Any) -> OneLook:
    spec = default().spec(Task.DETECT, id_)
    files = {weights.name: Path(weights.name) for weights in spec.weights}
    return kind(spec, files, kind.Options(**options), OnnxOptions())


@pytest.mark.parametrize("wrong", [{"score_threshold": 0.0}, {"nms_iou": 1.5}])
def test_options_that_cannot_be_meant_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        OneLookOptions(**wrong)


def test_a_photo_is_fitted_at_the_top_left_or_stretched() -> None:
    pixels = np.full((100, 200, 3), 9, np.uint8)
    picture, plane = made(Scrfd, "scrfd-500m").fitted(pixels)
    assert picture.shape == (640, 640, 3)
    assert (picture[:320] == 9).all()
    assert not picture[320:].any()
    np.testing.assert_allclose(plane.back(np.array([[639.5, 319.5]])), [[199.5, 99.5]])
    picture, plane = made(UltraFace, "ultraface-rfb-320").fitted(pixels)
    assert picture.shape == (240, 320, 3)
    assert (picture == 9).all()
    np.testing.assert_allclose(plane.back(np.array([[-0.5, 239.5]])), [[-0.5, 99.5]])


def test_scrfd_reads_cells_in_rows_with_two_anchors_each() -> None:
    cells = [(640 // stride) ** 2 * 2 for stride in (8, 16, 32)]
    outputs = [np.zeros((n, kind), np.float32) for kind in (1, 4, 10) for n in cells]
    # stride 16, row 3, column 5, second anchor
    at = (3 * 40 + 5) * 2 + 1
    outputs[1][at] = 0.9
    outputs[4][at] = [1, 2, 3, 4]
    outputs[7][at] = np.arange(10)
    outputs[2][0] = 0.4  # below the threshold
    found: Candidates = made(Scrfd, "scrfd-500m").decode(outputs, (640, 640))
    np.testing.assert_allclose(found.boxes, [[80 - 16, 48 - 32, 80 + 48, 48 + 64]])
    np.testing.assert_allclose(found.scores, [0.9])
    np.testing.assert_allclose(found.points[0, 1], [80 + 2 * 16, 48 + 3 * 16])
    with_batch_axis = [output[None] for output in outputs]
    again = made(Scrfd, "scrfd-500m").decode(with_batch_axis, (640, 640))
    np.testing.assert_array_equal(again.boxes, found.boxes)


def test_boxes_of_ultraface_are_shares_of_the_picture() -> None:
    scores = np.array([[[0.1, 0.9], [0.8, 0.2]]], np.float32)
    boxes = np.array([[[0.25, 0.5, 0.75, 1.0], [0, 0, 1, 1]]], np.float32)
    found = made(UltraFace, "ultraface-rfb-320", score_threshold=0.7).decode(
        [scores, boxes], (320, 240)
    )
    np.testing.assert_allclose(found.boxes, [[79.5, 119.5, 239.5, 239.5]])
    assert found.points.shape == (1, 0, 2)


def test_centerface_reads_a_peak_rows_before_columns() -> None:
    heat, pairs, ten = (np.zeros((1, n, 8, 16), np.float32) for n in (1, 2, 10))
    sizes, offsets, points = pairs, pairs.copy(), ten
    heat[0, 0, 3, 5] = 0.8
    sizes[0, :, 3, 5] = np.log([6, 5])  # 24 px high, 20 px wide
    offsets[0, :, 3, 5] = [0.25, 0.5]
    points[0, :2, 3, 5] = [0.5, 0.1]
    found = made(CenterFace, "centerface").decode([heat, sizes, offsets, points], (64, 32))
    middle = np.array([(5 + 0.5 + 0.5) * 4, (3 + 0.25 + 0.5) * 4])
    box = np.tile(middle, 2) + np.array([-10, -12, 10, 12]) - 0.5
    np.testing.assert_allclose(found.boxes, [box], rtol=1e-6)
    spot = [box[0] + 0.1 * 20, box[1] + 0.5 * 24]
    np.testing.assert_allclose(found.points[0, 0], spot, rtol=1e-6)


def test_centerface_stretches_to_multiples_of_32_and_reduces_large_photos() -> None:
    model = made(CenterFace, "centerface", max_side=500)
    assert model.wants_px == 500
    assert model.fitted(np.zeros((100, 130, 3), np.uint8))[0].shape == (128, 160, 3)
    assert model.fitted(np.zeros((1000, 750, 3), np.uint8))[0].shape == (512, 384, 3)
    with pytest.raises(ConfigError, match="max_side"):
        AnySizeOptions(max_side=8)


def test_blazeface_reads_a_box_and_six_points_from_the_middle_of_a_cell() -> None:
    raw = np.zeros((1, 896, 16), np.float32)
    logits = np.full((1, 896, 1), -100.0, np.float32)
    cell = 2 * (3 * 16 + 5)  # level of stride 8, row 3, column 5, the first of two anchors
    raw[0, cell] = [2, -1, 20, 30, *range(12)]
    logits[0, cell] = 2.0
    model = made(BlazeFace, "blazeface-short")
    found = model.decode([raw, logits], (128, 128))
    np.testing.assert_allclose(found.boxes, [[35.5, 11.5, 55.5, 41.5]])
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-2))], rtol=1e-6)
    np.testing.assert_allclose(found.points[0, [0, 5]], [[43.5, 28.5], [53.5, 38.5]])
    assert len(model.decode([raw, logits - 9], (128, 128))) == 0


def test_candidates_that_overlap_become_their_mean_by_score() -> None:
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.3, 0.9, 0.6], np.float32)
    found = Candidates(boxes, scores, boxes.reshape(3, 2, 2)).averaged(0.3)
    np.testing.assert_allclose(found.boxes, [[1.5, 0, 11.5, 10], [50, 50, 60, 60]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.9, 0.6])
    np.testing.assert_allclose(found.points.reshape(2, 4), found.boxes)
    assert len(Candidates.none(6).averaged(0.3)) == 0


def test_a_photo_is_fitted_in_the_middle_for_blazeface() -> None:
    picture, plane = made(BlazeFace, "blazeface-short").fitted(np.full((50, 100, 3), 9, np.uint8))
    assert (picture[32:96] == 9).all()
    assert not picture[:32].any()
    assert not picture[96:].any()
    np.testing.assert_allclose(plane.back(np.array([[-0.5, 31.5]])), [[-0.5, -0.5]], atol=1e-6)


@pytest.mark.parametrize("softmax", [True, False])
def test_retinaface_counts_from_anchors_with_or_without_the_softmax(softmax: bool) -> None:
    count = sum((640 // stride) ** 2 * 2 for stride in (8, 16, 32))
    boxes, logits, points = (np.zeros((1, count, n), np.float32) for n in (4, 2, 10))
    logits[0, :, 0] = 9.0
    # stride 16, row 3, column 5, second anchor: 128 px
    at = 80 * 80 * 2 + (3 * 40 + 5) * 2 + 1
    logits[0, at] = [0, np.log(9)]
    boxes[0, at] = [1, -2, np.log(2) / 0.2, 0]
    points[0, at] = np.arange(10)
    chances = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    model = made(RetinaFaceInSquare, "retinaface-mv2")
    found = model.decode([boxes, chances if softmax else logits, points], (640, 640))
    x, y = 5.5 * 16 + 12.8, 3.5 * 16 - 25.6
    np.testing.assert_allclose(found.boxes, [[x - 128, y - 64, x + 128, y + 64]], rtol=1e-5)
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-5)
    np.testing.assert_allclose(found.points[0, 1], [88 + 2 * 12.8, 56 + 3 * 12.8], rtol=1e-5)


def test_yolov8_face_reads_sides_as_means_of_sixteen_chances() -> None:
    maps = [np.zeros((1, 80, 640 // s, 640 // s), np.float32) for s in (8, 16, 32)]
    for one in maps:
        one[0, 64] = -20
    row, column = 3, 5
    sides = maps[1][0, :64, row, column].reshape(4, 16)
    sides[:] = -50
    for side, reach in enumerate((1, 2, 3, 4)):
        sides[side, reach] = 0
    sides[0, 2] = 0  # as likely as 1: the mean is 1.5
    maps[1][0, 64, row, column] = np.log(9)
    maps[1][0, 65:, row, column] = np.arange(15) / 10
    model = made(YoloV8Face, "yolov8-face")
    for order in ((0, 1, 2), (2, 0, 1)):
        found = model.decode([maps[i] for i in order], (640, 640))
        x, y = (column + 0.5) * 16, (row + 0.5) * 16
        np.testing.assert_allclose(found.boxes + 0.5, [[x - 24, y - 32, x + 48, y + 64]], rtol=1e-5)
        np.testing.assert_allclose(found.scores, [0.9], rtol=1e-5)
        expected = [(0.3 * 2 + column) * 16, (0.4 * 2 + row) * 16]
        np.testing.assert_allclose(found.points[0, 1] + 0.5, expected, rtol=1e-5)


def test_yolov8_face_lays_the_photo_in_the_middle_of_gray() -> None:
    picture, plane = made(YoloV8Face, "yolov8-face").fitted(np.full((100, 200, 3), 9, np.uint8))
    assert picture.shape == (640, 640, 3)
    assert (picture[160:480] == 9).all()
    assert (picture[:160] == 114).all()
    np.testing.assert_allclose(plane.back(np.array([[639.5, 479.5]])), [[199.5, 99.5]])


#: the mean of each color, then one row of seven numbers out of them
_LAYERS = """
input: "data"
input_shape { dim: 1 dim: 3 dim: 300 dim: 300 }
layer { name: "mean" type: "Pooling" bottom: "data" top: "mean"
        pooling_param { pool: AVE global_pooling: true } }
layer { name: "row" type: "Convolution" bottom: "mean" top: "row"
        convolution_param { num_output: 7 kernel_size: 1 } }
layer { name: "found" type: "Reshape" bottom: "row" top: "found"
        reshape_param { shape { dim: 1 dim: 1 dim: 1 dim: 7 } } }
"""


def field(number: int, payload: bytes) -> bytes:
    """Return a field of a protocol buffer that holds bytes."""

    def varint(value: int) -> bytes:
        low, rest = value & 127, value >> 7
        return bytes([low | 128]) + varint(rest) if rest else bytes([low])

    return varint(number << 3 | 2) + varint(len(payload)) + payload


def caffe_files(folder: Path, weights: np.ndarray, bias: np.ndarray) -> dict[str, Path]:
    """Write a Caffe network as its two files (caffe.proto: 100 layer; 1 name, 2 type, 7 blobs)."""
    blobs = b"".join(
        field(7, field(7, field(1, bytes(value.shape))) + field(5, value.astype("<f4").tobytes()))
        for value in (weights.reshape(7, 3, 1, 1), bias)
    )
    layer = field(1, b"row") + field(2, b"Convolution") + blobs
    spec = default().spec(Task.DETECT, "ssd-res10")
    paths = {one.name: folder / one.name for one in spec.weights}
    for path in paths.values():
        path.write_bytes(field(100, layer) if path.suffix == ".caffemodel" else _LAYERS.encode())
    return paths


def ssd(files: dict[str, Path]) -> SsdRes10:
    return SsdRes10(
        default().spec(Task.DETECT, "ssd-res10"), files, SsdRes10.Options(), OnnxOptions()
    )


def test_ssd_res10_is_fed_blue_first_less_the_mean(tmp_path: Path) -> None:
    weights = np.zeros((7, 3), np.float32)
    weights[2] = 0.001, 0.002, 0.004  # the score tells the means of blue, green and red
    bias = np.array([0, 1, 0.5, 0.25, 0.5, 0.75, 1.0], np.float32)
    model = ssd(caffe_files(tmp_path, weights, bias))
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[:] = 143, 187, 154  # red, green, blue: 20, 10 and 50 over the mean
    faces = model.detect(Image.from_array(photo, "rgb"))
    np.testing.assert_allclose(faces.scores, [0.5 + 0.05 + 0.02 + 0.08], rtol=1e-4)
    np.testing.assert_allclose(faces.boxes, [[49.5, 49.5, 149.5, 99.5]], atol=1e-3)
    assert faces.landmarks is None


def test_ssd_res10_takes_rows_of_faces_that_have_the_score(tmp_path: Path) -> None:
    model = ssd(caffe_files(tmp_path, np.zeros((7, 3)), np.zeros(7)))
    rows = [[0, 1, 0.9, 0, 0, 0.5, 1], [0, 1, 0.4, 0, 0, 1, 1], [0, 0, 0.9, 0, 0, 1, 1]]
    found = model.decode([np.array(rows, np.float32)[None, None]], (300, 300))
    np.testing.assert_allclose(found.boxes, [[-0.5, -0.5, 149.5, 299.5]])
    assert found.points.shape == (1, 0, 2)


def test_files_that_are_no_caffe_network_are_refused(tmp_path: Path) -> None:
    files = caffe_files(tmp_path, np.zeros((7, 3)), np.zeros(7))
    files["deploy.prototxt"].write_text("layer {")
    with pytest.raises(WeightsCorrupt, match="OpenCV cannot read"):
        ssd(files)


def test_retinaface_slim_has_anchors_of_four_levels() -> None:
    count = 40 * 40 * 3 + 20 * 20 * 2 + 10 * 10 * 2 + 5 * 5 * 3
    boxes, scores, points = (np.zeros((1, count, n), np.float32) for n in (4, 2, 10))
    scores[0, :, 0] = 1
    scores[0, -1] = [0.1, 0.9]  # the last cell's largest anchor
    found = made(RetinaFaceSlim, "retinaface-slim").decode([boxes, scores, points], (320, 320))
    middle = 4.5 * 64
    np.testing.assert_allclose(found.boxes, [[middle - 128] * 2 + [middle + 128] * 2])
