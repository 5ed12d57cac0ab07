"""From the best network of a run to a model of one's own: ONNX, record, card, registered."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facelign.errors import ConfigError, Refused
from facelign.files import disk
from facelign.lab.statistics.paired import verdict_of
from facelign.lab.statistics.resampling import Interval, people_weights, room
from facelign.models import own, specfile
from facelign.models.catalog import Registry
from facelign.models.load import load
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.train import card
from facelign.train.card import CardTest
from facelign.train.learner import judging
from facelign.train.loop import best_network
from facelign.train.run_folder import RunFolder
from facelign.train.task import Exported, TrainingTask
from facelign.types.arrays import Float64Array
from facelign.types.specs import LandmarkerOutput, ModelSpec

#: largest difference of what ONNX Runtime and PyTorch give
CLOSE = 1e-4
#: version of ONNX's operators: that of the oldest ONNX Runtime that facelign takes
_OPSET = 17
#: validation losses beyond so many training losses tell of photos learned by heart
_BY_HEART = 3.0


def export(
    task: TrainingTask,
    run: RunFolder,
    model_id: str,
    registry: Registry,
    store: Store,
    add: Callable[[Path], ModelSpec],
    *,
    replace: bool = False,
) -> ModelSpec:
    """Write the best network as ONNX with record and model card, and add it.

    add: takes the record; with ``replace`` it puts the model in the place of one (``own.add``).
    Nothing is added unless ONNX Runtime gives what PyTorch gives (at most 1e-4 apart), and nothing
    replaced by a model that errs more on the test set; a network that is there already stays.
    Raises ConfigError for a run that has not ended or an id that cannot be had, Refused.
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
    sections = {name: dict(section) for name, section in made.sections.items()}
    disk.write(record, specfile.written(top, **sections).encode())
    spec = specfile.read(record, registry.like)
    with tempfile.TemporaryDirectory(prefix="facelign-") as scratch:
        errors = task.errors(load(spec, Store(Path(scratch))))
    tests = [CardTest(f"ONNX Runtime and PyTorch give the same, up to {CLOSE:g}", passed=True)]
    tests += _of_run(run.data(), result, same_loss=task.same_loss)
    tests += task.doubts(result.get("test", {}))
    if replace:
        tests.append(_no_worse(task, spec, errors, registry, store))
    figures = {} if errors is None else {"error of the exported model": _error(errors).to_dict()}
    made_with = run.environment(), run.changes()
    written = card.card(model_id, task.kind, run.data(), result, figures, tests, *made_with)
    run.write("model-card.json", written)
    disk.write(run.path / "model-card.md", card.markdown(written).encode())
    if not replace and model_id in own.ids(store.home):
        there = registry.spec(spec.task, model_id)
        if there.weights[0].sources[0].sha256 == disk.digest(weights):
            return there  # this very network was exported before
    return add(record)


def _of_run(
    data: Mapping[str, Any], result: Mapping[str, Any], *, same_loss: bool
) -> Iterator[CardTest]:
    """Yield what the run itself tells of its network."""
    findings = data.get("findings")
    if findings is not None:  # runs of earlier versions kept none
        wrong = card.errors_of(findings)
        yield CardTest("the check of the data found no error", not wrong, "comparisons with others")
    best = result.get("best", {})
    learned, judged = best.get("loss"), best.get("val_loss")
    if same_loss and learned and judged is not None:
        ratio = judged / learned
        yield CardTest(
            f"the validation loss is at most {_BY_HEART:g} times the training loss ({ratio:.2g})",
            ratio <= _BY_HEART,
            "faces that it was not trained on: it learned its photos by heart",
        )


def _mean(errors: Float64Array) -> Interval:
    """Return the mean with its interval over draws of samples."""
    drawn = people_weights(len(errors)) @ errors / len(errors)
    return Interval.of_draws(float(errors.mean()), drawn)


def _error(errors: Float64Array) -> Interval:
    """Return the mean error with its interval, with room for an error where there was none."""
    found = _mean(errors).with_room(room(len(errors)), best=0.0)
    return Interval(found.value, max(found.low, 0.0), found.high)


def _no_worse(
    task: TrainingTask,
    spec: ModelSpec,
    errors: Float64Array | None,
    registry: Registry,
    store: Store,
) -> CardTest:
    """Return the paired test with the model that is replaced; raises Refused where it is lost.

    Whoever uses a landmarker by its id counts on its points: one of another scheme replaces none.
    """
    old = registry.spec(spec.task, spec.id)
    if isinstance(old.output, LandmarkerOutput) and old.output != spec.output:
        raise Refused(
            f"'{old.id}' gives the points of {old.output.scheme}, the new model others, so it "
            "stays.",
            "Give the new one another id.",
        )
    theirs = task.errors(load(old, store))
    if errors is None or theirs is None:
        raise Refused(
            f"Models for {task.kind} are not held against each other here, so '{old.id}' stays.",
            "Give the new one another id.",
        )
    gap = _mean(errors - theirs)
    if verdict_of(gap, larger=False) == "worse":
        raise Refused(
            f"The new model is worse than '{old.id}' on the test set: {len(errors)} samples, error "
            f"{gap.change()}.",
            "Give it another id, or train on.",
        )
    return CardTest(f"no worse than the model that it replaces: {gap.change()}", passed=True)


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
