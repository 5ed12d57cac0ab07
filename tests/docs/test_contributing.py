"""The sample of CONTRIBUTING is Python that works: its record, its options and its class."""

from __future__ import annotations

import re
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelign.models.load import merged_options
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types import specs
from facelign.types.contracts import Detector, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import ModelSpec, Task

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def sample() -> dict[str, object]:
    """Run the blocks of "A detector in one file", with a digest and a size where it has dots."""
    part = TEXT.split("## A detector in one file")[1].split("\n## ")[0]
    blocks = re.findall(r"```text\n(.*?)```", part, re.DOTALL)
    code = "\n".join(block for block in blocks if not block.startswith("pytest"))
    code = code.replace('sha256="..."', f'sha256="{"0" * 64}"').replace("size=...", "size=1")
    names: dict[str, object] = {**vars(specs), "dataclass": dataclass, "Detector": Detector}
    names |= {"WeightPaths": WeightPaths, "OnnxOptions": OnnxOptions, "Session": Session}
    names |= {"Image": Image, "Faces": Faces, "__name__": __name__}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    return names


def test_the_record_of_the_sample_is_one() -> None:
    (spec,) = sample()["SPECS"]  # type: ignore[misc]
    assert isinstance(spec, ModelSpec)
    assert (spec.id, spec.task) == ("tinyface", Task.DETECT)
    assert spec.entry == "facelign.detect.models.tinyface:TinyFace"
    (file,) = spec.weights
    assert [source.kind.value for source in file.sources] == ["wheel", "address"]
    assert spec.license.commercial == "yes"


def test_the_class_of_the_sample_is_a_detector(monkeypatch) -> None:
    names = sample()
    (spec,) = names["SPECS"]  # type: ignore[misc]
    place = spec.entry.partition(":")[0]
    monkeypatch.setitem(sys.modules, place, types.ModuleType(place))
    monkeypatch.setattr(sys.modules[place], "TinyFace", names["TinyFace"], raising=False)
    options = merged_options(spec, {"nms_iou": 0.3})
    assert (options.score_threshold, options.nms_iou) == (0.5, 0.3)  # type: ignore[attr-defined]
    kind = names["TinyFace"]
    assert Detector in kind.__mro__  # type: ignore[attr-defined]
    for trait in ("wants_px", "score_floor", "sure_score", "upright_score"):
        assert hasattr(kind, trait), f"the port gives {trait}"
    pixels = np.zeros((9, 9, 3), np.uint8)
    found = kind.detect(object.__new__(kind), Image.from_array(pixels, "rgb", "x"))  # type: ignore[attr-defined, call-overload]
    assert found is None, "the sample leaves its method to whoever writes it"
