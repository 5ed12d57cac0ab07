"""One's own models on this machine: added once they were seen to be what they say, and removed."""

from __future__ import annotations

import dataclasses
import shutil
import tomllib
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from facelign.errors import ConfigError, FacelignError, Remedy, UnknownModel
from facelign.files.disk import digest, made, scratch_folder, sync_folder
from facelign.files.home import expanded
from facelign.models import specfile
from facelign.models.catalog import Registry, own_records
from facelign.models.load import load, merged_options
from facelign.models.specfile import NOT_STATED as NOT_STATED
from facelign.models.weights.store import Store
from facelign.runtime.onnx import LARGEST_MODEL, Session
from facelign.types.chips import Chips
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import EmbedderOutput, ModelSpec, Task

#: largest difference of a vector computed alone and in a batch, of its length
_SAME = 1e-3


def ids(home: Path | None = None) -> list[str]:
    """Return the ids of the models that were added, also where their records cannot be read."""
    folder = own_records(home)
    return sorted(path.parent.name for path in folder.glob("*/*.toml"))


def add(
    path: Path,
    registry: Registry,
    store: Store,
    *,
    replace: bool = False,
    reserved: Collection[str] = (),
    seen: Callable[[ModelSpec, Store], None] | None = None,
) -> ModelSpec:
    """Copy a TOML record and its weights to where ``catalog.default`` finds them.

    First the network is run once, and all that the record says of it is compared: nothing is kept
    of a model that is not what it says. replace: put it in the place of one that was added before.
    reserved: ids that mean something else where a model is named, such as those of presets.
    seen: called with an embedder that passed, and a store that holds it; what it raises ends it.
    Raises ConfigError, which names the value that the record should have, and UnknownModel.
    """
    record = expanded(path)
    spec = specfile.read(record, registry.like)
    place = own_records(store.home) / spec.id
    if spec.id in reserved:
        raise ConfigError(f"'{spec.id}' is the name of a preset.", "Give the model another id.")
    if any(known.id == spec.id for known in registry.specs()) and spec.id not in ids(store.home):
        raise ConfigError(
            f"The id '{spec.id}' is that of a model which is not your own.", "Give it another id."
        )
    if place.exists() and not replace:
        raise ConfigError(f"The model '{spec.id}' was added before.", Remedy.REPLACE)
    weights = Path(spec.weights[0].sources[0].path)
    _check(record, weights, spec, registry, seen)
    with scratch_folder(store.folder) as scratch:
        new = scratch / "new"
        copy = new / weights.relative_to(record.resolve().parent)
        copy.parent.mkdir(parents=True)
        shutil.copyfile(weights, copy)
        text = record.read_text(encoding="utf-8")
        table = tomllib.loads(text)
        inner = table["weights"]
        if "sha256" not in table and (isinstance(inner, str) or "sha256" not in inner):
            # so that damage is noticed; keys of the top stand before every section
            text = f'sha256 = "{spec.weights[0].sources[0].sha256}"\n{text}'
        (new / f"{spec.id}.toml").write_text(text, encoding="utf-8")
        made(place.parent)
        if place.exists():
            place.rename(scratch / "old")
        new.rename(place)
        sync_folder(place.parent)
    return specfile.read(place / f"{spec.id}.toml", registry.like)


def remove(model_id: str, registry: Registry, store: Store) -> Path:
    """Remove a model that was added; return its folder, which is gone.

    Raises ConfigError for a model that comes with facelign or another package, UnknownModel.
    """
    own = ids(store.home)
    known = [spec for spec in registry.specs() if spec.id == model_id]
    if model_id in own:
        folder = own_records(store.home) / model_id
        for spec in known:
            if Path(registry.place(spec)).is_relative_to(folder):
                store.remove(spec)  # what was converted of it
        shutil.rmtree(folder)
        return folder
    if known:
        raise ConfigError(
            f"The model '{model_id}' is not your own: it comes with {registry.place(known[0])}.",
            f"Your own: {', '.join(own) or 'none'}.",
        )
    raise UnknownModel(
        f"There is no model '{model_id}' that you added.", f"Your own: {', '.join(own) or 'none'}."
    )


