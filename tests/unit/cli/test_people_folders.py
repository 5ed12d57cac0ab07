"""What enroll makes of folders: the names they give, and those they cannot."""

from __future__ import annotations

import sys
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
    jobs = enrollment_jobs([str(root)], None)
    assert [person for person, _ in jobs.photos] == ["Zoe", "Ann"]
    reasons = {Path(failure.image).parent.name: failure.reason for failure in jobs.failures}
    assert "control characters" in reasons["bell\x07"]
    assert "201 characters" in reasons["x" * 201]
    assert all(failure.failed for failure in jobs.failures)


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
