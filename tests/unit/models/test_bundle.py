"""Bundles: what is carried arrives; what is hostile does not."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from facelign.errors import InputError, LicenseRefused, WeightsCorrupt, WeightsMissing
from facelign.models.weights.bundle import bundle, take_file, unbundle
from facelign.models.weights.store import Store
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

DATA = {name: bytes([value]) * 5000 for value, name in enumerate(("a.bin", "b.bin"), start=1)}


def _spec(name: str, *files: str, commercial: str = "yes") -> ModelSpec:
    return ModelSpec(
        id=name,
        task=Task.DETECT,
        entry="nowhere:Nothing",
        engine=Engine.ONNX,
        weights=tuple(
            WeightFile(
                file,
                (
                    Source.wheel(
                        "x==1", file, sha256=hashlib.sha256(DATA[file]).hexdigest(), size=5000
                    ),
                ),
            )
            for file in files
        ),
        input=InputSpec((8, 8)),
        output=DetectorOutput(None),
        license=License("MIT", "MIT", "none", commercial),  # type: ignore[arg-type]
    )


SPECS = (_spec("one", "a.bin"), _spec("two", "a.bin", "b.bin"))


@pytest.fixture
def full(tmp_path: Path) -> Store:
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, data in DATA.items():
        (folder / name).write_bytes(data)
    store = Store(tmp_path / "full", str(folder))
    store.pull_all(SPECS)
    return store


def _tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for entry, data in members:
            tar.addfile(entry, io.BytesIO(data))
    return path


def _entry(name: str, size: int, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = size, kind, link
    return entry


def test_there_and_back(full: Store, tmp_path: Path) -> None:
    packed = bundle(full, SPECS, tmp_path / "b.tar")
    assert [p.name for p in packed] == ["a.bin", "b.bin"], "a shared file goes in once"
    with tarfile.open(tmp_path / "b.tar", "r:") as tar:
        assert tar.getnames() == ["one/a.bin", "two/b.bin"]
    other = Store(tmp_path / "other")
    taken = unbundle(other, SPECS, tmp_path / "b.tar")
    assert {(p.model, p.name) for p in taken} == {
        ("one", "a.bin"),
        ("two", "a.bin"),
        ("two", "b.bin"),
    }
    for spec in SPECS:
        for name, path in other.ready(spec).items():
            assert path.read_bytes() == DATA[name]


def test_nothing_is_written_when_a_model_is_not_here(full: Store, tmp_path: Path) -> None:
    full.remove(SPECS[1])
    with pytest.raises(WeightsMissing, match="not on this machine"):
        bundle(full, SPECS, tmp_path / "b.tar")
    assert not list(tmp_path.glob("*.tar")) + list(tmp_path.glob(".*.part"))


def test_a_damaged_file_is_not_bundled(full: Store, tmp_path: Path) -> None:
    (path,) = full.ready(SPECS[0]).values()
    path.write_bytes(bytes(5000))
    with pytest.raises(WeightsCorrupt, match=str(path)):
        bundle(full, SPECS, tmp_path / "b.tar")


@pytest.mark.parametrize(
    ("entry", "data", "said"),
    [
        (_entry("../a.bin", 5000), DATA["a.bin"], "leads out"),
        (_entry("/a.bin", 5000), DATA["a.bin"], "leads out"),
        (_entry("one\\..\\a.bin", 5000), DATA["a.bin"], "leads out"),
        (_entry("one/a.bin", 0, tarfile.SYMTYPE, "/etc/passwd"), b"", "no plain file"),
        (_entry("one/a.bin", 0, tarfile.LNKTYPE, "../x"), b"", "no plain file"),
        (_entry("one/a.bin", 0, tarfile.FIFOTYPE), b"", "no plain file"),
        (_entry("one/a.bin", 0, tarfile.CHRTYPE), b"", "no plain file"),
        (_entry("../dir", 0, tarfile.DIRTYPE), b"", "no plain file"),
        (_entry("one/a.bin", 5000), bytes(5000), "does not know"),
        (_entry("one/a.bin", 4999), DATA["a.bin"][:-1], "does not know"),
    ],
)
def test_hostile_members_are_refused(
    tmp_path: Path, entry: tarfile.TarInfo, data: bytes, said: str
) -> None:
    path = _tar(tmp_path / "b.tar", (entry, data))
    store = Store(tmp_path / "home")
    with pytest.raises(WeightsCorrupt, match=said):
        unbundle(store, SPECS, path)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p != path]


def test_other_files_are_no_bundles(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    with pytest.raises(InputError, match="no bundle"):
        unbundle(store, SPECS, tmp_path / "none.tar")
    for data in (b"", b"no tar" * 300, bytes(20000)):
        (tmp_path / "x.tar").write_bytes(data)
        with pytest.raises(WeightsCorrupt):
            unbundle(store, SPECS, tmp_path / "x.tar")
    (tmp_path / "x.tar").write_bytes(bytes(6_000_000))
    with pytest.raises(WeightsCorrupt, match="larger than everything"):
        unbundle(store, SPECS, tmp_path / "x.tar")


def test_mutated_bundles_never_put_a_wrong_file_in_place(full: Store, tmp_path: Path) -> None:
    import random

    bundle(full, SPECS, tmp_path / "b.tar")
    good = (tmp_path / "b.tar").read_bytes()
    rng = random.Random(5)
    for turn in range(150):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "m.tar").write_bytes(
            data[: rng.randrange(len(data)) if turn % 5 == 0 else None]
        )
        store = Store(tmp_path / f"h{turn}")
        with contextlib.suppress(WeightsCorrupt):
            unbundle(store, SPECS, tmp_path / "m.tar")
        assert all(entry.good for entry in store.verify(SPECS))


def test_the_guard_holds_for_bundles_too(full: Store, tmp_path: Path) -> None:
    bundle(full, SPECS, tmp_path / "b.tar")
    guarded = Store(tmp_path / "g", guard="commercial")
    refused = [
        _spec("one", "a.bin", commercial="no"),
        _spec("two", "a.bin", "b.bin", commercial="no"),
    ]
    with pytest.raises(LicenseRefused):
        unbundle(guarded, refused, tmp_path / "b.tar")


def test_a_file_that_one_has_already(full: Store, tmp_path: Path) -> None:
    (tmp_path / "whatever").write_bytes(DATA["b.bin"])
    store = Store(tmp_path / "h")
    assert [p.model for p in take_file(store, SPECS, tmp_path / "whatever")] == ["two"]
    (tmp_path / "whatever").write_bytes(bytes(5000))
    with pytest.raises(WeightsCorrupt, match="no weight file"):
        take_file(store, SPECS, tmp_path / "whatever")
    with pytest.raises(InputError, match="cannot be read"):
        take_file(store, SPECS, tmp_path / "nothing")
