"""Which convolutions of an embedder work with integers, and over which ranges, measured on faces.

    python tools/record_ranges.py [MODEL ...]

Writes src/facelign/models/convert/ranges/MODEL.json.

Needs ../shared (the 100 photos of lfw_100) and the weights of the models. The ranges are the lowest
and the highest number that a value takes on the chips of these faces, aligned as the model's preset
aligns them.

Chosen: of SFace the 1x1 convolutions of 64 channels and more, as the one before is no faster as
integers; of the others every convolution that is not depthwise and does not read the picture.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np

import facelign
from facelign.models import default
from facelign.models.convert import dlib, integers, rewrites
from facelign.models.convert.graph import FLOAT32, UINT8, Graph, Node, Value, clean, serialize
from facelign.models.convert.onnx_graph import opened
from facelign.models.weights.store import Store
from facelign.runtime.blob import blob_of
from facelign.runtime.onnx import Session
from facelign.types.arrays import ByteArray
from facelign.types.specs import ModelSpec

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT.parent / "shared/data/recognition/lfw_100"
OUT = ROOT / "src/facelign/models/convert/ranges"


def of_onnx(raw: Path) -> Graph:
    """Return the graph that is converted, in float32."""
    _, graph = opened(raw)
    clean(graph)
    rewrites.free_batch(graph)
    return graph


def large(graph: Graph, node: Node) -> bool:
    """Say whether a convolution is 1x1 of 64 channels and more on both sides."""
    weight = graph.constants[node.inputs[1]]
    return weight.shape[2:] == (1, 1) and min(weight.shape[:2]) >= 64


def inner(graph: Graph, node: Node) -> bool:
    """Say whether a convolution is not depthwise and reads something else than the picture."""
    makers = graph.makers()
    maker = makers.get(node.inputs[0])
    return node.integer("group", 1) == 1 and maker is not None and maker.op != "Cast"


#: model -> how its file is opened, which convolutions, and the preset whose chips it sees
MODELS: dict[str, tuple[Callable[[Path], Graph], Callable[[Graph, Node], bool], str]] = {
    "sface": (of_onnx, large, "default"),
    "mobilefacenet": (of_onnx, inner, "default"),
    "dlib-resnet": (dlib.descriptor, inner, "fast"),
}


def chips_of(preset: str) -> ByteArray:
    """Return (n, h, w, 3): the face nearest to the middle of each photo."""
    recognizer = facelign.Recognizer(preset=preset)
    found = []
    for file in sorted(PHOTOS.rglob("*.jpg")):
        seen = recognizer.analyze(file)
        middle = np.asarray(seen.faces.image_size) / 2
        boxes = seen.faces.boxes[seen.embedded]
        away = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - middle).sum(axis=1)
        found.append(seen.chips[0].pixels[int(away.argmin())])
    return np.stack(found)


def measure(spec: ModelSpec) -> dict[str, list[float]]:
    """Return [lowest, highest] of every value that a chosen convolution reads or gives."""
    open_, chosen, preset = MODELS[spec.id]
    store = Store.from_environment()
    if not store.present(spec):
        store.pull_all([spec])
    graph = open_(next(iter(store.raw_files(spec)))[2])
    ends = integers.results(graph)
    picked = [node for node in graph.nodes if id(node) in ends and chosen(graph, node)]
    values = {name for node in picked for name in (node.inputs[0], ends[id(node)])}
    values |= {node.inputs[0] for node in graph.nodes if node.op == "Gemm"}
    watched = deepcopy(graph)
    watched.outputs += [Value(name, FLOAT32, ["N", "C", "H", "W"]) for name in sorted(values)]
    session, port = Session(serialize(watched)), graph.inputs[0]
    ranges = {name: [0.0, 0.0] for name in sorted(values)}
    for chip in chips_of(preset):
        pixels = chip[None] if port.kind == UINT8 else blob_of(chip[None], spec.input)
        found = session.run({port.name: pixels}, sorted(values))
        for name, array in zip(sorted(values), found, strict=True):
            low, high = ranges[name]
            ranges[name] = [min(low, float(array.min())), max(high, float(array.max()))]
    return {name: [round(low, 5), round(high, 5)] for name, (low, high) in ranges.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", choices=[*MODELS, []], help="ids; all when left out")
    for model in parser.parse_args().models or MODELS:
        (spec,) = default().find(model)
        ranges = measure(spec)
        text = json.dumps({"photos": "lfw_100, 100 faces", "ranges": ranges}, indent=0)
        (OUT / f"{model}.json").write_text(text + "\n")
        print(f"{model}: {len(ranges)} values")


if __name__ == "__main__":
    main()
