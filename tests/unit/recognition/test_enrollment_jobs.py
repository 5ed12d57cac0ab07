"""What enroll makes of folders: the names they give, and those they cannot."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import ConfigError, InputError, Remedy
from facelign.imaging.write import write
from facelign.recognition.enrollment_jobs import enrollment_jobs


def people(root: Path, *names: str) -> Path:
    for name in names:
        write(root / name / "1.png", np.full((6, 8, 3), 90, np.uint8))
    return root


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes no such folders")
def test_one_name_that_cannot_be_kept_stops_nobody_else(tmp_path: Path) -> None:
    root = people(tmp_path, "Ann", "bell\x07", "x" * 201, " Zoe")
    broken = os.fsdecode(b"Jos\xe9")
    if sys.platform == "linux":  # others take no such name
        people(root, broken)
    jobs = enrollment_jobs([str(root)], None)
    assert [person for person, _ in jobs.photos] == ["Zoe", "Ann"]
    reasons = {Path(failure.image).parent.name: failure.reason for failure in jobs.failures}
    assert "control characters" in reasons["bell\x07"]
    assert "201 characters" in reasons["x" * 201]
    if sys.platform == "linux":
        assert "no UTF-8 text" in reasons[broken]
    assert all(failure.failed for failure in jobs.failures)


def test_file_names_are_names_in_a_flat_folder(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "José")
    for name in ("Eileen Collins", " Otto ", decomposed):
        write(tmp_path / f"{name}.png", np.full((6, 8, 3), 90, np.uint8))
    write(tmp_path / "deeper" / "1.png", np.full((6, 8, 3), 90, np.uint8))
    jobs = enrollment_jobs([str(tmp_path)], None, flat=True)
    assert {(name, Path(str(file)).name) for name, file in jobs.photos} == {
        ("Eileen Collins", "Eileen Collins.png"), ("Otto", " Otto .png"),
        ("José", f"{decomposed}.png"),
    }  # fmt: skip
    assert not jobs.failures
    assert enrollment_jobs([str(tmp_path / "gone.png")], None, flat=True).failures
    with pytest.raises(ConfigError, match="contradict"):
        enrollment_jobs([str(tmp_path)], "Ann", flat=True)


@pytest.mark.parametrize("name", ["", " ", "bell\x07", "x" * 201])
def test_such_a_name_is_refused_before_anything_is_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        enrollment_jobs([str(people(tmp_path, "Ann"))], name)


def test_folders_of_people_one_floor_too_high_are_told_of(tmp_path: Path) -> None:
    people(tmp_path, "images/Ann", "images/Bo")
    (said,) = enrollment_jobs([str(tmp_path)]).notes
    assert "images holds no photo but 2 folders" in said
    assert f"enroll {tmp_path / 'images'}" in said
    assert enrollment_jobs([str(tmp_path / "images")]).notes == []
    people(tmp_path, "images")  # a photo of its own: a person with albums
    assert enrollment_jobs([str(tmp_path)]).notes == []


def test_what_lies_beside_the_folders_is_a_failure_or_told_of(tmp_path: Path) -> None:
    write(people(tmp_path, "Ann") / "loose.png", np.full((6, 8, 3), 90, np.uint8))
    (tmp_path / "list.csv").write_text("who")
    (tmp_path / "Bo").mkdir()
    jobs = enrollment_jobs([str(tmp_path)])
    assert [person for person, _ in jobs.photos] == ["Ann"]
    (loose,) = jobs.failures
    assert (Path(loose.image).name, loose.person, loose.failed) == ("loose.png", "", True)
    assert loose.reason == f"it lies in no person's folder; {Remedy.LOOSE}"
    assert jobs.notes == [
        "1 file that is no picture was skipped", "the folder of Bo holds no photo",
    ]  # fmt: skip


def test_what_is_no_folder_of_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        enrollment_jobs([str(tmp_path / "gone")])
    with pytest.raises(ConfigError, match="is no folder of people") as refused:
        enrollment_jobs([str(people(tmp_path, "Ann") / "Ann" / "1.png")])
    assert refused.value.hint == Remedy.PEOPLE
    with pytest.raises(InputError, match="nothing is fetched"):
        enrollment_jobs(["https://example.org/people"])


def test_all_photos_of_one_person_bear_the_name_that_is_given(tmp_path: Path) -> None:
    jobs = enrollment_jobs([str(people(tmp_path, "a", "b"))], " Ann ")
    assert [person for person, _ in jobs.photos] == ["Ann", "Ann"]
