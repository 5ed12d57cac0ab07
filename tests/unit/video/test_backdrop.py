"""Films and photos before another background, by the command, and masks that begin anew at cuts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from video_parts import needed

needed("av")

from facelign import models
from facelign.cli.app import run
from facelign.imaging.background import colored
from facelign.imaging.read import read_image
from facelign.imaging.write import write
from facelign.models.weights.store import Store
from facelign.types.arrays import Float32Array
from facelign.types.contracts import Frame, Segmenter
from facelign.types.image import Image
from facelign.video.backdrop import Backdrop
from facelign.video.sources import opened
from made_films import write_film

BLUE = (0, 120, 215)


class Half(Segmenter):
    """Is sure of nothing: every pixel is as much a person as its red says."""

    def segment(self, image: Image) -> Float32Array:
        return image.pixels[..., 0].astype(np.float32) / 255


def frame(picture: np.ndarray, number: int) -> Frame:
    return Frame(Image.from_array(picture, "rgb"), number, number / 10)


def test_masks_follow_slowly_in_a_scene_and_begin_anew_at_a_cut(portrait: Image) -> None:
    from skimage import data

    masks = []
    backdrop = Backdrop(Half(), lambda pixels, mask: masks.append(mask) or pixels)  # type: ignore[func-returns-value]
    here, there = portrait.pixels[:400], data.coffee()[:400, :512]
    dark = (here * 0.7).astype(np.uint8)
    for number, picture in enumerate((here, dark, there)):
        backdrop.shown(frame(picture, number))
    raw = [picture[..., 0].astype(np.float32) / 255 for picture in (here, dark, there)]
    np.testing.assert_array_equal(masks[0], raw[0])
    assert np.abs(masks[1] - raw[1]).max() > 0.1
    np.testing.assert_array_equal(masks[2], raw[2])


@pytest.mark.weights
def test_the_command_changes_photos_and_films(
    portrait: Image,
    pulled: Callable[..., Store],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pulled(*models.default().find("selfie"))
    photo, film = tmp_path / "a.png", tmp_path / "a.mp4"
    write(photo, portrait.pixels)
    pictures = [np.roll(portrait.pixels[:400], 4 * i, axis=1) for i in range(12)]
    write_film(film, pictures, fps=10)
    out, moved = tmp_path / "out.png", tmp_path / "out.mp4"
    assert run(["background", str(photo), "--color", "#0078d7", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 1
    seen = read_image(out).pixels
    mask = models.segmenter("selfie").segment(portrait)
    np.testing.assert_array_equal(seen, colored(portrait.pixels, mask, BLUE))
    assert (seen[20:60, 330:500] == BLUE).all(), "what is behind is blue"
    assert np.abs(seen[100:150, 200:240].astype(int) - portrait.pixels[100:150, 200:240]).max() < 3
    assert run(["background", str(film), "--color", "0078d7", "--out", str(moved)]) == 0
    with opened(str(moved)) as frames:
        shown = list(frames)
    assert [round(one.time_s, 2) for one in shown] == [round(i / 10, 2) for i in range(12)]
    assert np.abs(shown[8].image.pixels[30:50, 400:480].astype(int) - BLUE).mean() < 12


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--color", "blue"], "no color"),
        (["--blur", "-1"], "outside"),
        (["--blur", "3", "--color", "000000"], "Several"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["background", "x.png", "--out", str(tmp_path / "y.png"), *more]) == 2
    assert said in capsys.readouterr().err
