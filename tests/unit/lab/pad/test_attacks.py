"""Made attacks: the same ones each time, unlike the photo, with the face still in its place."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from facelign import models
from facelign.errors import BadArray
from facelign.lab.pad.attacks import Species, attack, clip
from facelign.models.weights.store import Store
from facelign.types.faces import Box
from facelign.types.image import Image

BOX = Box(178, 62, 268, 176)


@pytest.mark.parametrize("species", Species)
def test_a_seed_is_an_attack(species: Species, portrait: Image) -> None:
    before = portrait.pixels.copy()
    first = attack(portrait.pixels, BOX, species, 3)
    np.testing.assert_array_equal(first, attack(portrait.pixels, BOX, species, 3))
    assert first.shape == portrait.pixels.shape
    assert (first != attack(portrait.pixels, BOX, species, 4)).mean() > 0.5
    np.testing.assert_array_equal(portrait.pixels, before)


@pytest.mark.parametrize("species", Species)
def test_a_hand_is_never_still_and_never_leaps(species: Species, portrait: Image) -> None:
    frames = list(clip(portrait.pixels, BOX, species, 3, frames=4))
    assert len(frames) == 4
    np.testing.assert_array_equal(frames[0], attack(portrait.pixels, BOX, species, 3))
    steps = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(frames)]
    assert min(steps) > 0.5
    other = attack(portrait.pixels, BOX, species, 4)
    assert max(steps) < np.abs(other.astype(int) - frames[0]).mean()


def test_a_print_has_fewer_colors_and_a_screen_is_bluer(portrait: Image) -> None:
    face = np.s_[80:160, 190:260]
    real, printed, shown = (
        pixels[face].astype(float)
        for pixels in (
            portrait.pixels,
            attack(portrait.pixels, BOX, Species.PRINT, 1),
            attack(portrait.pixels, BOX, Species.SCREEN, 1),
        )
    )
    assert np.ptp(printed, axis=2).mean() < 0.8 * np.ptp(real, axis=2).mean()
    assert (shown[..., 2] - shown[..., 0]).mean() > (real[..., 2] - real[..., 0]).mean() + 10


@pytest.mark.weights
@pytest.mark.parametrize("species", Species)
def test_the_face_is_still_found(species: Species, portrait: Image, plain_weights: Store) -> None:
    shown = attack(portrait.pixels, BOX, species, 2)
    faces = models.detector("yunet").detect(Image.from_array(shown, "rgb"))
    assert len(faces) == 1
    x, y = faces[0].box.center
    assert abs(x - BOX.center[0]) < 25
    assert abs(y - BOX.center[1]) < 25


def test_a_box_outside_of_the_photo_has_nothing_to_print(portrait: Image) -> None:
    with pytest.raises(BadArray, match="inside of the photo"):
        attack(portrait.pixels, Box(900, 900, 990, 999), Species.PRINT)
