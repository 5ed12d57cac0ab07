"""Every kind of picture, every way to hand it in, and the limits."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import tracemalloc
import warnings
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageFile, ImageOps

from facelign.errors import BadArray, ExtraMissing, Remedy, UnreadableImage, UnsupportedImage
from facelign.imaging import containers
from facelign.imaging import decode as decoding
from facelign.imaging.containers import inspect
from facelign.imaging.exif import orientation
from facelign.imaging.read import Limits, is_photo, read, read_image
from facelign.types.image import Image


def encoded(pixels: np.ndarray, form: str, mode: str = "RGB", **options) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def far(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference of two pictures."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.fixture(scope="module")
def photo(portrait: Image) -> np.ndarray:
    """A part of the portrait that is neither square nor a multiple of 8."""
    return np.ascontiguousarray(portrait.pixels[20:210, 120:331])


# how stored pixels must lie for the orientation to turn them upright
STORED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def turned(photo: np.ndarray, code: int, form: str, **options) -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = code
    return encoded(np.ascontiguousarray(STORED[code](photo)), form, exif=exif, **options)


class TestOrientation:
    @pytest.mark.parametrize("code", range(1, 9))
    @pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
    def test_all_eight_come_out_upright(self, photo, form, code):
        lossless = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}
        image = read(turned(photo, code, form, **lossless.get(form, {})))
        assert image.orientation == code
        assert image.size == (211, 190)
        exact = form in ("PNG", "TIFF", "WEBP")
        assert far(image.pixels, photo) <= (0 if exact else 3)

    @pytest.mark.parametrize("code", range(2, 9))
    def test_heic(self, photo, code):
        pillow_heif = pytest.importorskip("pillow_heif")
        exif = Pillow.Exif()
        exif[0x0112] = code
        stored = np.ascontiguousarray(STORED[code](photo))
        picture = pillow_heif.from_pillow(Pillow.fromarray(stored))
        picture.info["exif"] = exif.tobytes()
        buffer = io.BytesIO()
        picture.save(buffer, quality=95)
        image = read(buffer.getvalue())
        assert image.size == (211, 190)
        assert far(image.pixels, photo) < 4

    @pytest.mark.parametrize(
        "block",
        [
            b"", b"II", b"XX*\0\x08\0\0\0", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff",
            b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0",  # code 9
            b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x01\0\0\0\x06\0\0\0",  # a text
        ],
    )  # fmt: skip
    def test_broken_exif_turns_nothing(self, block):
        assert orientation(block) == 1

    def test_both_byte_orders(self):
        assert orientation(b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0") == 6
        assert orientation(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0") == 8


class TestModes:
    def test_formats_that_lose_nothing(self, photo):
        for form, options in (
            ("PNG", {}), ("BMP", {}), ("PPM", {}), ("TIFF", {}), ("WEBP", {"lossless": True}),
            ("TIFF", {"compression": "tiff_lzw"}), ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ):  # fmt: skip
            image = read(encoded(photo, form, **options))
            assert np.array_equal(image.pixels, photo), (form, options)
            assert image.scale == 1.0

    @pytest.mark.parametrize("progressive", [False, True])
    def test_jpeg_equals_pillow(self, photo, progressive):
        data = encoded(photo, "JPEG", quality=90, progressive=progressive)
        assert inspect(data).ends is None
        assert np.array_equal(read(data).pixels, np.asarray(Pillow.open(io.BytesIO(data))))

    def test_gray_and_one_bit(self, photo):
        gray = np.asarray(Pillow.fromarray(photo).convert("L"))
        for form in ("PNG", "TIFF", "BMP", "PPM"):
            assert np.array_equal(read(encoded(photo, form, "L")).pixels[:, :, 2], gray)
        bits = read(encoded(photo, "PNG", "1")).pixels
        assert set(np.unique(bits)) == {0, 255}

    @pytest.mark.parametrize("byteorder", ["<", ">"])
    def test_sixteen_bits_are_scaled_in_either_byte_order(self, photo, byteorder):
        deep = photo.astype(f"{byteorder}u2") * 257
        data = tiff16(deep, byteorder)
        assert np.array_equal(read(data).pixels, photo)
        gray = Pillow.fromarray(photo[:, :, 1].astype(np.uint16) * 257)
        for form in ("PNG", "TIFF", "PPM"):
            buffer = io.BytesIO()
            gray.save(buffer, form)
            pixels = read(buffer.getvalue()).pixels
            assert np.array_equal(pixels, np.repeat(photo[:, :, 1:2], 3, 2)), form

    def test_sixteen_bit_png(self, photo):
        done, data = cv2.imencode(".png", photo[:, :, ::-1].astype(np.uint16) * 257)
        assert done
        assert np.array_equal(read(bytes(data)).pixels, photo)

    def test_transparent_is_laid_on_white(self, photo):
        rgba = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
        rgba[:50, :, 3], rgba[50:100, :, 3] = 0, 128
        rgba[:50, :, :3] = (255, 0, 0)  # what lies under full transparency must not be seen
        pixels = read(encoded(rgba, "PNG", "RGBA")).pixels
        assert (pixels[:50] == 255).all()
        assert np.array_equal(pixels[100:], photo[100:])
        half = (photo[50:100].astype(float) * 128 + 255 * 127) / 255
        assert np.abs(pixels[50:100] - half).max() <= 0.5 + 1e-6
        # alpha that is 0 everywhere carries nothing
        rgba[:, :, 3] = 0
        rgba[:, :, :3] = photo
        assert np.array_equal(read(encoded(rgba, "PNG", "RGBA")).pixels, photo)

    def test_transparent_palette_and_gray(self, photo):
        picture = Pillow.fromarray(photo).quantize(16)
        corner = picture.getpixel((0, 0))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", transparency=corner)
        assert (read(buffer.getvalue()).pixels[0, 0] == 255).all()
        buffer = io.BytesIO()
        picture.save(buffer, "GIF", transparency=corner)
        assert (read(buffer.getvalue()).pixels[0, 0] == 255).all()
        solid = io.BytesIO()
        picture.save(solid, "PNG")
        assert np.array_equal(read(solid.getvalue()).pixels, np.asarray(picture.convert("RGB")))
        gray = Pillow.fromarray(photo).convert("LA")
        gray.putpixel((3, 2), (0, 0))
        buffer = io.BytesIO()
        gray.save(buffer, "PNG")
        assert (read(buffer.getvalue()).pixels[2, 3] == 255).all()

    def test_cmyk(self, photo):
        for form in ("JPEG", "TIFF"):  # Adobe stores the inks of a JPEG inverted
            data = encoded(photo, form, "CMYK", **({"quality": 95} if form == "JPEG" else {}))
            assert far(read(data).pixels, photo) < 4, form

    def test_first_frame_of_an_animation(self, photo):
        frames = [Pillow.fromarray(np.roll(photo, shift, 1)) for shift in (0, 60, 120)]
        for form, options in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
            buffer = io.BytesIO()
            frames[0].save(buffer, form, save_all=True, append_images=frames[1:], **options)
            assert far(read(buffer.getvalue()).pixels, photo) < 12, form

    def test_colors_without_a_meaning_in_eight_bits_are_refused(self, photo):
        floats = Pillow.fromarray(photo[:, :, 0].astype(np.float32) / 255)
        buffer = io.BytesIO()
        floats.save(buffer, "TIFF")
        with pytest.raises(UnsupportedImage, match="floats"):
            read(buffer.getvalue())


def tiff16(deep: np.ndarray, byteorder: str) -> bytes:
    """Return a plain 16-bit RGB TIFF, written by hand."""
    import struct

    height, width = deep.shape[:2]
    body = deep.tobytes()
    bits_at = 8 + len(body)
    directory_at = bits_at + 6 + (bits_at + 6) % 2
    o = byteorder
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits_at), (259, 4, 1, 1),
        (262, 4, 1, 2), (273, 4, 1, 8), (277, 4, 1, 3), (278, 4, 1, height),
        (279, 4, 1, len(body)), (34665, 4, 1, 2**31),  # an EXIF directory that is not there
    ]  # fmt: skip
    head = (b"II" if o == "<" else b"MM") + struct.pack(o + "HI", 42, directory_at)
    data = head + body + struct.pack(o + "HHH", 16, 16, 16)
    data += b"\0" * (directory_at - len(data)) + struct.pack(o + "H", len(entries))
    return data + b"".join(struct.pack(o + "HHII", *e) for e in entries) + struct.pack(o + "I", 0)


class TestSources:
    def test_every_way_gives_the_same(self, photo, tmp_path):
        data = encoded(photo, "PNG")
        path = tmp_path / "ph\u00f6to \u8138.png"
        path.write_bytes(data)
        text = base64.b64encode(data).decode()
        lines = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
        urlsafe = text.replace("+", "-").replace("/", "_").rstrip("=")
        with path.open("rb") as opened:
            ways = [
                read(path), read(str(path)), read(data), read(bytearray(data)),
                read(memoryview(data)), read(text), read(lines), read(urlsafe),
                read(f"data:image/png;base64,{text}"), read(opened), read(io.BytesIO(data)),
                read("\u202a" + str(path)), read(f'"{path}"'),
            ]  # fmt: skip
        for image in ways:
            assert np.array_equal(image.pixels, photo)
            assert image.digest == hashlib.sha256(data).hexdigest()
        assert ways[0].source == ways[1].source == str(path)
        assert ways[9].source == str(path)
        assert read(ways[0]) is ways[0]

    def test_arrays_say_their_order(self, photo):
        assert np.array_equal(read_image(photo, order="rgb").pixels, photo)
        assert np.array_equal(read_image(photo[:, :, ::-1], order="bgr").pixels, photo)
        gray = photo[:, :, :1]
        for array in (gray, gray[:, :, 0]):
            assert np.array_equal(read(array, order="gray").pixels, np.repeat(gray, 3, 2))
        with pytest.raises(BadArray, match="order"):
            read_image(photo)
        with pytest.raises(BadArray, match="uint8"):
            read_image(photo / 255.0, order="rgb")
        with pytest.raises(BadArray):
            read_image(np.zeros((4, 4, 4), np.uint8), order="rgb")

    @pytest.mark.parametrize(
        ("source", "told"),
        [
            ("no such file.jpg", "There is no file"),
            ("https://example.org/face.jpg", "address"),
            ("data:image/png;base64", "comma"),
            ("data:image/png;base64,@@@@", "base64"),
            ("data:text/plain,hello", "text"),
            ("A" * 70_000, "neither a path nor base64"),
            ("a\0b", "no path"),
            ("x" * 5000, "cannot be opened|There is no file"),
            (b"", "is empty"),
            (b"\0" * 500, "zeros"),
            (b"<!DOCTYPE html><html>", "web page"),
            (b"%PDF-1.7", "PDF"),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "is a film"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "is a film"),
            (b"\0\0\0\x08wide\0\0\0\0mdat", "is a film"),
            (b"RIFF\0\0\0\0AVI LIST", "is a film"),
            (b"\x1a\x45\xdf\xa3", "is a film"),
            (b"\0\0\x01\xba", "is a film"),
            (b"G" + b"\0" * 187 + b"G" + b"\0" * 187, "is a film"),
            (b"\0\0\0\x18ftypcrx \0\0\0\0crx isom", "is a raw photo"),
            (b"II*\0\x10\0\0\0CR\x02\0", "is a raw photo"),
            (b"IIRO\x08\0\0\0", "is a raw photo"),
            (b"IIU\0\x18\0\0\0", "is a raw photo"),
            (b"FUJIFILMCCD-RAW 0201", "is a raw photo"),
            (b"version https://git-lfs.github.com/spec/v1", "pointer"),
            (b"\xff\xd8", "truncated"),
            (b"\x89PNG\r\n\x1a\n", "truncated"),
            (b"GIF89a", "truncated"),
            (b"II*\0\x08\0\0\0", "truncated"),
            (b"RIFF\x04\0\0\0WEBP", "no size"),
            (b"BM", "damaged|truncated"),
            (b"P6\n", "damaged|truncated"),
            (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif", "damaged|truncated"),
            (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", "damaged|truncated"),
            (3.5, "float"),
            (None, "NoneType"),
            (io.StringIO("text"), "rb"),
        ],
    )
    def test_what_is_no_picture_gives_one_sentence(self, source, told):
        with pytest.raises((UnreadableImage, UnsupportedImage), match=told) as caught:
            read(source)
        message = caught.value.message
        assert message.endswith(".")
        assert "\n" not in message
        assert len(message) < 400
        assert caught.value.hint

    def test_folders_and_pipes_are_told_apart(self, tmp_path):
        with pytest.raises(UnreadableImage, match="folder"):
            read(tmp_path)
        if hasattr(os, "mkfifo"):
            os.mkfifo(tmp_path / "pipe.jpg")
            with pytest.raises(UnreadableImage, match="ordinary"):
                read(tmp_path / "pipe.jpg")

    def test_heic_without_the_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        with pytest.raises(ExtraMissing, match=r"pip install 'facelign\[heif\]'"):
            read(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + b"\0" * 100)


class TestReduced:
    def test_size_stays_and_scale_is_exact(self, portrait):
        data = encoded(portrait.pixels, "JPEG", quality=95)
        for at_least, scale in (
            (None, 1),
            (512, 1),
            (256, 1 / 2),
            (200, 1 / 2),
            (128, 1 / 4),
            (60, 1 / 8),
        ):
            image = read(data, at_least=at_least)
            assert (image.size, image.scale) == ((512, 512), scale)
            assert image.pixels.shape == (512 * scale, 512 * scale, 3)
            assert image.digest == hashlib.sha256(data).hexdigest()
        assert np.array_equal(image.full().pixels, read(data).pixels)
        assert image.full().scale == 1
        assert read(encoded(portrait.pixels, "PNG"), at_least=60).scale == 1

    @pytest.mark.parametrize("code", range(1, 9))
    @pytest.mark.parametrize("sides", [(400, 304), (403, 301), (400, 301), (403, 304)])
    def test_points_do_not_move(self, code, sides):
        """A white square must lie where the map says, whatever the orientation and the size."""
        picture = np.zeros((sides[1], sides[0], 3), np.uint8)
        picture[96:160, 200:296] = 255
        image = read(turned(picture, code, "JPEG", quality=98, subsampling=0), at_least=90)
        assert image.size == sides
        weights = image.pixels[:, :, 0].astype(float)
        center = (
            np.array(
                [
                    (weights.sum(0) * np.arange(weights.shape[1])).sum(),
                    (weights.sum(1) * np.arange(weights.shape[0])).sum(),
                ]
            )
            / weights.sum()
        )
        back = (center + 0.5) / image.scale - 0.5
        assert np.abs(back - (247.5, 127.5)).max() < 0.3
        if all(side % 4 == 0 for side in sides):
            assert image.scale == 1 / 4

    def test_reload_does_not_need_the_file(self, portrait, tmp_path):
        path = tmp_path / "a.jpg"
        path.write_bytes(encoded(portrait.pixels, "JPEG"))
        image = read(path, at_least=100)
        path.unlink()
        assert image.full().pixels.shape == (512, 512, 3)


class TestDamaged:
    def test_truncated_files_are_refused(self, photo):
        for form in ("JPEG", "PNG", "BMP", "PPM", "TIFF", "GIF", "WEBP"):
            data = encoded(photo, form)
            for share in (0.3, 0.6, 0.9):
                with pytest.raises(UnreadableImage):
                    read(data[: int(len(data) * share)])

    def test_what_comes_after_the_picture_does_not_matter(self, photo):
        for form in ("JPEG", "PNG", "GIF"):
            data = encoded(photo, form)
            assert np.array_equal(read(data + b"trailing" * 9).pixels, read(data).pixels), form
        jpeg = encoded(photo, "JPEG")
        assert np.array_equal(read(jpeg + jpeg).pixels, read(jpeg).pixels)  # as multi-picture files

    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    def test_jpeg_without_its_end(self, photo, mode, options):
        """As the panoramas of phones, whose films follow the picture without an end marker."""
        data = encoded(photo, "JPEG", mode, **options)
        wanted = read(data).pixels
        film = np.random.default_rng(3).bytes(300_000)
        trailer = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data\0\0\0\x18ftypmp42" + film + b"SEFT"
        for behind in (b"", b"\0" * 4000, b"text behind it" * 50, trailer):
            assert np.array_equal(read(data[:-2] + behind).pixels, wanted)
        for missing, behind in ((200, b""), (200, b"\0" * 4000), (len(data) // 2, trailer)):
            with pytest.raises(UnreadableImage, match=r"truncated|damaged"):
                read(data[:-missing] + behind)

    def test_a_long_film_behind_a_jpeg(self, photo):
        """Random bytes look like the start of a scan every 65,536."""
        data = encoded(photo, "JPEG")
        film = np.random.default_rng(3).bytes(20_000_000)
        assert film.count(b"\xff\xda") > containers.MOST_SCANS
        assert np.array_equal(read(data + film).pixels, read(data).pixels)

    def test_png_without_its_end(self, photo):
        data = encoded(photo, "PNG")
        assert np.array_equal(read(data[:-12]).pixels, photo)

    def test_bombs_are_refused_from_the_header(self, photo):
        for data in (bomb_png(), bomb_gif(), bomb_webp(), bomb_bmp(), bomb_tiff()):
            with pytest.raises(
                UnsupportedImage, match=r"million pixels, more than the limit of 100 "
            ):
                read(data)
        with pytest.raises(UnsupportedImage, match=r"more than the limit of 400 million"):
            read(bomb_jpeg())

    def test_limits(self, photo, tmp_path):
        data = encoded(photo, "PNG")
        with pytest.raises(UnsupportedImage, match="MB, the limit"):
            read(data, limits=Limits(bytes=100))
        path = tmp_path / "a.png"
        path.write_bytes(data)
        for source in (path, io.BytesIO(data), base64.b64encode(data).decode()):
            with pytest.raises(UnsupportedImage, match="limit"):
                read(source, limits=Limits(bytes=100))
        with pytest.raises(UnsupportedImage, match="211 x 190"):
            read(data, limits=Limits(pixels=211 * 190 - 1))
        assert read(data, limits=Limits(pixels=211 * 190)).size == (211, 190)

    def test_a_jpeg_of_endless_scans(self, photo):
        data = encoded(photo, "JPEG", progressive=True)
        scan = data.rindex(b"\xff\xda")
        endless = data[:scan] + data[scan:-2] * 300 + b"\xff\xd9"
        with pytest.raises(UnsupportedImage, match="scans") as caught:
            read(endless)
        assert caught.value.hint

    def test_nothing_of_pillow_is_changed_and_no_warning_escapes(self, photo):
        before = (ImageFile.LOAD_TRUNCATED_IMAGES, Pillow.MAX_IMAGE_PIXELS)
        broken_exif = Pillow.Exif()
        broken_exif[0x0112] = 6
        block = broken_exif.tobytes()[:-6] + b"\xff" * 6
        wide = np.zeros((9500, 9700), np.uint8)  # where Pillow warns of a bomb already
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            for form in ("JPEG", "PNG", "WEBP"):
                read(encoded(photo, form, exif=block))
            read(tiff16(photo.astype("<u2"), "<"))
            assert read(encoded(wide, "PNG", "L")).size == (9700, 9500)
            with pytest.raises(UnsupportedImage, match="limit of 89"):
                read(bomb_tiff(9700, 9500))
        assert not seen
        assert before == (ImageFile.LOAD_TRUNCATED_IMAGES, Pillow.MAX_IMAGE_PIXELS)

    def test_many_threads(self, photo):
        files = [
            encoded(photo, form, **({"lossless": True} if form == "WEBP" else {}))
            for form in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
        ]
        wanted = [read(data).pixels for data in files]
        wrong: list[object] = []

        def work() -> None:
            for _ in range(10):
                for data, pixels in zip(files, wanted, strict=True):
                    if not np.array_equal(read(data).pixels, pixels):
                        wrong.append(len(data))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


class TestLarge:
    def test_a_jpeg_over_the_limit_is_halved(self, photo):
        tall, wide = photo.shape[:2]
        for mode, options in (("RGB", {}), ("CMYK", {}), ("RGB", {"progressive": True})):
            data = encoded(photo, "JPEG", mode, **options)
            image = read(data, limits=Limits(pixels=tall * wide // 2))
            assert (image.size, image.scale) == ((wide, tall), 1 / 2)
            assert image.full().scale == 1 / 2  # memory is no larger the second time
            whole = cv2.resize(read(data).pixels, image.pixels.shape[1::-1], interpolation=3)
            assert far(image.pixels, whole) < 3
            with pytest.raises(UnsupportedImage, match="million pixels") as caught:
                read(data, limits=Limits(pixels=tall * wide // 5))
            assert caught.value.hint == Remedy.PIXELS

    def test_what_a_decoder_holds_whole_counts(self, photo):
        """Coefficients of a progressive JPEG take 2 bytes each, however reduced it is decoded."""
        tall, wide = photo.shape[:2]
        data = encoded(photo, "JPEG", progressive=True, subsampling=0)
        assert read(data, limits=Limits(pixels=tall * wide)).scale == 1
        with pytest.raises(UnsupportedImage):
            read(data, limits=Limits(pixels=tall * wide - 1))

    def test_108_megapixels(self, photo):
        large = Pillow.fromarray(photo).resize((12_000, 9_000))
        buffer = io.BytesIO()
        large.save(buffer, "JPEG", quality=60)
        image = read(buffer.getvalue(), at_least=2000)
        assert (image.size, image.scale) == ((12_000, 9_000), 1 / 4)
        assert image.full().scale == 1 / 2


class TestPillow:
    @pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK", "RGBA", "1"])
    def test_pictures_of_pillow_are_photos(self, photo, mode):
        picture = Pillow.fromarray(photo).convert(mode)
        image = read(picture)
        assert image.source == "<picture>"
        assert np.array_equal(image.pixels, np.asarray(picture.convert("RGB")))
        assert is_photo(picture)

    def test_their_orientation_is_applied_once(self, photo):
        data = turned(photo, 6, "JPEG")
        opened = Pillow.open(io.BytesIO(data))
        assert np.array_equal(read(opened).pixels, read(data).pixels)
        upright = ImageOps.exif_transpose(Pillow.open(io.BytesIO(data)))
        assert np.array_equal(read(upright).pixels, read(data).pixels)

    def test_limits_and_damage_are_told(self, photo):
        picture = Pillow.fromarray(photo)
        with pytest.raises(UnsupportedImage, match="<picture> has"):
            read(picture, limits=Limits(pixels=100))
        broken = Pillow.open(io.BytesIO(encoded(photo, "PNG")[:2000]))
        with pytest.raises(UnreadableImage, match="truncated"):
            read(broken)


class TestRaw:
    """A raw photo is no picture yet, and its preview is not the photo."""

    PREVIEW = np.full((96, 128, 3), 90, np.uint8)
    SENSOR = np.full((64, 64), 500, np.uint16)
    CFA = (
        ("photometric", "cfa"),
        ("extratags", [(33421, 3, 2, (2, 2)), (33422, 1, 4, (0, 1, 1, 2))]),
    )

    def refused(self, path: Path) -> None:
        with pytest.raises(UnsupportedImage, match="is a raw photo") as caught:
            read(path)
        assert "JPEG" in caught.value.hint

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("big", [False, True])
    @pytest.mark.parametrize("dng", [False, True])
    @pytest.mark.parametrize("said", [False, True])
    def test_a_preview_before_the_sensor(self, tmp_path, order, big, dng, said):
        """DNG, and NEF and ARW (which say no version); the preview may not say that it is one."""
        path = tmp_path / "photo.tif"  # whatever it is called
        version = [(50706, 1, 4, (1, 4, 0, 0))] if dng else []
        with tifffile.TiffWriter(path, byteorder=order, bigtiff=big) as file:
            file.write(
                self.PREVIEW,
                photometric="rgb",
                subifds=1,
                subfiletype=int(said),
                extratags=version,
            )
            file.write(self.SENSOR, **dict(self.CFA))
        self.refused(path)

    def test_the_sensor_first(self, tmp_path):
        path = tmp_path / "photo.pef"
        tifffile.imwrite(path, self.SENSOR, **dict(self.CFA))
        self.refused(path)

    def test_a_preview_before_a_picture(self, tmp_path):
        path = tmp_path / "photo.tif"
        with tifffile.TiffWriter(path) as file:
            file.write(self.PREVIEW, photometric="rgb", subfiletype=1)
            file.write(np.repeat(self.PREVIEW, 4, 0), photometric="rgb")
        self.refused(path)

    def test_reduced_copies_behind_a_picture_are_no_reason(self, tmp_path):
        path = tmp_path / "pyramid.tif"
        with tifffile.TiffWriter(path) as file:
            file.write(self.PREVIEW, photometric="rgb", subifds=1)
            file.write(self.PREVIEW[::2, ::2], photometric="rgb", subfiletype=1)
        assert np.array_equal(read(path).pixels, self.PREVIEW)


class TestStandardInput:
    @pytest.mark.parametrize("word", ["-", "/dev/stdin", "/dev/fd/0"])
    def test_a_photo_comes_through_a_pipe(self, photo, word):
        if word != "-" and not os.path.exists(word):  # noqa: PTH110 - no such system
            pytest.skip("this system has no such file")
        code = (
            "import sys; from facelign.imaging.read import read, photos\n"
            f"image = read(str(photos([{word!r}]).files[0])); print(image.size, image.digest)"
        )
        data = encoded(photo, "PNG")
        done = subprocess.run(
            [sys.executable, "-c", code], input=data, capture_output=True, check=True
        )
        size = (photo.shape[1], photo.shape[0])
        assert done.stdout.decode().split(")")[0] + ")" == str(size)
        assert hashlib.sha256(data).hexdigest() in done.stdout.decode()


def bomb_png() -> bytes:
    data = bytearray(encoded(np.zeros((1, 1), np.uint8), "PNG", "L"))
    data[16:24] = (20000).to_bytes(4, "big") * 2
    return bytes(data)


def bomb_gif() -> bytes:
    return b"GIF89a\x01\0\x01\0\0\0\0," + b"\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;"


def bomb_webp() -> bytes:
    body = b"VP8X\x0a\0\0\0\0\0\0\0\xff\xff\x3f\xff\xff\x3f"
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def bomb_bmp() -> bytes:
    data = bytearray(encoded(np.zeros((1, 1, 3), np.uint8), "BMP"))
    data[18:26] = (30000).to_bytes(4, "little") * 2
    return bytes(data)


def bomb_jpeg() -> bytes:
    data = bytearray(encoded(np.zeros((8, 8, 3), np.uint8), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    return bytes(data)


def bomb_tiff(width: int = 60000, height: int = 60000) -> bytes:
    data = bytearray(tiff16(np.zeros((1, 1, 3), "<u2"), "<"))
    at = data.index(b"\x00\x01\x04\x00\x01\x00\x00\x00")
    data[at + 8 : at + 12] = width.to_bytes(4, "little")
    data[at + 20 : at + 24] = height.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.shared
class TestOddImages:
    #: its manifest says ok, but Pillow refuses its pixels too
    REFUSED = ("broken_data_stream.png",)

    def rows(self, recognition: Path) -> list[dict[str, str]]:
        with (recognition / "odd_images" / "manifest.csv").open(
            encoding="utf-8", newline=""
        ) as file:
            return list(csv.DictReader(file))

    def test_the_manifest(self, recognition):
        rows = self.rows(recognition)
        assert len(rows) > 60
        for row in rows:
            name = row["file"]
            path = recognition / "odd_images" / name
            readable = row["pillow_load"] == "ok" or name == "hopper.heif"
            if not readable or name in self.REFUSED:
                with pytest.raises((UnreadableImage, UnsupportedImage), match=re.escape(name)):
                    read(path)
                continue
            image = read(path)
            if row["width"]:
                code = row["exif_orientation"]
                assert image.orientation == (int(code) if code.isdigit() else 1), name
                size = (int(row["width"]), int(row["height"]))
                assert image.size == (size[::-1] if image.orientation >= 5 else size), name

    def test_every_portrait_is_the_portrait(self, recognition):
        folder = recognition / "odd_images"
        wanted = cv2.GaussianBlur(read(folder / "hopper.ppm").pixels, (0, 0), 4)
        for path in sorted(folder.iterdir()):
            plain = path.stem.startswith("hopper_orientation") or path.name.startswith("made_exif")
            if not plain and path.name not in {
                "hopper.avif", "hopper.bmp", "hopper.gif", "hopper.heif", "hopper.jpg",
                "hopper.png", "hopper.webp", "hopper.iccprofile.tif", "hopper_lzw.tif",
                "made_16bit_rgb.png",
                "made_cmyk.jpg", "made_noextension", "made_palette.png", "made_png_named.jpg",
                "made_progressive.jpg", "made_ünïcode 脸.jpg",
            }:  # fmt: skip
                continue
            blurred = cv2.GaussianBlur(read(path).pixels, (0, 0), 4)
            assert far(blurred, wanted) < 3, path.name

    def test_truncated_says_so(self, recognition):
        for name in ("made_truncated_60pct.jpg", "made_truncated.png", "made_truncated_header.jpg"):
            with pytest.raises(UnreadableImage, match="truncated"):
                read(recognition / "odd_images" / name)

    def test_the_same_folder_under_other_names(self, recognition, tmp_path):
        source = recognition / "odd_images" / "hopper.jpg"
        for name in ("é.jpg", "ü.jpg", "한국.jpg", "中文 脸.jpg", "a%20b.jpg", "no suffix"):
            shutil.copy(source, tmp_path / name)
            assert np.array_equal(read(str(tmp_path / name)).pixels, read(source).pixels)


def test_no_decoder_of_the_house_is_hidden():
    """Every kind has a plugin or a way of its own."""
    from facelign.imaging.containers import Kind

    assert set(decoding._PLUGINS) | {Kind.HEIF} == set(Kind)


def test_a_photo_is_read_while_another_thread_loads_pillow(tmp_path, monkeypatch):
    """Formats that Pillow reads load it in the thread that meets them first."""
    path = tmp_path / "a.png"
    Pillow.new("RGB", (8, 6)).save(path)
    monkeypatch.setitem(sys.modules, "PIL.Image", ModuleType("PIL.Image"))  # as it is then
    assert read(path).size == (8, 6)
    assert not is_photo(object())


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path):
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate(3_000_000_000)  # holes: no room on the disk
    tracemalloc.start()
    try:
        with pytest.raises(UnsupportedImage, match="200 MB"):
            read(huge)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
