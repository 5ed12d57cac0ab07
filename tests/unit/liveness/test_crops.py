from __future__ import annotations

import cv2
import numpy as np
import pytest

from facelign.errors import BadArray
from facelign.liveness.crops import mirrored_square
from facelign.types.image import Image

PIXELS = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)


@pytest.mark.parametrize("box", [(10, 10, 40, 50), (-20, 5, 12, 40), (60, 40, 120, 90)])
def test_a_square_is_cut_as_opencv_mirrors_the_edge(box: tuple[int, ...]) -> None:
    image = Image.from_array(PIXELS, "rgb")
    square = mirrored_square(image, np.array(box) - 0.5, 1.5, 24)
    longer = max(box[2] - box[0], box[3] - box[1])
    reach = int(longer * 1.5)
    x, y = int((box[0] + box[2] - reach) / 2), int((box[1] + box[3] - reach) / 2)
    far = cv2.copyMakeBorder(PIXELS, 200, 200, 200, 200, cv2.BORDER_REFLECT_101)
    cut = far[200 + y : 200 + y + reach, 200 + x : 200 + x + reach]
    np.testing.assert_array_equal(square, cv2.resize(cut, (24, 24), interpolation=cv2.INTER_AREA))


def test_a_small_face_is_enlarged_and_a_box_far_outside_costs_no_memory() -> None:
    image = Image.from_array(PIXELS, "rgb")
    assert mirrored_square(image, np.array([4, 4, 9, 9]), 1.5, 128).shape == (128, 128, 3)
    assert mirrored_square(image, np.array([-1e9, -1e9, 1e9, 1e9]), 1.5, 16).shape == (16, 16, 3)
    one = Image.from_array(PIXELS[:1, :1], "rgb")
    assert (mirrored_square(one, np.array([0, 0, 1, 1]), 4.0, 8) == PIXELS[0, 0]).all()


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 9, 5, 20)])
def test_a_box_without_an_area_is_no_face(box: tuple[int, ...]) -> None:
    with pytest.raises(BadArray, match="area"):
        mirrored_square(Image.from_array(PIXELS, "rgb"), np.array(box), 1.5, 16)
