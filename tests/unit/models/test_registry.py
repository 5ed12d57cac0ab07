"""The catalog: found by scanning, by entry points, by a TOML record; loaded with its options."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelign import models as models
from facelign.errors import ConfigError, InputError, ModelError, UnknownModel, WeightsMissing
from facelign.models import Registry, load
from facelign.models.catalog import Broken, Registered
from facelign.models.load import merged_options
from facelign.models.weights.store import Store
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types.contracts import WeightPaths
from facelign.types.embeddings import Metric
from facelign.types.specs import (
    EmbedderOutput,
    Engine,
    InputSpec,
    License,
    ModelSpec,
    Source,
    Task,
    WeightFile,
)


@dataclass(frozen=True)
class _Options:
    batch: int = 8
    order: tuple[str, ...] = ("a",)

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ConfigError("batch must be positive.", "Use 1 or more.")


class Tiny:
    """Stands in for a model class; the network it opens is real."""

    Options = _Options

    def __init__(
        self, spec: ModelSpec, files: WeightPaths, options: _Options, engine: OnnxOptions
    ) -> None:
        self.spec, self.files, self.options = spec, files, options
        self.session = Session(files[spec.weights[0].name], engine)


class NoOptions:
    """A class that breaks the contract."""


SPEC = ModelSpec(
    id="tiny",
    task=Task.EMBED,
    entry=f"{__name__}:Tiny",
    engine=Engine.ONNX,
    weights=(WeightFile("tiny.onnx", (Source.wheel("x==1", "m", sha256="0" * 64, size=1),)),),
    input=InputSpec((4, 4)),
    output=EmbedderOutput(2, Metric.COSINE, False, "arcface-112"),
    license=License("MIT", "MIT", "none", "yes"),
    defaults={"batch": 4},
)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, SPEC.entry.partition(":")[0], sys.modules[__name__])


def _network(path: Path, name: str = "mine.onnx") -> Path:
    weight = numpy_helper.from_array(np.ones((2, 3, 4, 4), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["z"])],
        "t",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2, 1, 1])],
        [weight],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(made.SerializeToString())
    return path / name


def _record(path: Path, **changes: str) -> Path:
    lines = {
        "id": '"mine"',
        "like": '"tiny"',
        "task": '"embed"',
        "weights": '"mine.onnx"',
    } | changes
    path.mkdir(parents=True, exist_ok=True)
    file = path / "mine.toml"
    file.write_text("\n".join(f"{k} = {v}" for k, v in lines.items() if v), encoding="utf-8")
    return file


@pytest.fixture
def known() -> Registry:
    return Registry([Registered(SPEC, "here")])


# the catalog


def test_the_usual_registry_knows_the_models_of_the_house() -> None:
    found = models.default()
    assert {"yunet", "yunet-n"} <= {spec.id for spec in found.specs(Task.DETECT)}
    assert found.broken == ()
    assert [s.task for s in found.specs()] == sorted(
        (s.task for s in found.specs()), key=list(Task).index
    )


def test_unknown_ids_list_near_names() -> None:
    found = models.default()
    with pytest.raises(UnknownModel) as caught:
        found.spec(Task.DETECT, "yunett")
    assert "yunet" in caught.value.hint
    with pytest.raises(UnknownModel) as caught:
        found.spec("detect", "zzz")
    assert "Known: " in caught.value.hint
    with pytest.raises(UnknownModel) as caught:
        found.find("zzz")
    assert "facelign models list" in caught.value.hint
    assert len(caught.value.hint) < 100, "nobody reads seventy names"
    with pytest.raises(UnknownModel):
        found.layout("zzz")


def test_one_id_twice_names_both_places() -> None:
    with pytest.raises(ConfigError, match=r"here.*there"):
        Registry([Registered(SPEC, "here"), Registered(SPEC, "there")])
    detector = replace(SPEC, task=Task.DETECT)
    assert (
        len(Registry([Registered(SPEC, "here"), Registered(detector, "there")]).find("tiny")) == 2
    )


def test_a_broken_place_is_shown() -> None:
    found = Registry([Broken("their.module", "no such module")])
    with pytest.raises(UnknownModel) as caught:
        found.find("x")
    assert "their.module" in caught.value.hint


def test_layouts_are_made_with_options() -> None:
    class Layout:
        def __init__(self, size: int = 5) -> None:
            self.id, self.size = f"square-{size}", (size, size)

    factory: Callable[..., object] = Layout
    found = Registry((), [("square", factory, "here")])  # type: ignore[list-item]
    assert found.layouts() == ("square",)
    assert found.layout("square", size=9).size == (9, 9)
    with pytest.raises(ConfigError, match="depth"):
        found.layout("square", depth=2)
    with pytest.raises(ConfigError, match="twice"):
        Registry((), [("s", factory, "here"), ("s", factory, "there")])  # type: ignore[list-item]


def test_scanning_opens_no_engine_and_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from facelign import models\n"
        "assert models.default().specs()\n"
        "bad = {'onnxruntime', 'dlib', '_dlib_pybind11', 'onnx', 'httpx'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_model_of_ours_is_found_without_the_others() -> None:
    code = (
        "import sys\n"
        "from facelign import models\n"
        "known = models.default()\n"
        "assert known.spec('embed', 'sface-int8').id == 'sface-int8'\n"
        "assert known.layout('arcface-112').size == (112, 112)\n"
        "rooms = ('facelign.detect.models.', 'facelign.embed.models.', 'facelign.align.layouts.')\n"
        "print(*sorted(name for name in sys.modules if name.startswith(rooms)))\n"
        "assert 'dlib-5' in [s.id for s in known.specs()] and known.layouts()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=120, capture_output=True, text=True
    )
    assert done.stdout.split() == [
        "facelign.align.layouts.arcface_112",
        "facelign.embed.models.sface",
    ]


def test_what_is_found_by_its_name_is_what_all_have() -> None:
    every = models.default()
    specs, layouts = every.specs(), every.layouts()
    for spec in specs:
        assert models.default().spec(spec.task, spec.id) is spec
    for name in layouts:
        found = models.default().layout(name)
        assert (type(found), found.id) == (type(every.layout(name)), name)


def test_other_packages_join_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_models.py").write_text(
        "from dataclasses import replace\n"
        "from facelign.models import catalog\n"
        "from facelign.detect.models.yunet import SPECS as base\n"
        "SPECS = (replace(base[0], id='theirs'),)\n"
    )
    info = tmp_path / "their_models-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-models\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[facelign.models]\nbad = no_such_module_at_all\ngood = their_models\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = models.default()
    assert found.spec(Task.DETECT, "theirs").entry.endswith("YuNet")
    assert found.place(found.spec(Task.DETECT, "theirs")) == "their_models"
    assert [b.place.split()[0] for b in found.broken] == ["no_such_module_at_all"]


# loading


def test_options_come_from_class_record_and_caller() -> None:
    assert merged_options(SPEC, {}) == _Options(batch=4)
    assert merged_options(SPEC, {"batch": 2, "order": ["x", "y"]}) == _Options(2, ("x", "y"))
    with pytest.raises(ConfigError) as caught:
        merged_options(SPEC, {"bacth": 2})
    assert "bacth" in caught.value.message
    assert "batch" in caught.value.hint
    with pytest.raises(ConfigError, match="positive"):
        merged_options(SPEC, {"batch": 0})


@pytest.mark.parametrize(
    "entry", ["no_such_module:X", f"{__name__}:Missing", f"{__name__}:NoOptions"]
)
def test_classes_that_are_not_there(entry: str) -> None:
    with pytest.raises(ModelError):
        merged_options(replace(SPEC, entry=entry), {})


def test_loading_what_is_not_here_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing) as caught:
        load(SPEC, Store(tmp_path))
    assert "facelign models pull tiny" in caught.value.hint


# one's own model


def test_a_record_beside_its_weights(tmp_path: Path, known: Registry) -> None:
    _network(tmp_path)
    record = _record(tmp_path, title='"Mine"')
    record.write_text(
        record.read_text()
        + "\n[input]\nmean = [1, 2, 3]\n[output]\ndim = 7\nmetric = 'euclidean'\n"
        + "[defaults]\nbatch = 2\n[license]\nweights = 'my own'\ncommercial = 'yes'\n"
    )
    spec = known.add_file(record)
    assert (spec.id, spec.title, spec.input.mean) == ("mine", "Mine", (1, 2, 3))
    assert (spec.paper, spec.origin, spec.weights[0].name) == ("", "the user's own", "mine.onnx")
    assert spec.output == replace(SPEC.output, dim=7, metric=Metric.EUCLIDEAN)
    assert spec.license.commercial == "yes"
    model = load(spec, Store(tmp_path / "home"))
    assert isinstance(model, Tiny)
    assert model.options.batch == 2
    assert model.session.run({"x": np.ones((1, 3, 4, 4), np.float32)})[0].ravel().tolist() == [
        48,
        48,
    ]
    assert not list(tmp_path.glob("*.stamp")), "nothing is written beside the user's file"
    with pytest.raises(ConfigError, match="twice"):
        known.add_file(record)


def test_a_license_that_is_not_stated_is_unclear(tmp_path: Path, known: Registry) -> None:
    _network(tmp_path)
    assert known.add_file(_record(tmp_path)).license.commercial == "unclear"


@pytest.mark.parametrize(
    "where", ["../outside.onnx", "/etc/passwd", "a/../../outside.onnx", "link.onnx", "C:\\x.onnx"]
)
def test_weights_outside_of_the_folder_are_refused(
    tmp_path: Path, known: Registry, where: str
) -> None:
    folder = tmp_path / "inner"
    _network(tmp_path, "outside.onnx")
    folder.mkdir()
    (folder / "link.onnx").symlink_to(tmp_path / "outside.onnx")
    with pytest.raises(ConfigError, match="outside of its folder"):
        known.add_file(_record(folder, weights=repr(where)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": '"Bad Id"'}, "id"),
        ({"id": f'"{"a" * 65}"'}, "up to 64 lower case letters"),
        ({"id": ""}, "lacks the text 'id'"),
        ({"task": '"fly"'}, "task"),
        ({"weights": '"gone.onnx"'}, "not there"),
        ({"weights": "5"}, "names no weights"),
        ({"weights": '{file = "mine.onnx", entry = "os:system"}'}, "unknown field"),
        ({"entry": '"os:system"'}, "unknown field"),
        ({"input": "3"}, "no section"),
        ({"output": "{colour = 3}"}, "output.colour"),
        ({"output": '{metric = "manhattan"}'}, "metric"),
        ({"output": '{dim = "7"}'}, "dim is no whole number"),
        ({"output": "{dim = 0}"}, "dim 0"),
        ({"output": '{stands_for = "sface"}'}, "output.stands_for"),
        ({"input": '{axes = "chw"}'}, "axes is no 'nchw' or 'nhwc'"),
        ({"input": "{size = 112}"}, "size is no list"),
        ({"input": "{std = [1, 0, 1]}"}, "std no 0"),
        ({"license": '{commercial = "maybe"}'}, "commercial is no 'yes' or 'no'"),
        ({"id": "= ="}, "no TOML"),
    ],
)
def test_records_that_are_wrong_say_where(
    tmp_path: Path, known: Registry, changes: dict[str, str], said: str
) -> None:
    _network(tmp_path)
    with pytest.raises(ConfigError, match=said) as caught:
        known.add_file(_record(tmp_path, **changes))
    assert "mine.toml" in caught.value.message


def test_a_record_that_is_not_there(tmp_path: Path, known: Registry) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        known.add_file(tmp_path / "no.toml")
    (tmp_path / "no.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no TOML"):
        known.add_file(tmp_path / "no.toml")


def test_a_changed_file_of_ones_own_is_noticed(tmp_path: Path, known: Registry) -> None:
    from facelign.errors import WeightsCorrupt

    path = _network(tmp_path)
    spec = known.add_file(_record(tmp_path))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    store = Store(tmp_path / "home")
    with pytest.raises(WeightsCorrupt, match=r"mine\.onnx"):
        store.ready(spec)
    assert path.exists()
