"""dlib-5 and dlib-68: dlib's points, to the pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.geometry.boxes import from_xywh
from facelign.landmark.models.dlib_shape import (
    SPECS,
    DlibShape,
    whole_rectangles,
)
from facelign.landmark.regressor import Cascades
from facelign.runtime.onnx import OnnxOptions
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.options import NoOptions


@pytest.fixture(scope="module", params=["dlib-5", "dlib-68"])
def model(request, files) -> DlibShape:
    (spec,) = (s for s in SPECS if s.id == request.param)
    return DlibShape(spec, files.ready[spec.id], NoOptions(), OnnxOptions())


def faces_of(image: Image, rectangles: list[tuple[int, int, int, int]]) -> Faces:
    xywh = [(left, top, r - left + 1, b - top + 1) for left, top, r, b in rectangles]
    boxes = from_xywh(np.array(xywh, np.float32).reshape(-1, 4))
    return Faces(boxes, np.ones(len(boxes), np.float32), None, "test", image.size)


def test_rectangles_come_back_from_boxes() -> None:
    rng = np.random.default_rng(0)
    low = rng.integers(-500, 4000, (200, 2))
    size = rng.integers(2, 2000, (200, 2))
    boxes = from_xywh(np.concatenate([low, size], axis=1))
    assert (whole_rectangles(boxes) == np.concatenate([low, low + size - 1], axis=1)).all()
    narrow = whole_rectangles(np.array([[10.2, 10.2, 10.4, 10.4]], np.float32))
    assert (narrow[:, 2:] > narrow[:, :2]).all()


@pytest.mark.weights
@pytest.mark.shared
def test_points_are_those_of_dlib(model: DlibShape, referee, photos) -> None:
    for image in photos:
        found = referee.hog(image.pixels, 1)
        rectangles = [(r.left(), r.top(), r.right(), r.bottom()) for r in found]
        # a box that leaves the photo, and one that holds no face, are dlib's business too
        rectangles += [(-30, -20, 90, 100), (200, 180, 290, 270)]
        located = model.locate(image, faces_of(image, rectangles))
        assert located.landmarks is not None
        for points, rectangle in zip(located.landmarks.points, rectangles, strict=True):
            _, wanted = referee.points(
                image.pixels, referee.dlib.rectangle(*rectangle), model.scheme.id
            )
            assert (points == wanted).all(), image.source


@pytest.mark.weights
def test_many_faces_together_are_the_same_as_one_by_one(model: DlibShape, portrait) -> None:
    rectangles = [(180 + i, 70 + i % 7, 280 + i, 170 + i % 5) for i in range(40)]
    together = model.locate(portrait, faces_of(portrait, rectangles)).landmarks
    assert together is not None
    for i in (0, 7, 31, 32, 39):
        alone = model.locate(portrait, faces_of(portrait, rectangles[i : i + 1])).landmarks
        assert (alone.points[0] == together.points[i]).all()


@pytest.mark.weights
def test_a_shifted_photo_gives_shifted_points(model: DlibShape, portrait) -> None:
    here = model.locate(portrait, faces_of(portrait, [(180, 70, 280, 170)]))
    moved = Image.from_array(np.pad(portrait.pixels, ((13, 0), (21, 0), (0, 0))), "rgb")
    there = model.locate(moved, faces_of(moved, [(201, 83, 301, 183)]))
    assert (there.landmarks.points == here.landmarks.points + np.array([21, 13])).all()
    assert (here.boxes == faces_of(portrait, [(180, 70, 280, 170)]).boxes).all()


@pytest.mark.weights
def test_points_of_a_reduced_photo_are_in_the_plane_of_the_file(model, portrait) -> None:
    here = model.locate(portrait, faces_of(portrait, [(180, 70, 279, 169)]))
    reduced = Image(portrait.pixels, (1024, 1024), 0.5)
    there = model.locate(reduced, faces_of(reduced, [(360, 140, 559, 339)]))
    np.testing.assert_allclose(there.landmarks.points, (here.landmarks.points + 0.5) * 2 - 0.5)


@pytest.mark.weights
def test_no_face_gives_no_points(model: DlibShape, portrait) -> None:
    located = model.locate(portrait, Faces.none("test", portrait.size))
    assert located.landmarks.points.shape == (0, model.scheme.k, 2)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK not a table")
    with pytest.raises(WeightsCorrupt):
        Cascades(path)
    with path.open("wb") as stream:
        np.savez(stream, initial=np.zeros(10, np.float32))
    with pytest.raises(WeightsCorrupt):
        Cascades(path)
    with path.open("wb") as stream:
        np.savez(stream, initial=np.array([object()], object))
    with pytest.raises(WeightsCorrupt):
        Cascades(path)
