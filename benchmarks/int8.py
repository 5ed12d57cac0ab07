# ruff: noqa: E402 - thread counts must be set before NumPy is imported
"""Embedders with int8 weights and uint8 activations beside float32: drift, TAR, processor time.

    FACELIGN_MIRROR=../shared/weights python benchmarks/int8.py [--out FILE]

Static quantization (QDQ, weights per channel, MinMax) on 40 chips of people of ``lfw_dev`` who are
not in ``lfw_100``, on which it is tested. Twice: with eight bits a weight, and with seven
(``reduce_range``), because processors without VNNI add pairs of products in 16 bits, which
overflow: there, eight bits give other vectors than on a processor with VNNI.
Writes benchmarks/results/int8.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machine

machine.one_core(pin=False)

import onnx
from embedders import HERE, PHOTOS, accuracy, drift, walk
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from facelign.align.chips import chips
from facelign.embed.batch import EmbedderOptions, OnnxEmbedder
from facelign.models import catalog, load
from facelign.models.weights.store import Store
from facelign.runtime.blob import blob_of
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types.chips import Chips
from facelign.types.specs import EmbedderOutput, ModelSpec, Task

#: SFace is left out: its rewritten PRelu does not fuse in int8 and makes it slower
MODELS = ("mobilefacenet", "dlib-resnet")
DEV = PHOTOS.parent.parent / "lfw_dev" / "images"


class Feeds(CalibrationDataReader):
    """Chips, one by one, as the network reads them."""

    def __init__(self, spec: ModelSpec, model: Path, made: Chips) -> None:
        port = Session(model).inputs[0]
        raw = port.kind == "tensor(uint8)"
        self._feeds: Iterator[dict[str, Any]] = (
            {port.name: blob_of(made.pixels[i : i + 1], spec.input, raw=raw)}
            for i in range(len(made))
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def named(model: Path, out: Path) -> None:
    """Copy a model and name its nodes: the quantizer tells nodes apart by their names."""
    loaded = onnx.load(str(model))
    for index, node in enumerate(loaded.graph.node):
        node.name = node.name or f"node{index}"
    onnx.save(loaded, str(out))


def cpu_ms(models: list[Any], made: Chips, rounds: int) -> list[float]:
    """Return median processor time a chip, ms; all models in turn."""
    times: list[list[float]] = [[] for _ in models]
    for at in range(rounds):
        for place, model in zip(times, models, strict=True):
            began = time.process_time()
            model.embed(made[at % len(made)])
            place.append((time.process_time() - began) * 1e3)
    return [round(statistics.median(place), 2) for place in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "int8.json")
    given = parser.parse_args()
    known, store = catalog.default(), Store.from_environment()
    specs = [known.spec(Task.EMBED, name) for name in MODELS]
    found = known.spec(Task.DETECT, "yunet")
    store.pull_all([found, *specs])
    detector = load(found, store)
    test = list(walk(sorted(PHOTOS.rglob("*.jpg")), detector))
    people = [person for person, _, _ in test]
    others = [p for p in sorted(DEV.glob("*/*_0001.jpg")) if p.parent.name not in set(people)]
    calibration = list(walk(others[:: len(others) // 40][:40], detector))

    rows = []
    for spec in specs:
        assert isinstance(spec.output, EmbedderOutput)
        layout = known.layout(spec.output.layout)
        fit, probe = (
            Chips.joined([chips(image, face, layout)[0] for _, image, face in photos])
            for photos in (calibration, test)
        )
        models, titles = [load(spec, store)], ["float32"]
        with tempfile.TemporaryDirectory() as folder:
            ready = store.ready(spec)[spec.weights[0].name]
            plain = Path(folder) / "plain.onnx"
            named(ready, plain)
            for bits in (8, 7):
                out = Path(folder) / f"int{bits}.onnx"
                quantize_static(
                    plain,
                    out,
                    Feeds(spec, ready, fit),
                    quant_format=QuantFormat.QDQ,
                    per_channel=True,
                    reduce_range=bits == 7,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                    calibrate_method=CalibrationMethod.MinMax,
                )
                files = {spec.weights[0].name: out}
                models.append(OnnxEmbedder(spec, files, EmbedderOptions(), OnnxOptions()))
                titles.append(f"int8, weights of {bits} bits")
            vectors = [model.embed(probe) for model in models]
            times = cpu_ms(models, probe, given.rounds)
        for title, found_, ms in zip(titles, vectors, times, strict=True):
            row = {
                "model": spec.id,
                "variant": title,
                **accuracy(found_, people),
                "drift": drift(vectors[0], found_),
                "cpu_ms": ms,
                "speed": round(times[0] / ms, 2),
            }
            rows.append(row)
            print(json.dumps(row))
    record = {"machine": machine.describe(), "set": "lfw_100", "calibration_chips": len(fit)}
    machine.write("int8", {**record, "variants": rows}, given.out)


if __name__ == "__main__":
    main()
