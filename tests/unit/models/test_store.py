"""The store: what is here, what arrives, what is damaged. Real files, real pip, no network."""

from __future__ import annotations

import bz2
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelign.errors import (
    ConfigError,
    DownloadFailed,
    LicenseRefused,
    Remedy,
    WeightsCorrupt,
    WeightsMissing,
)
from facelign.models.convert import WEIGHTS_APART, set_apart
from facelign.models.weights import wheel
from facelign.models.weights.progress import Progress
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.types.specs import (
    DetectorOutput,
    Engine,
    InputSpec,
    License,
    ModelSpec,
    Source,
    Task,
    WeightFile,
)


def tiny_network(seed: int = 0) -> bytes:
    """Return a small convolution with PRelu as an ONNX file."""
    rng = np.random.default_rng(seed)
    weights = [
        numpy_helper.from_array(rng.standard_normal((4, 3, 3, 3)).astype(np.float32), "w"),
        numpy_helper.from_array(rng.standard_normal((4, 1, 1)).astype(np.float32), "a"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3]),
        helper.make_node("PRelu", ["y", "a"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4, 6, 6])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def spec_of(*files: WeightFile, commercial: str = "yes", name: str = "tiny") -> ModelSpec:
    return ModelSpec(
        id=name,
        task=Task.DETECT,
        entry="nowhere:Nothing",
        engine=Engine.ONNX,
        weights=files,
        input=InputSpec((8, 8)),
        output=DetectorOutput(None),
        license=License("MIT", "MIT", "none", commercial),  # type: ignore[arg-type]
    )


