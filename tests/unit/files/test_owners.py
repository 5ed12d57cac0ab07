"""What killed processes leave is swept, and nothing that a living one needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from facelign.files import disk, owners

WRITE = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from facelign.files import disk
    folder = Path(sys.argv[1])
    with disk.atomic(folder / "a.bin") as file, disk.scratch_folder(folder) as inside:
        (inside / "b").write_bytes(b"1")
        file.write(b"half")
        file.flush()
        print("in", flush=True)
        time.sleep(600)
    """
)


@pytest.fixture
def unswept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep as a process that has just begun does."""
    monkeypatch.setattr(owners, "_swept", set())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def hidden(folder: Path) -> list[str]:
    return [name for name in names(folder) if name.startswith(".")]


@pytest.mark.skipif(os.name == "nt", reason="processes of others cannot be asked after there")
@pytest.mark.usefixtures("unswept")
def test_what_a_killed_process_left_goes_and_what_a_living_one_needs_stays(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        assert len(hidden(tmp_path)) == 2
        owners.sweep(tmp_path)
        assert len(hidden(tmp_path)) == 2, "its process is at work"
        owners._swept.clear()
        process.send_signal(signal.SIGKILL)
    assert len(hidden(tmp_path)) == 2
    disk.write(tmp_path / "other.bin", b"2")
    assert names(tmp_path) == ["other.bin"]


@pytest.mark.usefixtures("unswept")
def test_files_of_other_machines_go_by_age_and_files_of_others_never(tmp_path: Path) -> None:
    elsewhere = [f".0badcafe-{os.getpid()}-1-{number:012x}.part" for number in range(2)]
    strange = [".0badcafe.part", ".cache.part", "0badcafe-1-1-000000000000.part", ".git"]
    for name in (*elsewhere, *strange):
        (tmp_path / name).write_bytes(b"1")
    long_ago = time.time() - owners.FOREIGN_S - 60
    for name in (elsewhere[0], *strange):
        os.utime(tmp_path / name, (long_ago, long_ago))
    owners.sweep(tmp_path)
    assert names(tmp_path) == sorted([elsewhere[1], *strange])


@pytest.mark.usefixtures("unswept")
def test_a_link_that_was_left_goes_and_not_what_it_leads_to(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"1")
    left = owners.scratch(tmp_path)
    dead = left.with_name(left.name.replace(f"-{os.getpid()}-", "-999999999-"))
    try:
        dead.symlink_to(photo)
    except OSError:
        pytest.skip("links may not be made here")
    if os.name != "nt":
        owners.sweep(tmp_path)
        assert names(tmp_path) == ["photo.jpg"]
        assert photo.read_bytes() == b"1"


def test_a_process_number_that_is_used_again_is_another_process() -> None:
    me = owners.me()
    assert not owners.gone(me, 1e9, 0)
    if os.name != "nt" and owners.born(os.getpid()):
        assert owners.gone(me + "1", 0, 1e9)
    assert owners.gone("no word", 2, 1)
    assert not owners.gone("no word", 1, 2)
