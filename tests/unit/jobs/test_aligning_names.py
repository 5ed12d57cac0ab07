"""Names of aligned pictures and of the claims on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from facelign.jobs.aligning import _lock, _targets


@pytest.mark.parametrize("stem", ["x" * 251, "é" * 125, "x" * 255])
def test_a_name_as_long_as_systems_take_can_be_aligned_and_claimed(
    tmp_path: Path, stem: str
) -> None:
    suffix = ".jpg" if len(stem.encode()) <= 251 else ""  # a picture without any suffix
    photo = tmp_path / "album" / f"{stem}{suffix}"
    photo.parent.mkdir()
    photo.write_bytes(b"1")
    target = _targets([str(photo)], tmp_path / "album", tmp_path / "out")[str(photo)]
    target.parent.mkdir()
    for path in (target, _lock(target)):
        path.write_bytes(b"1")  # the file system is asked
    assert target.suffix == ".png"


def test_two_long_names_never_share_a_claim(tmp_path: Path) -> None:
    names = [tmp_path / ("x" * 250 + end + ".png") for end in ("a", "b")]
    assert _lock(names[0]) != _lock(names[1])
