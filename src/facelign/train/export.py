"""From the best network of a run to a model of one's own: ONNX, record, card, registered."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import torch

from facelign.errors import ConfigError, Refused
from facelign.files import disk
from facelign.models import own, specfile
from facelign.models.catalog import Registry
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.train import card
from facelign.train.learner import judging
from facelign.train.loop import best_network
from facelign.train.run_folder import RunFolder
from facelign.train.task import Exported, TrainingTask
from facelign.types.specs import ModelSpec

#: largest difference of what ONNX Runtime and PyTorch give
CLOSE = 1e-4
#: version of ONNX's operators: that of the oldest ONNX Runtime that facelign takes
_OPSET = 17


def export(
    task: TrainingTask,
    run: RunFolder,
    model_id: str,
    registry: Registry,
    store: Store,
    *,
    replace: bool = False,
    reserved: Collection[str] = (),
    seen: Callable[[ModelSpec, Store], None] | None = None,
) -> ModelSpec:
    """Write the best network as ONNX with record and model card, and add it (``own.add``).

    Nothing is added unless ONNX Runtime gives what PyTorch gives (at most 1e-4 apart). Raises
    ConfigError for a run that has not ended or an id that cannot be had, Refused.
    """
    result = run.finished()
    if result is None:
        raise ConfigError(f"The run in {run.path} has not ended.", "Resume it first.")
    made = task.exported(best_network(task, run))
    weights, apart = onnx_of(made)
    if not apart <= CLOSE:
        raise Refused(
            f"ONNX Runtime and PyTorch differ by {apart:.2g}, more than {CLOSE:g}.",
            "Look at the layers of the network.",
        )
    file = run.path / f"{model_id}.onnx"
    disk.write(file, weights)
    record = run.path / f"{model_id}.toml"
    top = {"id": model_id, **made.record, "weights": file.name}
    disk.write(
        record, specfile.written(top, **{n: dict(v) for n, v in made.sections.items()}).encode()
    )
    written = card.card(
        model_id,
        task.kind,
        task.data(),
        result,
        {f"ONNX Runtime and PyTorch give the same, up to {CLOSE:g}": True},
        task.findings(),
        json.loads((run.path / "environment.json").read_text(encoding="utf-8")),
    )
    run.write("model-card.json", written)
    disk.write(run.path / "model-card.md", card.markdown(written).encode())
    return own.add(record, registry, store, replace=replace, reserved=reserved, seen=seen)


def onnx_of(made: Exported) -> tuple[bytes, float]:
    """Return a module as ONNX with a free first axis, and how far the two are apart."""
    buffer = io.BytesIO()
    with judging(made.module) as module, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no other package is the older one
        torch.onnx.export(
            module,
            (made.example,),
            buffer,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "n"}, "output": {0: "n"}},
            opset_version=_OPSET,
            dynamo=False,
        )
        tried = torch.cat([made.example, torch.rand(3, *made.example.shape[1:])])
        wanted = module(tried).numpy()
    with tempfile.TemporaryDirectory(prefix="facelign-") as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(buffer.getvalue())
        found = Session(path).run({"input": tried.numpy()})[0]
    return buffer.getvalue(), float(np.abs(found - wanted).max())
