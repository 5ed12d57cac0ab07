"""Conversions: weights as published -> what our engines open. Nothing in a file is executed.

A converter is named in a WeightFile and runs once on the user's machine. Its version is part of
the name in the cache: raise it when the converter writes something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from facelign.errors import WeightsCorrupt


@dataclass(frozen=True, slots=True)
class Converter:
    """One conversion. entry: "module:function", called as ``function(raw, out)``, or as
    ``function(raw, out, beside)`` for formats that are two files; suffix: of out.

    apart: large weights are laid into a file beside the graph (``set_apart``) once it is made.

    The function raises WeightsCorrupt when the raw file is not what it should be, in bounded time
    and memory.
    """

    name: str
    version: int
    suffix: str
    entry: str
    apart: bool = False

    def __call__(self, raw: Path, out: Path, *beside: Path) -> None:
        """Convert the file ``raw``, and what lies beside it, into the new file ``out``."""
        module, _, function = self.entry.partition(":")
        getattr(import_module(module), function)(raw, out, *beside)
        if not out.is_file():
            raise WeightsCorrupt(f"{self.name} made nothing of {raw.name}.", "Report it as a bug.")


_ONNX = "facelign.models.convert.onnx_graph"
_SLIM = "facelign.models.convert.retinaface_slim"
_DLIB = "facelign.models.convert.dlib"
_INTEGERS = "facelign.models.convert.integers"
_TFJS = "facelign.models.convert.tfjs_graph"
_FACE_API = "facelign.models.convert.face_api"
_FACENET = "facelign.models.convert.facenet"
_VGG = "facelign.models.convert.vgg_face"
_GHOST = "facelign.models.convert.ghostfacenet"

CONVERTERS: Mapping[str, Converter] = MappingProxyType(
    {
        c.name: c
        for c in (
            # block-quantized weights unpacked, batch normalization folded, PRelu rewritten
            Converter("onnx-float32", 3, ".onnx", f"{_ONNX}:convert_batched", apart=True),
            # the same, for pictures of any size that is a multiple of 32
            Converter("onnx-yunet", 3, ".onnx", "facelign.models.convert.yunet:convert"),
            # PRelu rewritten, any batch; for files that hold float32 already
            Converter("onnx-prelu", 3, ".onnx", f"{_ONNX}:convert_batched", apart=True),
            # the same, for maps of pictures of any size
            Converter("onnx-any-size", 1, ".onnx", f"{_ONNX}:convert_any_size", apart=True),
            # convolutions in 8-bit integers over ranges that were measured on faces
            Converter("sface-int8", 3, ".onnx", f"{_INTEGERS}:convert_sface", apart=True),
            Converter("mobilefacenet-int8", 1, ".onnx", f"{_INTEGERS}:convert_mobilefacenet"),
            Converter("dlib-resnet-int8", 1, ".onnx", f"{_INTEGERS}:convert_resnet", apart=True),
            Converter("facenet", 1, ".onnx", f"{_FACENET}:convert", apart=True),
            Converter("facenet-2017", 1, ".onnx", f"{_FACENET}:convert_2017", apart=True),
            # Keras's files, poured into networks that are known by name
            Converter("vgg-face", 1, ".onnx", f"{_VGG}:convert", apart=True),
            Converter("vgg-face-2622", 1, ".onnx", f"{_VGG}:convert_people", apart=True),
            Converter(
                "deepface", 1, ".onnx", "facelign.models.convert.deepface:convert", apart=True
            ),
            Converter("deepid", 1, ".onnx", "facelign.models.convert.deepid:convert", apart=True),
            Converter("ghostfacenet", 1, ".onnx", f"{_GHOST}:convert", apart=True),
            Converter(
                "openface", 1, ".onnx", "facelign.models.convert.openface:convert", apart=True
            ),
            Converter("mobileface", 1, ".onnx", "facelign.models.convert.mobileface:convert"),
            Converter("headpose-b66", 1, ".onnx", "facelign.models.convert.headpose:convert"),
            Converter("mtcnn", 1, ".onnx", "facelign.models.convert.mtcnn:convert"),
            Converter("minifasnet", 1, ".onnx", "facelign.models.convert.minifasnet:convert"),
            Converter("retinaface", 1, ".onnx", "facelign.models.convert.retinaface:convert"),
            Converter("retinaface-slim", 1, ".onnx", f"{_SLIM}:convert"),
            # pictures with channels first, any batch; weights as float32
            Converter("tflite", 1, ".onnx", "facelign.models.convert.tflite:convert"),
            Converter("dlib-resnet", 2, ".onnx", f"{_DLIB}:convert_resnet", apart=True),
            Converter("dlib-mmod", 1, ".onnx", f"{_DLIB}:convert_mmod"),
            # manifest and bytes of TensorFlow.js, poured into networks that are known by name
            Converter("face-api-68", 1, ".onnx", f"{_FACE_API}:convert_landmarks"),
            Converter("face-api-68-tiny", 1, ".onnx", f"{_FACE_API}:convert_landmarks_tiny"),
            Converter("ssd-mobilenetv1", 1, ".onnx", f"{_FACE_API}:convert_ssd", apart=True),
            Converter("tiny-face", 1, ".onnx", f"{_FACE_API}:convert_tiny_face"),
            Converter("dlib-resnet-small", 1, ".onnx", f"{_FACE_API}:convert_resnet", apart=True),
            # operators, manifest and bytes of TensorFlow.js
            Converter("faceres", 1, ".onnx", f"{_TFJS}:convert_faceres", apart=True),
            Converter("human-antispoof", 1, ".onnx", f"{_TFJS}:convert_antispoof", apart=True),
            Converter("human-liveness", 1, ".onnx", f"{_TFJS}:convert_liveness"),
            Converter("dlib-shape", 1, ".npz", f"{_DLIB}:convert_shape"),
        )
    }
)

#: the file of large weights beside their graph
WEIGHTS_APART = "weights.bin"
#: with less in all, bytes, a second file gains nothing
LEAST_APART = 1 << 20
#: smaller constants stay in the graph, bytes: shapes, which ONNX Runtime wants to read, and biases
SMALL = 4096


def set_apart(path: Path) -> bool:
    """Move the large weights of an ONNX file beside it, if it has any; say whether it had.

    Weights inside an ONNX file are read, parsed and copied before ONNX Runtime lays them out anew:
    for SFace 140 MB are touched for 38 MB of weights, and opening it takes a quarter of the time
    of a first answer. Mapped, they are touched once, and processes share them. The numbers are the
    same.
    """
    if path.stat().st_size < LEAST_APART:
        return False
    import onnx

    model = onnx.load(path, load_external_data=False)
    # not convert_model_to_external_data, which looks for the file where the process stands
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) >= SMALL:
            onnx.external_data_helper.set_external_data(tensor, WEIGHTS_APART)
    onnx.save_model(model, path)
    beside = path.with_name(WEIGHTS_APART)
    if not beside.is_file():
        return False
    beside.chmod(path.stat().st_mode)  # onnx makes it private, and a home may be shared by users
    return True


def together(path: Path) -> bytes:
    """Return an ONNX file with the weights that ``set_apart`` laid beside it."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    beside = path.with_name(WEIGHTS_APART)
    apart = beside.read_bytes() if beside.is_file() else b""
    for tensor in model.graph.initializer:
        if tensor.external_data:
            told = {entry.key: entry.value for entry in tensor.external_data}
            start, length = int(told.get("offset", "0")), int(told["length"])
            tensor.raw_data = apart[start : start + length]
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return bytes(model.SerializeToString())
