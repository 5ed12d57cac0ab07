"""Boxes, points and names on a copy of a picture, and sheets of small pictures."""

from __future__ import annotations

import math
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from facelign.imaging.labels import Rectangle, place
from facelign.imaging.resize import resized, scaled
from facelign.types.arrays import ByteArray
from facelign.types.faces import Faces

Color = tuple[int, int, int]

#: Okabe and Ito, Color Universal Design (2008): told apart with every kind of color vision
COLORS: tuple[Color, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)
#: of whom nobody knows
GRAY: Color = (166, 166, 166)
_INK: Color = (17, 17, 17)
#: fonts that Linux, Windows and macOS carry, by what they cover; the first with all letters of a
#: text draws it
_FONTS = (
    "DejaVuSans-Bold.ttf", "NotoSans-Bold.ttf", "arialbd.ttf", "Arial Bold.ttf",
    "LiberationSans-Bold.ttf", "NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc",
    "wqy-zenhei.ttc", "malgun.ttf", "msyh.ttc", "meiryo.ttc", "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc", "Arial Unicode.ttf", "DroidSansFallbackFull.ttf", "unifont.ttf",
)  # fmt: skip
#: no font draws this noncharacter, so its picture is that of a missing letter
_NOTHING = "\U0010fffe"


def color_of_name(person: str) -> Color:
    """Return the color of somebody of whom nothing but the name is known, always the same."""
    return COLORS[(zlib.crc32(person.encode()) + 1) % len(COLORS)]


@dataclass(frozen=True, slots=True)
class Mark:
    """How one face is drawn. label: what is written beside it, or "". shown: whether it is drawn;
    a face that is not keeps its place free of labels all the same.
    """

    color: Color = COLORS[0]
    label: str = ""
    shown: bool = True


def draw_faces(
    pixels: ByteArray, faces: Faces, looks: Sequence[Mark] = (), *, points: bool = True
) -> ByteArray:
    """Return a copy of the picture with the box, points and label of every face.

    pixels: (h, w, 3) uint8 RGB of the photo of ``faces``, whole or reduced. looks: one a face, or
    none: all boxes alike. points: whether the points of the faces are drawn. Lines and letters
    follow the size of the face, within what can be seen and read in a picture of this size. No
    label covers a face or another label; one that finds no room is left out.
    """
    faces = _onto(faces, (pixels.shape[1], pixels.shape[0]))
    picture = Pillow.fromarray(np.array(pixels))
    draw = ImageDraw.Draw(picture)
    looks = looks or [Mark()] * len(faces)
    for i, look in enumerate(looks):
        if not look.shown:
            continue
        line = _line_of(float(faces.heights[i]), picture.size)
        _box(draw, faces.boxes[i].tolist(), look.color, line)
        if points and faces.landmarks is not None:
            _points(draw, faces.landmarks.points[i].tolist(), look.color, line)
    for text, spot, color in labels_of(faces, looks, picture.size):
        _write(draw, text, spot, color)
    return np.asarray(picture)


def _onto(faces: Faces, size: tuple[int, int]) -> Faces:
    """Return the faces in the plane of their photo at another size."""
    if not len(faces) or size == faces.image_size:
        return faces
    factor = np.divide(size, faces.image_size)
    boxes = (faces.boxes + 0.5) * np.tile(factor, 2) - 0.5
    points = faces.landmarks
    if points is not None:
        points = replace(points, points=(points.points + 0.5) * factor - 0.5)
    return replace(faces, boxes=boxes, landmarks=points, image_size=size)


def line_width(size: tuple[int, int]) -> int:
    """Return the width of lines, px, for a picture of ``size`` (width, height)."""
    return max(1, round(max(size) / 256))


def _line_of(height: float, size: tuple[int, int]) -> int:
    """Return the width of the lines of a face: thin ones, so that small faces can be seen."""
    return max(1, min(line_width(size), round(height / 24)))


def _pixel(value: float) -> int:
    return round(min(max(value, -1e5), 1e5))  # far outside is outside; Pillow counts in 32 bits


