"""The folder in which the pages' examples run: what their text says is there."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageEnhance, ImageOps

from facelign import models


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """The photos of the examples: the portrait and what can be made of it.

    portrait.jpg, again.jpg (turned by 12 degrees, darker), crowd.jpg (two faces), coffee.jpg (no
    face), sideways.jpg (on its side, without a tag), people/Eileen/ (two photos), album/ (photos
    to be named: two of her, one far too small, one without a face), yard.mp4 (a film of her).
    """
    from skimage import data

    folder = tmp_path_factory.mktemp("photos")
    portrait = Pillow.fromarray(data.astronaut())
    coffee = Pillow.fromarray(data.coffee())
    turned = portrait.rotate(12, Pillow.Resampling.BICUBIC, fillcolor=(120, 120, 120))
    made = {
        "portrait.jpg": portrait,
        "again.jpg": ImageEnhance.Brightness(turned).enhance(0.6),
        "crowd.jpg": Pillow.fromarray(np.hstack([data.astronaut(), data.astronaut()[:, ::-1]])),
        "coffee.jpg": coffee,
        "sideways.jpg": portrait.transpose(Pillow.Transpose.ROTATE_90),
        "people/Eileen/first.jpg": portrait,
        "people/Eileen/second.jpg": ImageOps.mirror(portrait).resize((400, 400)),
        "album/dusk.jpg": ImageEnhance.Brightness(portrait).enhance(0.5),
        "album/turned.jpg": turned,
        "album/far.jpg": portrait.resize((96, 96)),
        "album/coffee.jpg": coffee,
    }
    for name, picture in made.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target, quality=92)
    film(folder / "yard.mp4", np.asarray(portrait), np.asarray(turned))
    return folder


def film(path: Path, first: np.ndarray, second: np.ndarray) -> None:
    """Write a film of 6 s: she walks through, is gone, and comes back leaning."""
    from facelign.video.sources.written import FilmWriter

    ground = np.full((300, 480, 3), (96, 104, 92), np.uint8)
    with FilmWriter(path) as writer:
        for number in range(75):
            picture, shown = ground.copy(), first if number < 30 else second
            x = 4 * number if number < 30 else 4 * (number - 45)
            if number < 30 or number >= 45:
                picture[:240, x : x + 240] = shown[:240, 100:340]
            writer.add(picture, number / 12.5)


#: weights that a page's examples want beyond those of a plain run
NEEDS = {"liveness.md": ("minifasnet",)}


@pytest.fixture
def desk(request, photos, tmp_path, facelign_home, monkeypatch, plain_weights, pulled) -> Path:
    """A fresh copy of the photos as working folder, with a home that has only the weights."""
    page = getattr(getattr(request.node, "callspec", None), "params", {}).get("page")
    for model in NEEDS.get(page.name if page else "", ()):
        pulled(*models.default().find(model))
    home = tmp_path / "home"
    weights = facelign_home / "weights"
    if weights.is_dir():
        shutil.copytree(weights, home / "weights", copy_function=_linked)
    work = tmp_path / "desk"
    shutil.copytree(photos, work)
    monkeypatch.setenv("FACELIGN_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"])
    monkeypatch.chdir(work)
    return work


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
