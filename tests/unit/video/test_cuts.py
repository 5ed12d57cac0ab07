"""Cuts are seen where they are; pans, flashes, close faces and slow cameras are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from facelign.types.arrays import ByteArray
from facelign.types.contracts import Frame
from facelign.types.image import Image
from facelign.video.cuts import Cuts
from facelign.video.sources import opened
from video_parts import needed

#: first frames of the scenes of short_hamilton_clip, found by looking at it
HAMILTON = [20, 82, 211]


def starts(pictures: Iterable[ByteArray]) -> list[int]:
    """Return the places of the pictures that begin a scene, the first left out."""
    cuts = Cuts()
    frames = (Frame(Image.from_array(p, "rgb"), k, k / 25) for k, p in enumerate(pictures))
    return [frame.number for frame in frames if cuts.between(frame)]


def pictures_of(film: Path) -> Iterator[ByteArray]:
    needed("av")
    with opened(str(film)) as source:
        for frame in source:
            yield frame.image.pixels


@pytest.fixture(scope="module")
def scene(portrait: Image) -> ByteArray:
    """A picture of one scene, 320 x 320."""
    return cv2.resize(portrait.pixels, (320, 320), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def other() -> ByteArray:
    from skimage import data

    return cv2.resize(data.coffee(), (320, 320), interpolation=cv2.INTER_AREA)


@pytest.mark.shared
@pytest.mark.parametrize("step", [1, 5, 12, 15])
def test_the_cuts_of_a_film_are_found_at_any_rate(recognition: Path, step: int) -> None:
    """30 down to 2 frames a second: an arm, a head swing through the picture, and are no cut."""
    film = list(pictures_of(recognition / "video" / "short_hamilton_clip.mp4"))
    for offset in {0, step // 2}:
        expected = [-(-(cut - offset) // step) for cut in HAMILTON]
        assert starts(film[offset::step]) == expected


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["head_pose_female.gif", "asl_again.mkv", "faceapi_test_video.mp4"]
)
@pytest.mark.parametrize("step", [1, 5])
def test_a_film_of_one_scene_has_no_cut(recognition: Path, name: str, step: int) -> None:
    film = list(pictures_of(recognition / "video" / name))
    assert len(film[::step]) > 0
    assert starts(film[::step]) == []


@pytest.mark.shared
def test_cuts_between_people_are_found(recognition: Path) -> None:
    """Portraits in the middle of the picture, each before a place of its own: the hardest cuts."""
    folder = recognition / "lfw_dev"
    photos = [Image.from_array(cv2.imread(str(p)), "bgr").pixels for p in _one_each(folder)[:120]]
    found = starts(photos)
    assert len(found) >= 0.97 * (len(photos) - 1)


def _one_each(folder: Path) -> list[Path]:
    people = {path.parent.name: path for path in sorted(folder.rglob("*.jpg"), reverse=True)}
    return [people[name] for name in sorted(people)]


def test_a_cut_is_told_once_at_its_first_frame(scene: ByteArray, other: ByteArray) -> None:
    assert starts([scene, scene, other, other, scene, scene]) == [2, 4]


def moved(x: float, zoom: float = 1.0) -> Callable[[ByteArray], ByteArray]:
    def change(picture: ByteArray) -> ByteArray:
        tall, wide = picture.shape[:2]
        middle = (1 - zoom) / 2
        matrix = np.array([[zoom, 0, x * wide + middle * wide], [0, zoom, middle * tall]])
        return cv2.warpAffine(picture, matrix, (wide, tall), borderMode=cv2.BORDER_REFLECT)

    return change


def light(gain: float, offset: float = 0.0) -> Callable[[ByteArray], ByteArray]:
    return lambda picture: np.clip(picture * gain + offset, 0, 255).astype(np.uint8)


def face_before(picture: ByteArray) -> ByteArray:
    """Another's face fills the middle, as of somebody who walks close by."""
    from skimage import data

    near = picture.copy()
    near[100:290, 180:310] = cv2.resize(data.astronaut()[0:200, 150:290], (130, 190))
    return near


CHANGES: dict[str, Callable[[ByteArray], ByteArray]] = {
    "pan": moved(0.18),
    "zoom": moved(0, 1.15),
    "back": moved(0, 0.88),
    "flash": light(2.2, 40),
    "dark": light(0.25),
    "blur": lambda picture: cv2.GaussianBlur(picture, (0, 0), 5),
    "noise": lambda picture: np.clip(
        picture + np.random.default_rng(0).normal(0, 25, picture.shape), 0, 255
    ).astype(np.uint8),
    "close": face_before,
    "gray": lambda picture: np.repeat(picture.mean(axis=2, keepdims=True), 3, 2).astype(np.uint8),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_happens_in_a_scene_is_no_cut(name: str, scene: ByteArray, other: ByteArray) -> None:
    for picture in (scene, other):
        assert starts([picture, picture, CHANGES[name](picture), picture]) == []


def test_a_frame_that_shows_nothing_is_passed_over(scene: ByteArray, other: ByteArray) -> None:
    for level in (0, 128, 255):
        nothing = np.full_like(scene, level)
        assert starts([scene, nothing, nothing, scene]) == []
        assert starts([scene, nothing, nothing, other]) == [3]
        assert starts([nothing, nothing, scene]) == []


def test_gray_films_have_cuts_too(scene: ByteArray, other: ByteArray) -> None:
    gray = CHANGES["gray"]
    assert starts([gray(scene), gray(scene), gray(other), gray(other)]) == [2]
    assert starts([gray(scene), gray(moved(0.15)(scene)), gray(light(2.0)(scene))]) == []


def test_a_picture_of_another_shape_begins_a_scene(scene: ByteArray) -> None:
    assert starts([scene, scene[:200], scene[:200]]) == [1]
    assert starts([scene, cv2.resize(scene, (640, 640))]) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (900, 2), (16, 16), (5000, 40)])
def test_any_size_of_picture_is_ordinary(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    film = [rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(3)]
    assert set(starts(film)) <= {1, 2}
