"""Where --draw writes: a file for one photo, else a tree like the one that was named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.cli.building import Listed
from facelign.cli.pictures import Pictures, spare
from facelign.errors import ConfigError
from facelign.types.analysis import Analysis
from facelign.types.faces import Faces
from facelign.types.image import Image


def found(source: Path) -> Analysis:
    pixels = np.full((40, 60, 3), 128, np.uint8)
    box = np.array([[5, 5, 30, 30]], np.float32)
    faces = Faces(box, np.ones(1, np.float32), None, "toy", (60, 40))
    return Analysis.of(Image.from_array(pixels, "rgb", str(source)), faces)


def listed(files, root=None):
    return Listed([str(file) for file in files], [], root)


def test_a_tree_is_mirrored_and_names_stay_apart(tmp_path):
    root = tmp_path / "in"
    files = [root / "a" / "x.png", root / "b" / "x.png", root / "b" / "x.jpg"]
    pictures = Pictures(tmp_path / "out", listed(files, root))
    for file in files:
        pictures.add(found(file))
    drawn = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.jpg"))
    assert drawn == ["a/x.jpg", "b/x-2.jpg", "b/x.jpg"]
    with Pillow.open(tmp_path / "out" / "a" / "x.jpg") as picture:
        assert picture.size == (60, 40)


def test_one_picture_for_one_photo(tmp_path):
    target = tmp_path / "one.png"
    Pictures(target, listed([tmp_path / "a.jpg"])).add(found(tmp_path / "a.jpg"))
    assert target.is_file()
    with pytest.raises(ConfigError, match="is one picture, and 2 photos were given"):
        Pictures(target, listed([tmp_path / "a.jpg", tmp_path / "b.jpg"]))


def test_without_a_target_nothing_is_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Pictures(None, listed([tmp_path / "a.jpg"])).add(found(tmp_path / "a.jpg"))
    assert list(tmp_path.iterdir()) == []


def test_no_photo_is_drawn_over(tmp_path):
    photo, link = tmp_path / "a.jpg", tmp_path / "link.jpg"
    photo.write_bytes(b"x")
    link.symlink_to(photo)
    for picture in (photo, link, tmp_path / "." / "a.jpg"):
        with pytest.raises(ConfigError, match="--out would write over the photo"):
            spare([picture], [str(photo)], option="--out")
    spare([tmp_path / "b.jpg"], [str(photo), str(tmp_path / "gone.jpg")])
