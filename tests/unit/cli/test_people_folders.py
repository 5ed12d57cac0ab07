"""What enroll makes of folders: the names they give, and those they cannot."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from facelign.cli.building import enrollment_jobs
from facelign.errors import ConfigError
from facelign.imaging.write import write


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


def test_folders_of_people_one_floor_too_high_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people(tmp_path, "images/Ann", "images/Bo")
    enrollment_jobs([str(tmp_path)], None)
    said = capsys.readouterr().err
    assert "images holds no photo but 2 folders" in said
    assert f"enroll {tmp_path / 'images'}" in said
    enrollment_jobs([str(tmp_path / "images")], None)
    people(tmp_path, "images")  # a photo of its own: a person with albums
    enrollment_jobs([str(tmp_path)], None)
    assert capsys.readouterr().err == ""