def _box(draw: ImageDraw.ImageDraw, box: list[float], color: Color, line: int) -> None:
    """Draw the box with a dark rim, which shows on light and dark ground alike."""
    x1, y1, x2, y2 = map(_pixel, box)
    rim = max(1, line // 3)
    draw.rectangle((x1 - rim, y1 - rim, x2 + rim, y2 + rim), outline=_INK, width=line + 2 * rim)
    draw.rectangle((x1, y1, x2, y2), outline=color, width=line)


def _points(draw: ImageDraw.ImageDraw, points: list[list[float]], color: Color, line: int) -> None:
    radius = line + 1 if len(points) <= 6 else max(1, line - 1)
    for x, y in points:
        px, py = _pixel(x), _pixel(y)
        around = (px - radius, py - radius, px + radius, py + radius)
        draw.ellipse(around, fill=color, outline=_INK if radius > 1 else None)


# -- labels ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    """One form of a label: the text in a font, and the px around it."""

    text: str
    font: ImageFont.FreeTypeFont
    pad: int

    @property
    def size(self) -> tuple[int, int]:
        return (
            math.ceil(self.font.getlength(self.text)) + 2 * self.pad,
            sum(_Fonts.extent(self.font)) + self.pad,
        )


def labels_of(
    faces: Faces, looks: Sequence[Mark], size: tuple[int, int]
) -> list[tuple[_Text, Rectangle, Color]]:
    """Return what is written, where (x1, y1, x2, y2 in px of the picture) and on which color.

    size: (width, height) of the picture, px.
    """
    fonts: dict[int, _Fonts] = {}
    forms = [
        _forms(look.label, float(height), size, fonts) if look.label and look.shown else []
        for look, height in zip(looks, faces.heights, strict=True)
    ]
    gap = max(1, line_width(size) // 3)  # the rim of the widest box
    spots = place(
        faces.boxes.astype(np.float64), [[form.size for form in row] for row in forms], size, gap
    )
    return [
        (forms[i][spot[0]], spot[1], looks[i].color)
        for i, spot in enumerate(spots)
        if spot is not None
    ]


def _forms(
    label: str, height: float, size: tuple[int, int], fonts: dict[int, _Fonts]
) -> list[_Text]:
    """Return the forms of a label: in letters that suit the face, in the smallest, cut short.

    The smallest letters are those that can still be read where the whole picture is looked at
    about a thousand pixels wide.
    """
    smallest = max(11, round(max(size) / 90))
    suited = min(max(smallest, round(height / 7)), max(smallest, round(max(size) / 30)))
    forms = []
    for px in sorted({suited, (suited + smallest) // 2, smallest}, reverse=True):
        fonts[px] = fonts.get(px) or _Fonts(px)
        text, font = fonts[px].for_text(label)
        forms.append(_Text(text, font, max(2, px // 4)))
    last = forms[-1]
    text, font = fonts[smallest].fitted(label, round(max(1.2 * height, 6 * smallest)))
    return forms if text == last.text else [*forms, _Text(text, font, last.pad)]


def _write(draw: ImageDraw.ImageDraw, text: _Text, spot: Rectangle, color: Color) -> None:
    left, top, right, bottom = spot
    draw.rectangle((left, top, right - 1, bottom - 1), fill=color)
    light = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 110
    ink = _INK if light else (255, 255, 255)
    draw.text((left + text.pad, top + text.pad // 2), text.text, fill=ink, font=text.font)


def contact_sheet(
    pictures: Sequence[ByteArray],
    captions: Sequence[str] = (),
    *,
    columns: int = 4,
    tile: int = 320,
) -> ByteArray:
    """Return one picture of many: each fitted into a square of ``tile`` px, its caption beneath.

    pictures: (h, w, 3) uint8 RGB each, of any size. captions: one a picture, or none.
    """
    fonts = _Fonts(max(11, tile // 20))
    gap = max(4, tile // 40)
    strip = 2 * fonts.size if any(captions) else 0
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    size = (columns * (tile + gap) + gap, rows * (tile + strip + gap) + gap)
    sheet = Pillow.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for i, picture in enumerate(pictures):
        small = Pillow.fromarray(fitted(picture, tile))
        left = gap + (i % columns) * (tile + gap)
        top = gap + (i // columns) * (tile + strip + gap)
        sheet.paste(small, (left + (tile - small.width) // 2, top + (tile - small.height) // 2))
        if i < len(captions) and captions[i]:
            text, font = fonts.fitted(captions[i], tile)
            draw.text((left, top + tile + fonts.size // 4), text, fill=_INK, font=font)
    return np.asarray(sheet)


def fitted(pixels: ByteArray, side: int) -> ByteArray:
    """Return the picture (h, w, 3) scaled so that its long side has ``side`` px."""
    tall, wide = pixels.shape[:2]
    size = scaled((wide, tall), side / max(tall, wide))
    return resized(np.ascontiguousarray(pixels), size, enlarge=cv2.INTER_CUBIC)


# -- letters -----------------------------------------------------------------------------------


@cache
def _font_files() -> tuple[str, ...]:
    """Return the paths of the known fonts on this machine; looking for them takes a while."""
    found = []
    for name in _FONTS:
        try:
            path = ImageFont.truetype(name, 12).path
        except OSError:
            continue
        if isinstance(path, str | bytes | Path):
            found.append(str(path.decode() if isinstance(path, bytes) else path))
    return tuple(found)


class _Fonts:
    """The fonts of one drawing (opened for it alone, so that threads share none)."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._files = _font_files()
        self._open: dict[int, ImageFont.FreeTypeFont] = {}
        self._known: dict[tuple[int, str], bool] = {}

    def _font(self, i: int) -> ImageFont.FreeTypeFont:
        if i not in self._open:
            if i < len(self._files):
                self._open[i] = ImageFont.truetype(self._files[i], self.size)
            else:
                plain = ImageFont.load_default(self.size)  # Latin, comes with Pillow
                if not isinstance(plain, ImageFont.FreeTypeFont):
                    raise OSError("this Pillow was built without FreeType")
                self._open[i] = plain
        return self._open[i]

    def _draws(self, i: int, letter: str) -> bool:
        """Say whether the font has the letter: its picture differs from that of a missing one."""
        key = (i, letter)
        if key not in self._known:
            font = self._font(i)
            shown, nothing = font.getmask(letter), font.getmask(_NOTHING)
            self._known[key] = letter.isspace() or (
                shown.size != nothing.size or bytes(shown) != bytes(nothing)
            )
        return self._known[key]

    def for_text(self, text: str) -> tuple[str, ImageFont.FreeTypeFont]:
        """Return the text and a font that can draw it.

        Where no font has all letters, the first font draws what it has, accents dropped where it
        must be, and the numbers of the letters that are left: never an empty square.
        """
        text = " ".join(unicodedata.normalize("NFC", text).split())
        for i in range(len(self._files) + 1):
            if all(self._draws(i, letter) for letter in text):
                return text, self._font(i)
        plain = "".join(self._nearest(letter) for letter in text)
        return " ".join(plain.split()), self._font(0)

    def _nearest(self, letter: str) -> str:
        if self._draws(0, letter):
            return letter
        base = "".join(
            c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c)
        )
        if base and all(self._draws(0, c) for c in base):
            return base
        return f" U+{ord(letter):04X} "

    def fitted(self, text: str, width: int) -> tuple[str, ImageFont.FreeTypeFont]:
        """Return the text, cut with an ellipsis to ``width`` px, and its font."""
        text, font = self.for_text(text)
        if font.getlength(text) <= width:
            return text, font
        short, over = 0, len(text)  # the longest start that fits, by halving
        while over - short > 1:
            middle = (short + over) // 2
            if font.getlength(text[:middle] + "...") <= width:
                short = middle
            else:
                over = middle
        return text[:short].rstrip() + "...", font

    @staticmethod
    def extent(font: ImageFont.FreeTypeFont) -> tuple[int, int]:
        """Return the heights above and below the base line, px."""
        ascent, descent = font.getmetrics()
        return int(ascent), int(descent)
