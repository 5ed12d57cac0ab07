"""Models of head pose: how their angles are counted, what their files must hold, turned photos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facelign import models
from facelign.errors import ModelMismatch, UnknownModel, WeightsCorrupt
from facelign.models.convert import headpose, named_arrays
from facelign.models.weights.store import Store
from facelign.quality.poses.headpose import around, as_ours
from facelign.recognition.finding import Finder
from facelign.recognition.judging import Heads
from facelign.types.faces import Faces
from facelign.types.image import Image


@pytest.mark.parametrize("at", range(3))
def test_single_angles_keep_their_size_and_change_their_sign(at: int) -> None:
    """Yaw, pitch and roll about one axis alone are the same in every order of the axes."""
    theirs = [0.0, 0.0, 0.0]
    theirs[at] = 25.0
    yaw, pitch, roll = as_ours(theirs[2], theirs[0], theirs[1])
    expected = [0.0, 0.0, 0.0]
    expected[at] = -25.0
    np.testing.assert_allclose([yaw, pitch, roll], expected, atol=1e-9)


def test_several_angles_together_are_not_read_one_by_one() -> None:
    yaw, pitch, roll = as_ours(20.0, 40.0, 20.0)
    assert abs(yaw + 40) + abs(pitch + 20) + abs(roll + 20) > 10
    mirrored = as_ours(-20.0, -40.0, 20.0)
    np.testing.assert_allclose(mirrored, [-yaw, pitch, -roll], atol=1e-9)


def test_the_square_is_black_outside_and_knows_reduced_pixels(portrait: Image) -> None:
    corner = around(portrait, np.array([-40.0, -40.0, 40.0, 40.0]))
    assert corner.shape == (224, 224, 3)
    assert not corner[:100, :100].any()
    assert corner[130:, 130:].any()
    half = replace(portrait, pixels=portrait.pixels[::2, ::2].copy(), scale=0.5)
    box = np.array([178.0, 62.0, 268.0, 176.0])
    apart = np.abs(around(half, box).astype(int) - around(portrait, box)).mean()
    assert apart < 8


@pytest.mark.shared
def test_a_file_of_another_network_names_the_first_array_that_does_not_fit(shared: Path) -> None:
    arrays = named_arrays.read(shared / "weights" / "headpose" / "lightweight_headpose_b66.pth")
    headpose.graph(dict(arrays))
    name = "features.3.dw_conv.0.weight"
    with pytest.raises(WeightsCorrupt, match=r"features\.3\.dw_conv\.0\.weight has the shape"):
        headpose.graph({**arrays, name: arrays[name][:, :, :2]})
    with pytest.raises(WeightsCorrupt, match=r"lacks the array fc_yaw\.bias"):
        headpose.graph({k: v for k, v in arrays.items() if k != "fc_yaw.bias"})
    with pytest.raises(WeightsCorrupt, match="has no place for, such as more"):
        headpose.graph({**arrays, "more": np.zeros(3, np.float32)})


@pytest.mark.weights
@pytest.mark.parametrize("model", ["points", "headpose-b66"])
def test_a_head_in_a_photo_that_lies_leans_by_a_quarter_turn_more(
    model: str, portrait: Image, pulled: Callable[..., Store]
) -> None:
    store = pulled(*models.default().find("yunet"), *models.default().find(model))
    finder, heads, found = Finder.load("yunet", store=store), Heads(model, store), []
    for turns in (0, 1):
        pixels = np.ascontiguousarray(np.rot90(portrait.pixels, turns))
        found.append(heads.angles(finder.find(Image.from_array(pixels, "rgb")))[0])
    # rot90 turns anticlockwise, and roll counts so
    np.testing.assert_allclose(found[1] - found[0], [0, 0, 90], atol=3)


def test_faces_without_points_are_told_what_to_do(portrait: Image) -> None:
    bare = Faces(np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32), None, "hog", (9, 9))
    with pytest.raises(ModelMismatch, match="'hog' gives no points") as caught:
        models.pose("points").estimate(portrait, bare)
    assert "headpose-b66" in caught.value.hint
    with pytest.raises(UnknownModel, match="There is no pose model 'point'"):
        Heads("point")
