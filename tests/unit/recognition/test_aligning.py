"""Names of aligned pictures and of the claims on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from facelign.jobs.claims import lock_of
from facelign.recognition.aligning import targets_of


@pytest.mark.parametrize("stem", ["x" * 251, "é" * 125, "x" * 255])
def test_a_name_as_long_as_systems_take_can_be_aligned_and_claimed(
    tmp_path: Path, stem: str
) -> None:
    suffix = ".jpg" if len(stem.encode()) <= 251 else ""  # a picture without any suffix
    photo = tmp_path / "album" / f"{stem}{suffix}"
    photo.parent.mkdir()
    photo.write_bytes(b"1")
    target = targets_of([str(photo)], tmp_path / "album", tmp_path / "out")[str(photo)]
    target.parent.mkdir()
    for path in (target, lock_of(target)):
        path.write_bytes(b"1")  # the file system is asked
    assert target.suffix == ".png"


def test_two_long_names_never_share_a_claim(tmp_path: Path) -> None:
    names = [tmp_path / ("x" * 250 + end + ".png") for end in ("a", "b")]
    assert lock_of(names[0]) != lock_of(names[1])