def _check(
    record: Path,
    weights: Path,
    spec: ModelSpec,
    registry: Registry,
    seen: Callable[[ModelSpec, Store], None] | None,
) -> None:
    """Raise ConfigError unless the network runs and is what the record says."""
    promised, found = spec.weights[0].sources[0].sha256, digest(weights)
    if promised != found:
        raise _wrong(record, f"promises SHA-256 {promised} for {weights.name}, it has {found}")
    apart = sorted(set(_files_apart(record, weights)))
    if apart:
        raise _wrong(
            record,
            f"names {weights.name}, which keeps numbers in another file ({', '.join(apart)[:200]})",
            "Write it as one file: onnx.save(onnx.load('it.onnx'), 'one.onnx'), or export it with "
            "external_data=False.",
        )
    # what is converted on the way is not kept either
    with TemporaryDirectory(prefix="facelign-") as scratch:
        store = Store(Path(scratch))
        try:
            merged_options(spec, {})
            if spec.task is Task.EMBED:
                size = _size(record, spec, registry)
                _check_input(record, store.ready(spec)[spec.weights[0].name], spec, size)
                # one that takes a chip at a time is tried with several all the same
                plain = {name: v for name, v in spec.defaults.items() if name != "batch"}
                several = dataclasses.replace(spec, defaults=plain)
                _check_embedder(record, load(several, store), size)
                if seen is not None:
                    seen(several, store)
            else:
                _run(spec, load(spec, store))
        except ConfigError:
            raise
        except FacelignError as problem:
            raise _wrong(
                record, f"does not fit its network: {problem.message.rstrip('.')}", problem.hint
            ) from problem
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
            raise _wrong(
                record,
                f"names a network that does not run as the model in 'like' does ({problem})",
                "Name a model in 'like' whose class reads such a network.",
            ) from problem


def _check_input(record: Path, network: Path, spec: ModelSpec, size: tuple[int, int]) -> None:
    """Compare the axes and the size of the input, where the network says them."""
    ports = Session(network).inputs
    shape = ports[0].shape
    if len(ports) != 1 or len(shape) != 4:
        told = ", ".join(f"{port.name} {list(port.shape)}" for port in ports)
        raise _wrong(record, f"names a network with the inputs {told}; wanted one of four axes")
    if ports[0].kind not in ("tensor(float)", "tensor(uint8)"):
        raise _wrong(
            record,
            f"names a network that reads {ports[0].kind}",
            "Export it with an input of float32 or uint8.",
        )
    last = shape[3] == 3 and shape[1] != 3
    axes = spec.input.axes
    if 3 in (shape[1], shape[3]) and last != (axes != "nchw"):
        axes = "nhwc" if last else "nchw"
    sides = shape[1:3] if axes != "nchw" else shape[2:4]
    width, height = sides if axes == "nwhc" else sides[::-1]
    wanted = (width or size[0], height or size[1])
    if axes != spec.input.axes or wanted != size:
        raise _wrong(
            record,
            f"says {size[0]}x{size[1]} px in the axes '{spec.input.axes}', and its network reads "
            f"{list(shape)}",
            f'Write under [input]: size = [{wanted[0]}, {wanted[1]}] and axes = "{axes}".',
        )


def _size(record: Path, spec: ModelSpec, registry: Registry) -> tuple[int, int]:
    """Return the size of the chips, which the layout of the record must be able to make."""
    output = spec.output
    assert isinstance(output, EmbedderOutput)  # noqa: S101 - by its task
    layout = registry.layout_of_size(output.layout, spec.input.size)
    wanted = spec.input.size
    if wanted is None or wanted == layout.size:
        return layout.size
    width, height = wanted
    raise _wrong(
        record,
        f"says {width}x{height} px, and its layout '{output.layout}' cannot be made so",
        f"Name the layout that it was trained on under [output]: {', '.join(registry.layouts())}.",
    )


