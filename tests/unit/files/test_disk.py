"""Files that appear whole or not at all, digests, stamps."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import ConfigError, DatasetMalformed, InputError
from facelign.files import disk, npz
from facelign.files.home import gallery_path, home_folder, may_write

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_appears_when_it_is_whole(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "deep" / "er" / "a.bin"
    with disk.atomic(path, sync=sync) as file:
        file.write(b"one")
        assert not path.exists()
        file.seek(0)
        assert file.read() == b"one", "what was written can be read back, as zip files need it"
    assert path.read_bytes() == b"one"
    with disk.atomic(path, sync=sync) as file:
        file.write(b"two")
        assert path.read_bytes() == b"one"
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["a.bin"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def half(problem: type[BaseException]) -> None:
        with disk.atomic(path) as file:
            file.write(b"half")
            raise problem

    for problem in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(problem):
            half(problem)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


@posix
def test_private_files_are_their_owners_from_the_first_byte(tmp_path: Path) -> None:
    usual = 0o666 & ~_mask()
    for private, mode in ((True, 0o600), (False, usual)):
        path = tmp_path / f"{private}"
        with disk.atomic(path, private=private):
            (part,) = (p for p in tmp_path.iterdir() if p.suffix == ".part")
            assert part.stat().st_mode & 0o777 == mode
        assert path.stat().st_mode & 0o777 == mode
    path = tmp_path / "open"
    path.write_bytes(b"read by all")
    path.chmod(0o644)
    with disk.atomic(path, private=True):
        pass
    assert path.stat().st_mode & 0o777 == 0o600


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_name_may_be_as_long_as_the_disk_takes(tmp_path: Path) -> None:
    disk.write(tmp_path / ("x" * 250), b"1")
    assert names(tmp_path) == ["x" * 250]


def test_what_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written"):
        disk.write(tmp_path / "file" / "a", b"1")
    with pytest.raises(InputError, match="cannot be written"):
        disk.write(tmp_path, b"1")
    with pytest.raises(ConfigError, match="cannot be made"):
        disk.made(tmp_path / "file" / "folder")
    assert names(tmp_path) == ["file"]


@posix
def test_a_link_takes_its_place_in_one_step(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"1")
    with disk.replacing(tmp_path / "link", sync=False) as part:
        part.symlink_to(tmp_path / "target")
        assert not (tmp_path / "link").exists()
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path) == ["link", "target"]


def test_one_digest_of_files_and_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(data)
    assert disk.digest(tmp_path / "a") == disk.digest(data) == hashlib.sha256(data).hexdigest()
    with pytest.raises(OSError, match="No such file"):
        disk.digest(tmp_path / "b")


def test_a_stamp_spares_reading_until_the_file_changes(tmp_path: Path) -> None:
    path, stamp = tmp_path / "a", tmp_path / "a.stamp"
    path.write_bytes(b"good")
    known = disk.digest(b"good")
    assert disk.still(path, stamp, known), "read, and stamped"
    assert disk.read_stamp(stamp)["sha256"] == known
    state = path.stat()
    path.write_bytes(b"evil")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert disk.still(path, stamp, known), "size and time are the stamp's: nothing is read"
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert not disk.still(path, stamp, known)
    for damaged in (b"", b"[1]", b"\xff"):
        stamp.write_bytes(damaged)
        assert disk.read_stamp(stamp) == {}


@pytest.mark.parametrize(("size", "copied"), [(5, 5), (9, 9), (3, 4)])
def test_a_copy_stops_one_byte_too_late(size: int, copied: int) -> None:
    data = b"123456789"[: 5 if size == 5 else 9]
    out, steps = io.BytesIO(), []
    assert disk.copy_checked(io.BytesIO(data), out, size, steps.append) == disk.digest(
        data[:copied]
    )
    assert out.getvalue() == data[:copied], "one byte more proves that there are too many"
    assert steps[-1] == copied


@posix
def test_arrays_come_back_and_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.npz"
    made = {"vectors": np.eye(3, dtype=np.float32), "names": np.array(["Ann", "Bob"])}
    npz.write_private(path, made)
    assert path.stat().st_mode & 0o777 == 0o600
    again = npz.read_arrays(path)
    assert sorted(again) == ["names", "vectors"]
    assert (again["vectors"] == made["vectors"]).all()
    assert again["names"].tolist() == ["Ann", "Bob"]
    assert made["vectors"].tobytes() in path.read_bytes(), "a search through the bytes finds it"


def test_arrays_that_would_run_code_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([{"a": 1}], object))
    with pytest.raises(DatasetMalformed, match="Python objects"):
        npz.read_arrays(path)


def test_a_packed_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros(9 << 20))
    assert path.stat().st_size < 100_000
    with pytest.raises(DatasetMalformed, match="unpacks to more than 64 MB"):
        npz.read_arrays(path)
    np.savez_compressed(path, x=np.zeros(7 << 20))
    assert npz.read_arrays(path)["x"].shape == (7 << 20,)
    monkeypatch.setattr(npz, "MAX_BYTES", 1000)
    with pytest.raises(DatasetMalformed, match="unpacks"):
        npz.read_arrays(path)


def test_an_array_that_promises_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, header)
        member.write(bytes(1024))
    with pytest.raises(DatasetMalformed, match="shorter than its header says"):
        npz.read_arrays(path)


def test_the_home_is_named_or_the_users_own(tmp_path: Path) -> None:
    assert home_folder({"FACELIGN_HOME": str(tmp_path)}) == tmp_path
    assert home_folder({"FACELIGN_HOME": "~/x"}) == Path.home() / "x"
    assert home_folder({}).name == "facelign"
    assert gallery_path(tmp_path / "g.db") == tmp_path / "g.db"
    assert gallery_path(None).name == "gallery.db"
    assert not may_write(tmp_path / "absent" / "g.db")


def test_a_full_disk_is_told_from_a_bad_file() -> None:
    assert errno.ENOSPC in disk.NO_ROOM
    assert errno.ENOENT not in disk.NO_ROOM