def wheel_file(folder: Path, name: str, version: str, members: dict[str, bytes]) -> Path:
    """Write a wheel that pip accepts."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


DATA = tiny_network()
REQUIREMENT = "facelign-test-weights==1.0"
MEMBER = "facelign_test_weights/tiny.onnx"
WHEEL = Source.wheel(REQUIREMENT, MEMBER, sha256=sha(DATA), size=len(DATA))


@pytest.fixture
def offline_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let pip find wheels in a folder only."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "another-name.bin").write_bytes(DATA)
    (folder / "decoy.bin").write_bytes(bytes(len(DATA)))
    return folder


def test_missing_weights_name_the_command_on_one_line(tmp_path: Path) -> None:
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,)), name="my-model")
    with pytest.raises(WeightsMissing) as caught:
        Store(tmp_path).ready(spec)
    assert "facelign models pull my-model" in caught.value.hint
    assert "\n" not in caught.value.hint
    assert not Store(tmp_path).present(spec)


def test_a_wheel_gives_its_member_and_nothing_is_installed(
    tmp_path: Path, offline_index: Path
) -> None:
    wheel_file(offline_index, "facelign_test_weights", "1.0", {MEMBER: DATA})
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,), convert="onnx-prelu"))
    store = Store(tmp_path / "home")
    steps: list[Progress] = []
    store.pull(spec, steps.append)
    (path,) = store.ready(spec).values()
    assert Session(path).inputs[0].shape == (None, 3, 8, 8)
    assert {"note", "fetch", "convert", "done"} <= {step.step for step in steps}
    assert all(entry.good for entry in store.verify([spec]))
    assert len(store.verify([spec])) == 2
    assert not list(store.folder.rglob("*.whl")), "the wheel itself is not kept"


def test_one_wheel_is_fetched_once_for_all_its_files(tmp_path: Path, offline_index: Path) -> None:
    other = tiny_network(1)
    wheel_file(
        offline_index,
        "facelign_test_weights",
        "1.0",
        {MEMBER: DATA, "facelign_test_weights/b": other},
    )
    second = Source.wheel(
        REQUIREMENT, "facelign_test_weights/b", sha256=sha(other), size=len(other)
    )
    specs = [
        spec_of(WeightFile("tiny.onnx", (WHEEL,))),
        spec_of(WeightFile("b.onnx", (second,)), name="other"),
    ]
    store = Store(tmp_path / "home")
    seen: list[str] = []
    original = wheel.download

    def counting(requirement: str, *rest: object, **more: object) -> Path:
        seen.append(requirement)
        return original(requirement, *rest, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wheel, "download", counting)
        store.pull_all(specs)
    assert seen == [REQUIREMENT]
    assert all(store.present(spec) for spec in specs)


def test_a_wheel_is_kept_for_what_else_it_has(tmp_path: Path, offline_index: Path) -> None:
    more = tiny_network(1)
    members = {MEMBER: DATA, "facelign_test_weights/b": more}
    package = wheel_file(offline_index, "facelign_test_weights", "1.0", members)
    source = Source.wheel(REQUIREMENT, "facelign_test_weights/b", sha256=sha(more), size=len(more))
    first = spec_of(WeightFile("tiny.onnx", (WHEEL,)))
    second = spec_of(WeightFile("b.onnx", (source,)), name="other", commercial="no")
    store = Store(tmp_path / "home")
    kept, steps = store.folder / "wheels" / REQUIREMENT, list[Progress]()
    store.pull_all([first], steps.append, known=[first, second])
    assert [path.name for path in kept.iterdir()] == [package.name]
    assert any("kept for other: " in step.text for step in steps)
    assert not store.present(second), "what was not asked for is not taken"
    package.unlink()  # it cannot be fetched again
    store.pull_all([second], known=[first, second])
    assert store.present(second)
    assert not kept.exists(), "nothing of it is wanted any more"
    # a kept one that is damaged is fetched again
    package = wheel_file(offline_index, "facelign_test_weights", "1.0", members)
    store.remove(first)
    store.remove(second)
    store.pull_all([first], known=[first, second])
    (kept / package.name).write_bytes(package.read_bytes()[:-40])
    store.pull_all([second], known=[first, second])
    assert store.present(second)
    # nor is it kept for what the license guard refuses
    guarded = Store(tmp_path / "guarded", guard="commercial")
    guarded.pull_all([first], known=[first, second])
    assert not (guarded.folder / "wheels" / REQUIREMENT).exists()


@pytest.mark.parametrize(
    ("member", "said"),
    [(bytes(len(DATA)), "SHA-256"), (DATA + b"!", "bytes, wanted"), (None, "holds no")],
)
def test_a_wheel_with_other_bytes_is_refused(
    tmp_path: Path, offline_index: Path, member: bytes | None, said: str
) -> None:
    members = {"facelign_test_weights/x": b""} if member is None else {MEMBER: member}
    wheel_file(offline_index, "facelign_test_weights", "1.0", members)
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,)))
    store = Store(tmp_path / "home")
    with pytest.raises(DownloadFailed, match=said):
        store.pull(spec)
    assert not store.present(spec)
    assert not [p for p in store.folder.rglob("*") if p.is_file()]


def test_pip_is_asked_again_and_then_named(tmp_path: Path, offline_index: Path) -> None:
    notes: list[str] = []
    with pytest.raises(DownloadFailed, match=REQUIREMENT):
        wheel.download(REQUIREMENT, tmp_path, attempts=2, pause_s=0.01, note=notes.append)
    assert notes == ["trying again (2 of 2)"]


def test_a_python_without_pip_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheel, "pip_is_here", lambda: False)
    with pytest.raises(DownloadFailed) as caught:
        Store(tmp_path).pull(spec_of(WeightFile("tiny.onnx", (WHEEL,))))
    assert "uv pip install pip" in caught.value.hint
    assert "models unbundle" in caught.value.hint


def test_a_mirror_finds_by_digest_before_anything_else(tmp_path: Path, mirror: Path) -> None:
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,)))
    store = Store(tmp_path / "home", str(mirror))
    store.pull(spec)
    (path,) = store.ready(spec).values()
    assert path.read_bytes() == DATA
    assert path.name.endswith("-tiny.onnx")


def test_a_mirror_that_is_no_folder(tmp_path: Path) -> None:
    source = Source.installed("no_such_package", "x", sha256=sha(DATA), size=len(DATA))
    with pytest.raises(DownloadFailed, match="is no folder"):
        Store(tmp_path / "home", str(tmp_path / "no")).pull(spec_of(WeightFile("x", (source,))))


def test_a_packed_address_source_is_unpacked(tmp_path: Path) -> None:
    packed = bz2.compress(DATA)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "x").write_bytes(packed)
    source = Source.address(
        "https://nowhere.invalid/tiny.onnx.bz2",
        sha256=sha(packed),
        size=len(packed),
        compression="bz2",
    )
    for convert in ("", "onnx-prelu"):
        spec = spec_of(WeightFile("tiny.onnx", (source,), convert=convert))
        store = Store(tmp_path / "home", str(mirror))
        store.pull(spec)
        (path,) = store.ready(spec).values()
        assert (path.read_bytes() == DATA) is (convert == "")


def test_a_packed_bomb_is_stopped(tmp_path: Path) -> None:
    packed = bz2.compress(bytes(50_000_000))
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "x").write_bytes(packed)
    source = Source.address(
        "https://nowhere.invalid/x", sha256=sha(packed), size=len(packed), compression="bz2"
    )
    with pytest.raises(WeightsCorrupt, match="unpacks to more"):
        Store(tmp_path / "home", str(mirror)).pull(spec_of(WeightFile("x", (source,))))


def test_an_installed_package_gives_its_file_without_being_imported(tmp_path: Path) -> None:
    code = tmp_path / "site" / "carrier"
    code.mkdir(parents=True)
    (code / "__init__.py").write_text("raise RuntimeError('imported')")
    (code / "tiny.onnx").write_bytes(DATA)
    source = Source.installed("carrier", "carrier/tiny.onnx", sha256=sha(DATA), size=len(DATA))
    spec = spec_of(WeightFile("tiny.onnx", (source,)))
    store = Store(tmp_path / "home")
    with pytest.raises(DownloadFailed, match="not installed"):
        store.pull(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path / "site"))
        store.pull(spec)
    assert store.present(spec)
    assert "carrier" not in sys.modules


def test_every_source_that_was_tried_is_named(tmp_path: Path, offline_index: Path) -> None:
    sources = (
        Source.address("http://plain.invalid/x", sha256=sha(DATA), size=len(DATA)),
        Source.installed("no_such_package", "x", sha256=sha(DATA), size=len(DATA)),
    )
    with pytest.raises(DownloadFailed) as caught:
        Store(tmp_path).pull(spec_of(WeightFile("tiny.onnx", sources)))
    assert "plain.invalid" in caught.value.message
    assert "no_such_package" in caught.value.message


def _spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("convert", ["", "onnx-prelu"])
def test_a_damaged_cache_is_named_and_mended(tmp_path: Path, mirror: Path, convert: str) -> None:
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,), convert=convert))
    store = Store(tmp_path / "home", str(mirror))
    store.pull(spec)
    (path,) = store.ready(spec).values()
    before = path.read_bytes()
    _spoil(path)
    with pytest.raises(WeightsCorrupt) as caught:
        store.ready(spec)
    assert str(path) in caught.value.message
    assert "facelign models pull tiny" in caught.value.hint
    assert [entry.path for entry in store.verify([spec]) if not entry.good] == [path]
    store.pull(spec)
    assert store.ready(spec)["tiny.onnx"].read_bytes() == before


def test_a_touched_file_is_read_again_and_accepted(tmp_path: Path, mirror: Path) -> None:
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,), convert="onnx-prelu"))
    store = Store(tmp_path / "home", str(mirror))
    store.pull(spec)
    (path,) = store.ready(spec).values()
    os.utime(path, (1, 1))
    assert store.ready(spec)["tiny.onnx"] == path


def test_verify_finds_what_the_stamp_hides(tmp_path: Path, mirror: Path) -> None:
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,)))
    store = Store(tmp_path / "home", str(mirror))
    store.pull(spec)
    (path,) = store.ready(spec).values()
    times = path.stat()
    _spoil(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not store.verify([spec])[0].good


def test_two_processes_convert_at_once(tmp_path: Path, mirror: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from test_store import spec_of, WHEEL\n"
        "from facelign.types.specs import WeightFile\n"
        "from facelign.models.weights.store import Store\n"
        "from pathlib import Path\n"
        "store = Store(Path(sys.argv[1]), sys.argv[2])\n"
        "spec = spec_of(WeightFile('tiny.onnx', (WHEEL,), convert='onnx-prelu'))\n"
        "store.pull(spec)\n"
        "print(store.ready(spec)['tiny.onnx'])\n"
    )
    home = tmp_path / "home"
    command = [sys.executable, "-c", script, str(home), str(mirror), str(Path(__file__).parent)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=100) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert len({out for out, _ in said}) == 1
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,), convert="onnx-prelu"))
    assert all(entry.good for entry in Store(home).verify([spec]))
    assert not list((home / "weights" / "converted").glob(".new-*"))


@pytest.mark.parametrize(
    ("guard", "commercial", "refused"),
    [
        ("", "no", False),
        ("commercial", "no", True),
        ("commercial", "unclear", False),
        ("strict", "unclear", True),
        ("strict", "yes", False),
    ],
)
def test_the_license_guard(
    tmp_path: Path, mirror: Path, guard: str, commercial: str, refused: bool
) -> None:
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,)), commercial=commercial)
    Store(tmp_path / "home", str(mirror)).pull(spec)
    guarded = Store(tmp_path / "home", str(mirror), guard)
    if refused:
        with pytest.raises(LicenseRefused, match=commercial):
            guarded.ready(spec)
        with pytest.raises(LicenseRefused):
            guarded.pull(spec)
    else:
        assert guarded.ready(spec)


def test_the_environment_is_read_once(tmp_path: Path) -> None:
    store = Store.from_environment(
        {"FACELIGN_HOME": str(tmp_path), "FACELIGN_MIRROR": "m", "FACELIGN_LICENSE": "Strict"}
    )
    assert (store.home, store.mirror, store.guard) == (tmp_path, "m", "strict")
    assert Store.from_environment({}).mirror is None
    with pytest.raises(ConfigError, match="free"):
        Store.from_environment({"FACELIGN_LICENSE": "free"})


def test_remove_takes_everything_of_a_model(tmp_path: Path, mirror: Path) -> None:
    spec = spec_of(WeightFile("tiny.onnx", (WHEEL,), convert="onnx-prelu"))
    store = Store(tmp_path / "home", str(mirror))
    store.pull(spec)
    assert len(store.remove(spec)) == 2
    assert not store.present(spec)
    assert not [p for p in store.folder.rglob("*") if p.is_file()]


def test_loading_opens_no_network_library() -> None:
    code = (
        "import sys, facelign.models.weights.store\n"
        "bad = {'httpx', 'onnx', 'onnxruntime', 'cv2', 'rich', 'typer'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_tiny_network_is_valid() -> None:
    onnx.checker.check_model(onnx.load_model_from_string(DATA))


def test_one_file_that_cannot_be_had_does_not_stop_the_others(tmp_path: Path, mirror: Path) -> None:
    lost = Source.installed("no_such_package", "x", sha256="1" * 64, size=3)
    specs = [
        spec_of(WeightFile("lost", (lost,)), name="lost"),
        spec_of(WeightFile("tiny.onnx", (WHEEL,), convert="onnx-prelu")),
    ]
    store = Store(tmp_path / "home", str(mirror))
    with pytest.raises(DownloadFailed, match="lost"):
        store.pull_all(specs)
    assert store.ready(specs[1])["tiny.onnx"].is_file()


def test_a_mirror_at_an_address_is_asked_by_digest_then_by_name(tmp_path: Path) -> None:
    import threading
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    asked: list[str] = []

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        base = f"http://127.0.0.1:{server.server_address[1]}/"
        spec = spec_of(WeightFile("tiny.onnx", (WHEEL,)))
        for name in (sha(DATA), "tiny.onnx"):
            (folder / name).write_bytes(DATA)
            store = Store(tmp_path / f"home-{name[:4]}", base)
            store.pull(spec)
            assert store.ready(spec)["tiny.onnx"].read_bytes() == DATA
            (folder / name).unlink()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert f"/{sha(DATA)}" in asked
    assert "/tiny.onnx" in asked


def wide_network() -> bytes:
    """Return a network with 4 MB of weights, as an ONNX file."""
    weight = np.random.default_rng(0).standard_normal((256, 4096)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4096])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture
def wide(tmp_path: Path) -> tuple[Store, ModelSpec]:
    """A store into which a network with large weights was pulled, and its record."""
    data = wide_network()
    source = Source.address(
        "https://plain.invalid/wide.onnx", sha256=hashlib.sha256(data).hexdigest(), size=len(data)
    )
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "wide.onnx").write_bytes(data)
    spec = spec_of(WeightFile("wide.onnx", (source,), convert="onnx-prelu"))
    store = Store(tmp_path / "home", str(mirror))
    store.pull(spec)
    return store, spec


def test_large_weights_lie_beside_their_graph(wide: tuple[Store, ModelSpec]) -> None:
    store, spec = wide
    (path,) = store.ready(spec).values()
    beside = path.with_name("weights.bin")
    assert path.stat().st_size < 10_000
    assert beside.stat().st_size >= 4 * 256 * 4096
    assert beside.stat().st_mode == path.stat().st_mode
    x = np.linspace(-1, 1, 256, dtype=np.float32)[None]
    want = Session(wide_network()).run({"x": x})[0]
    assert np.array_equal(Session(path).run({"x": x})[0], want)
    assert [entry.path.name for entry in store.verify([spec])][1:] == [path.name, beside.name]
    assert all(entry.good for entry in store.verify([spec]))


@pytest.mark.parametrize("damage", [_spoil, Path.unlink], ids=["changed", "absent"])
def test_damaged_weights_beside_a_graph_are_named_and_mended(
    wide: tuple[Store, ModelSpec], damage: Callable[[Path], None]
) -> None:
    store, spec = wide
    (path,) = store.ready(spec).values()
    beside = path.with_name("weights.bin")
    damage(beside)
    with pytest.raises(WeightsCorrupt) as caught:
        store.ready(spec)
    assert str(beside) in caught.value.message
    assert [entry.path for entry in store.verify([spec]) if not entry.good] == [beside]
    store.pull(spec)
    assert store.ready(spec) == {"wide.onnx": path}
    assert all(entry.good for entry in store.verify([spec]))


def test_remove_takes_the_conversions_of_earlier_versions_too(
    wide: tuple[Store, ModelSpec],
) -> None:
    store, spec = wide
    (path,) = store.ready(spec).values()
    digest = path.parent.name.split("-")[0]
    earlier = path.parent.with_name(f"{digest}-onnx-prelu-v0")
    other = path.parent.with_name("0123456789ab-onnx-prelu-v0")
    earlier.mkdir()
    other.mkdir()
    gone = store.remove(spec)
    assert {path.parent, earlier} <= set(gone)
    assert not path.parent.exists()
    assert not earlier.exists()
    assert other.is_dir()


def test_weights_are_set_apart_wherever_the_process_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((1 << 19,), np.float32), "w")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["y"])],
        "large",
        [value("x", TensorProto.FLOAT, [1])],
        [value("y", TensorProto.FLOAT, [1 << 19])],
        [weight],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "large.onnx").write_bytes(made.SerializeToString())
    (tmp_path / WEIGHTS_APART).write_bytes(b"of somebody else")
    monkeypatch.chdir(tmp_path)
    assert set_apart(tmp_path / "made" / "large.onnx")
    assert (tmp_path / "made" / WEIGHTS_APART).stat().st_size >= 1 << 21
    assert (tmp_path / WEIGHTS_APART).read_bytes() == b"of somebody else"


def test_what_nobody_tells_the_digest_of_is_trusted_once_and_then_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facelign.models.weights import fetch

    lies = {"https://example.org/net.onnx": tiny_network()}

    def come(remote: fetch.RemoteFile, part: Path, **_: object) -> None:
        data = lies[remote.url]
        if remote.sha256 and remote.sha256 != sha(data):
            raise fetch.WrongBytes(f"{remote.url}: SHA-256 is {sha(data)}.", "It was not kept.")
        part.write_bytes(data)

    monkeypatch.setattr(fetch, "fetch", come)
    source = Source.address("https://example.org/net.onnx", sha256="", size=0)
    spec, store = spec_of(WeightFile("net.onnx", (source,))), Store(tmp_path / "home")
    with pytest.raises(WeightsMissing) as absent:
        store.ready(spec)
    assert absent.value.hint.startswith("Run: facelign models pull tiny; with the file at hand: ")
    with pytest.raises(DownloadFailed, match="Nobody tells the SHA-256") as refused:
        store.pull(spec)
    assert refused.value.hint.startswith(Remedy.TRUST)
    store.pull_all([spec], trust_first_use=True)
    assert store.ready(spec)["net.onnx"].read_bytes() == tiny_network()
    assert [entry.good for entry in store.verify([spec])] == [True]
    store.remove(spec)
    assert not store.present(spec)
    store.pull(spec)  # its digest is known now
    store.remove(spec)
    lies["https://example.org/net.onnx"] = tiny_network(1)
    with pytest.raises(DownloadFailed, match="SHA-256 is"):
        store.pull_all([spec], trust_first_use=True)


def test_a_mirror_finds_a_file_of_unknown_size_by_name_and_digest(
    tmp_path: Path, mirror: Path
) -> None:
    data = tiny_network(5)
    (mirror / "net.onnx").write_bytes(data)
    source = Source.address("https://example.org/net.onnx", sha256=sha(data), size=0)
    spec, store = spec_of(WeightFile("n.onnx", (source,))), Store(tmp_path / "home", str(mirror))
    store.pull(spec)
    assert store.ready(spec)["n.onnx"].read_bytes() == data


def test_a_copy_that_only_a_mirror_has_comes_from_there(tmp_path: Path, mirror: Path) -> None:
    data = tiny_network(6)
    (mirror / "copy.onnx").write_bytes(data)
    copy = Source.mirrored("copy.onnx", sha256=sha(data), size=len(data))
    spec = spec_of(WeightFile("n.onnx", (copy,)))
    Store(tmp_path / "one", str(mirror)).pull(spec)
    with pytest.raises(DownloadFailed, match="No source gave") as nowhere:
        Store(tmp_path / "other").pull(spec)
    for way in ("FACELIGN_MIRROR", "facelign models bundle", "facelign models import tiny"):
        assert way in nowhere.value.hint