def _check_embedder(record: Path, model: Any, size: tuple[int, int]) -> None:
    """Run it on two chips, together and each alone."""
    width, height = size
    pixels = np.random.default_rng(7).integers(0, 256, (2, height, width, 3), np.uint8)
    pixels[1] = np.linspace(0, 255, width, dtype=np.uint8)[None, :, None]
    places = np.tile(np.eye(2, 3), (2, 1, 1))
    both = Chips(pixels, model.layout, places, model.options.points)
    found = model.embed(both).vectors
    alone = np.concatenate([model.embed(both[[i]]).vectors for i in range(2)])
    length = max(float(np.linalg.norm(alone, axis=1).max()), 1e-12)
    if np.abs(found - alone).max() > _SAME * length:
        raise _wrong(
            record,
            "names a network that gives other vectors in a batch than alone",
            "Export it with a free first axis, or with a batch of 1.",
        )
    if np.abs(found[0] - found[1]).max() <= 1e-6 * length:
        raise _wrong(
            record,
            "names a network that gives one vector whatever it sees",
            "Look at mean and std under [input], and at the export.",
        )


def _run(spec: ModelSpec, model: Any) -> None:
    """Run a model that reads whole photos on a picture."""
    width, height = spec.input.size or (320, 320)
    picture = np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.from_array(picture, "rgb")
    if spec.task in (Task.DETECT, Task.SEGMENT):
        (model.detect if spec.task is Task.DETECT else model.segment)(image)
        return
    box = np.array([[width / 4, height / 4, 3 * width / 4, 3 * height / 4]], np.float32)
    faces = Faces(box, np.ones(1, np.float32), None, "a box", (width, height))
    if spec.task is Task.LANDMARK:
        model.locate(image, faces)
    elif spec.task is Task.QUALITY:
        model.measure(image, faces)
    elif spec.task is Task.POSE:
        model.estimate(image, faces)
    else:
        model.judge(image, faces)


def shapes(weights: Path) -> tuple[list[int], list[int]]:
    """Return the shapes of the first input and output of an ONNX file, 0 for what is free.

    Where the file does not say how long a vector is, a black picture tells. Raises ConfigError for
    a file that is none.
    """
    graph = _parsed(weights, weights).graph
    if not graph.input or not graph.output:
        raise _wrong(weights, "has no input or no output")
    inner = {tensor.name for tensor in graph.initializer}
    read = next((port for port in graph.input if port.name not in inner), graph.input[0])
    shaped = (read.type.tensor_type.shape, graph.output[0].type.tensor_type.shape)
    first, second = ([max(axis.dim_value, 0) for axis in shape.dim] for shape in shaped)
    if len(first) == 4 and not (second and second[-1]) and not any(_files_apart(weights, weights)):
        port = Session(weights).inputs[0]
        kind = np.uint8 if port.kind == "tensor(uint8)" else np.float32
        black = np.zeros([first[0] or 1, *(side or 112 for side in first[1:])], kind)
        with suppress(FacelignError):  # how it does not run is told by the checks
            second = list(Session(weights).run({port.name: black})[0].shape)
    return first, second


def _parsed(record: Path, weights: Path) -> Any:
    """Return the ``onnx.ModelProto`` of a file; numbers outside of it are not opened."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if weights.stat().st_size > LARGEST_MODEL:
        raise _wrong(record, f"names {weights.name}, which is too large for an ONNX model")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(weights.read_bytes())
    except (DecodeError, RecursionError, ValueError) as problem:
        raise _wrong(record, f"names {weights.name}, which is no ONNX model") from problem
    return model


def _files_apart(record: Path, weights: Path) -> Iterator[str]:
    """Yield the files in which an ONNX file keeps numbers outside of itself; none is opened."""
    model = _parsed(record, weights)
    nodes = [*model.graph.node, *(node for part in model.functions for node in part.node)]
    graphs, tensors = [model.graph], []
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            tensors += graph.initializer
            tensors += [part for s in graph.sparse_initializer for part in (s.values, s.indices)]
            nodes += graph.node
            continue
        for attribute in nodes.pop().attribute:
            tensors += [attribute.t, *attribute.tensors]
            graphs += [attribute.g, *attribute.graphs]
    for tensor in tensors:
        if tensor.data_location or tensor.external_data:
            yield next((e.value for e in tensor.external_data if e.key == "location"), "not named")


def _wrong(record: Path, what: str, hint: str = "See 'Your own model' in the docs.") -> ConfigError:
    return ConfigError(f"The record {record} {what}.", hint)
