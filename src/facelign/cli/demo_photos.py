"""Photos without any private person: NASA's portrait of Eileen Collins, and edits of it.

The portrait is in the public domain and comes with scikit-image, as does a cup of coffee. The
stranger is the portrait with the features of another face, dark hair, glasses, a moustache and a
blue suit: no model takes the two for one person.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from facelign.errors import ExtraMissing

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

    from facelign.types.arrays import ByteArray

#: what makes another face of it: x, y of a feature in the portrait, how much wider and higher it
#: becomes, how far it moves to the right and down, and how far the change reaches (pixels)
_FEATURES = (
    (224, 120, 0.905, 1.10, 0.0, 0.0, 60),  # the head
    (222, 160, 0.97, 0.85, 0.0, 6.0, 24),  # chin
    (203, 101, 0.85, 0.95, -2.9, -4.0, 11),  # eyes
    (246, 105, 0.85, 0.95, 2.9, -4.0, 11),
    (203, 87, 1.0, 1.0, 0.0, -4.0, 8),  # brows
    (246, 90, 1.0, 1.0, 0.0, -4.0, 8),
    (221, 122, 1.15, 1.08, 0.0, 4.0, 11),  # nose
    (221, 146, 0.78, 0.75, 0.0, 3.3, 15),  # mouth
)
_EYES = ((200.0, 98.5), (243.0, 100.5))  # of the stranger
_LIP = (220.0, 140.0)


def portrait() -> Picture:
    """Return the portrait, 512 x 512 px RGB. Raises ExtraMissing without scikit-image."""
    return _opened("astronaut")


def nobody() -> Picture:
    """Return a photo without a person, RGB. Raises ExtraMissing without scikit-image."""
    return _opened("coffee")


def stranger() -> Picture:
    """Return a photo of somebody else, 512 x 512 px RGB. Raises ExtraMissing as ``portrait``."""
    return _moustache(_glasses(_other_face(_dyed(portrait()))))


def together() -> Picture:
    """Return the portrait and the stranger side by side, 760 x 380 px RGB."""
    from PIL import Image

    both = Image.new("RGB", (760, 380))
    both.paste(portrait().crop((40, 0, 420, 380)), (0, 0))
    both.paste(stranger().crop((40, 0, 420, 380)), (380, 0))
    return both


def noisy(picture: Picture, seed: int = 20) -> Picture:
    """Return the picture with the grain of poor light, the same for a seed."""
    import numpy as np

    grain = np.random.default_rng(seed).normal(0, 14, (picture.height, picture.width, 3))
    return _picture(np.asarray(picture) + grain)


def _opened(name: str) -> Picture:
    from PIL import Image

    try:
        from skimage import data
    except ImportError as error:
        raise ExtraMissing(
            "The demo's photographs come with scikit-image, which is not installed.",
            "Run: pip install 'facelign[demo]', or use --photos FOLDER.",
        ) from error
    return Image.fromarray(getattr(data, name)())


def _dyed(picture: Picture) -> Picture:
    """Return the portrait with dark hair and a blue suit."""
    import numpy as np
    from PIL import Image, ImageFilter

    def soft(mask: ByteArray, radius: float) -> np.ndarray:
        drawn = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
        smooth = drawn.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.GaussianBlur(radius))
        return np.asarray(smooth, np.float64)[..., None] / 255

    hue, saturation, _ = np.moveaxis(np.asarray(picture.convert("HSV")), -1, 0)
    y, x = np.mgrid[: picture.height, : picture.width]
    suit = (hue > 3) & (hue < 24) & (saturation > 120) & (y > 190) & (x > 22)
    head = ((x - 224) / 95) ** 2 + ((y - 95) / 95) ** 2 < 1
    face = ((x - 223) / 43) ** 2 + ((y - 133) / 50) ** 2 < 1
    hair = head & ~face & (y < 165) & (saturation > 70)
    pixels = np.asarray(picture, np.float64)
    for mask, color in (
        (soft(suit, 1.2), pixels[..., ::-1] * (0.9, 0.75, 0.75)),
        (soft(hair, 2.5), pixels.mean(-1, keepdims=True) * (0.31, 0.29, 0.27)),
    ):
        pixels = pixels * (1 - mask) + color * mask
    return _picture(pixels)


def _other_face(picture: Picture) -> Picture:
    """Return the portrait with its features moved and stretched."""
    import numpy as np
    from skimage.transform import warp

    def back(points: np.ndarray) -> np.ndarray:
        source = points.copy()
        for x, y, wider, higher, right, down, reach in _FEATURES:
            away = points - (x, y)
            weight = np.exp(-(away**2).sum(1, keepdims=True) / (2 * reach**2))
            source += weight * (away * (1 / wider - 1, 1 / higher - 1) - (right, down))
        return source

    moved = warp(np.asarray(picture), back, mode="edge", order=3)
    return _picture(moved * 255)


def _picture(pixels: np.ndarray) -> Picture:
    import numpy as np
    from PIL import Image

    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _glasses(picture: Picture) -> Picture:
    from PIL import ImageDraw

    ink = (25, 22, 28)
    (x1, y1), (x2, y2) = _EYES

    def draw(sheet: ImageDraw.ImageDraw) -> None:
        for x, y in _EYES:
            sheet.ellipse([4 * v for v in (x - 17, y - 13, x + 17, y + 13)], outline=ink, width=10)
        for line in ((x1 + 17, y1, x2 - 17, y2), (x1 - 17, y1, x1 - 27, y1 - 4),
                     (x2 + 17, y2, x2 + 25, y2 - 2)):  # fmt: skip
            sheet.line([4 * v for v in line], fill=ink, width=10)

    return _drawn_on(picture, draw)


def _moustache(picture: Picture) -> Picture:
    from PIL import ImageDraw

    x, y = _LIP
    shape = ((-24, 9), (-14, -1), (0, -4), (14, 1), (24, 12), (13, 7), (0, 3), (-13, 5))

    def draw(sheet: ImageDraw.ImageDraw) -> None:
        sheet.polygon([(4 * (x + dx), 4 * (y + dy)) for dx, dy in shape], fill=(34, 28, 26))

    return _drawn_on(picture, draw)


def _drawn_on(picture: Picture, draw: Callable[..., None]) -> Picture:
    """Return the picture drawn on at four times its size, so that lines are smooth."""
    from PIL import Image, ImageDraw

    large = picture.resize((4 * picture.width, 4 * picture.height), Image.Resampling.LANCZOS)
    draw(ImageDraw.Draw(large))
    return large.resize(picture.size, Image.Resampling.LANCZOS)
