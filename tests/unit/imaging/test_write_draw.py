"""Pictures out: files that appear whole, and drawings that show what they should."""

from __future__ import annotations

import base64
import io
import os
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from facelign.errors import BadArray, InputError, UnsupportedImage
from facelign.imaging import draw
from facelign.imaging.draw import Mark, contact_sheet, draw_faces, fitted, line_width
from facelign.imaging.read import read
from facelign.imaging.write import data_url, encode, write
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE

POINTS = [[60, 70], [100, 70], [80, 95], [65, 115], [95, 115]]


def faces_of(boxes: list[list[float]], size: tuple[int, int]) -> Faces:
    points = np.array([POINTS] * len(boxes), np.float32)
    scores = np.ones(len(boxes), np.float32)
    return Faces(np.array(boxes, np.float32), scores, Landmarks(points, FIVE), "x", size)


class TestWrite:
    def test_every_kind(self, portrait, tmp_path):
        for suffix, worst in ((".png", 0), (".PNG", 0), (".jpg", 3), (".jpeg", 3), (".webp", 4)):
            path = write(tmp_path / "a" / f"b{suffix}", portrait.pixels, quality=95)
            again = read(path).pixels.astype(int)
            assert np.abs(again - portrait.pixels).mean() <= worst, suffix
        assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(
            ["b.png", "b.PNG", "b.jpg", "b.jpeg", "b.webp"]
        )

    def test_an_array_that_may_not_be_changed_and_is_a_view(self, portrait):
        view = portrait.pixels[10:100:2, ::-1]
        assert np.array_equal(read(encode(view)).pixels, view)

    def test_data_url(self, portrait):
        url = data_url(portrait.pixels, "jpeg", quality=80)
        head, _, body = url.partition(",")
        assert head == "data:image/jpeg;base64"
        assert Pillow.open(io.BytesIO(base64.b64decode(body))).format == "JPEG"
        assert read(url).size == (512, 512)

    def test_a_failed_write_leaves_the_old_file(self, portrait, tmp_path, monkeypatch):
        path = write(tmp_path / "a.png", portrait.pixels)
        before = path.read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(InputError, match="No space"):
            write(path, portrait.pixels[:9])
        assert path.read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == ["a.png"]

    @pytest.mark.skipif(sys.platform == "win32", reason="modes")
    def test_the_file_has_the_usual_mode(self, portrait, tmp_path):
        mask = os.umask(0)
        os.umask(mask)
        path = write(tmp_path / "a.png", portrait.pixels)
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask

    def test_what_cannot_be_written(self, portrait, tmp_path):
        (tmp_path / "file").write_text("x", encoding="utf-8")
        with pytest.raises(InputError, match="cannot be written"):
            write(tmp_path / "file" / "a.png", portrait.pixels)
        with pytest.raises(UnsupportedImage, match="suffix"):
            write(tmp_path / "a.gif", portrait.pixels)
        with pytest.raises(UnsupportedImage, match="cannot hold"):
            encode(np.zeros((1, 70_000, 3), np.uint8), "jpeg")
        for wrong in (
            np.zeros((4, 4), np.uint8),
            np.zeros((4, 4, 3)),
            np.zeros((0, 4, 3), np.uint8),
        ):
            with pytest.raises(BadArray):
                encode(wrong)
        with pytest.raises(BadArray, match="quality"):
            encode(portrait.pixels, "jpeg", quality=0)


class TestDraw:
    def test_on_a_copy_where_it_should_be(self, portrait):
        before = portrait.pixels.copy()
        drawn = draw_faces(portrait.pixels, faces_of([[150, 60, 300, 240]], (512, 512)))
        assert np.array_equal(portrait.pixels, before)
        assert drawn.shape == before.shape
        changed = (drawn != before).any(axis=2)
        assert changed[60, 155:295].all()  # the edge
        assert changed[70, 60]  # a point
        assert not changed[100:230, 170:280].any()  # the face itself stays free
        assert not changed[300:].any()

    def test_lines_grow_with_the_picture(self):
        assert [line_width((side, side)) for side in (100, 250, 512, 4000)] == [1, 1, 2, 16]

    def test_names_of_every_script(self, portrait):
        faces = faces_of([[150, 60, 300, 240]], (512, 512))
        plain = draw_faces(portrait.pixels, faces)
        labels = [
            "Eileen",
            "Zoë Łukasz",
            "Ελένη",
            "Айлин",
            "脸 한국",
            "שלום",
            "a\nb\t c",
            "\U0001f642",
            "x" * 500,
        ]
        for label in labels:
            drawn = draw_faces(portrait.pixels, faces, [Mark(label=label)])
            assert (drawn != plain).any(axis=2).sum() > 300, label
        assert np.array_equal(draw_faces(portrait.pixels, faces, [Mark()]), plain)

    def test_letters_that_no_font_has_are_spelled(self, monkeypatch):
        monkeypatch.setattr(draw, "_font_files", lambda: ())
        fonts = draw._Fonts(14)
        assert fonts.for_text("Zoe")[0] == "Zoe"
        assert fonts.for_text("脸")[0] == "U+8138"
        assert fonts.for_text("x\u1eb9\u0301 y")[0].isascii()

    @given(
        st.lists(
            st.tuples(*[st.floats(-3e4, 3e4, width=32)] * 2, *[st.floats(0.25, 3e4, width=32)] * 2),
            max_size=4,
        ),
        st.integers(1, 90),
        st.integers(1, 90),
        st.text(max_size=12),
    )
    @settings(max_examples=60, deadline=None)
    def test_any_box_anywhere(self, rows, width, height, label):
        boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in rows], np.float32).reshape(-1, 4)
        boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
        picture = np.zeros((height, width, 3), np.uint8)
        drawn = draw_faces(
            picture, faces_of(boxes.tolist(), (width, height)), [Mark(label=label)] * len(boxes)
        )
        assert drawn.shape == picture.shape
        assert not picture.any()


class TestContactSheet:
    def test_tiles(self, portrait):
        tiles = [portrait.pixels, portrait.pixels[:50], portrait.pixels[:, :50]]
        sheet = contact_sheet(tiles, ["one", "", "three"], columns=2, tile=100)
        bare = contact_sheet(tiles, columns=2, tile=100)
        assert sheet.shape[1] == bare.shape[1]
        assert sheet.shape[0] > bare.shape[0]
        assert np.array_equal(bare[4:104, 4:104], fitted(portrait.pixels, 100))

    @pytest.mark.parametrize("count", [0, 1, 5])
    def test_any_number(self, portrait, count):
        sheet = contact_sheet([portrait.pixels] * count, ["x"] * count)
        assert sheet.ndim == 3
        assert min(sheet.shape) > 0
