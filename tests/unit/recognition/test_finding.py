"""Faces without an embedder: what is prepared, reduced, turned, and which points fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign.errors import ConfigError, ModelMismatch, Remedy, WeightsMissing
from facelign.models import default
from facelign.models.weights.store import Store
from facelign.recognition.finding import Finder
from facelign.recognition.options import ChainOptions
from facelign.types.image import Image
from facelign.types.policies import Attempts

from .conftest import Corners, Told, faces_of


def test_a_finder_needs_no_embedder(portrait: Image) -> None:
    finder = Finder(Told(faces_of((0, 0), (9, 0))))
    found = finder.find(portrait)
    assert len(found.faces) == 2
    assert found.embeddings is None
    assert len(found.embedded) == len(found.chips) == 0
    assert (found.photo.source, found.photo.digest) == ("portrait", portrait.digest)
    assert found.image is found.prepared is portrait


def test_the_models_see_the_prepared_photo_and_the_original_is_kept(portrait: Image) -> None:
    detector = Told(faces_of((0, 0)))
    found = Finder(detector, options=ChainOptions(preprocessing="gamma=2")).find(portrait)
    assert found.image is portrait
    assert found.prepared is not None
    assert found.prepared.pixels.mean() > portrait.pixels.mean() + 10
    (seen,) = detector.seen
    assert seen is found.prepared


@pytest.mark.parametrize(("factor", "side"), [(2.0, 256), (0.5, 1024), (4.0, 128)])
def test_a_photo_is_reduced_for_the_detector_only(
    portrait: Image, factor: float, side: int
) -> None:
    detector = Told(faces_of((0, 0)))
    found = Finder(detector, options=ChainOptions(downscale=factor)).find(portrait)
    (seen,) = detector.seen
    assert seen.pixels.shape[:2] == (side, side)
    assert seen.size == (512, 512), "boxes stay in the plane of the file"
    assert found.prepared is portrait


def test_a_landmarker_sees_the_photo_as_it_was_turned(portrait: Image) -> None:
    class Sideways(Told):
        def detect(self, image: Image):  # type: ignore[no-untyped-def]
            found = super().detect(image)
            return found if image.turned_deg == 90 else found[:0]

    corners = Corners()
    found = Finder(Sideways(faces_of((0, 0))), corners).find(portrait)
    assert found.turned_deg == 90
    assert found.found_by == "turned-90"
    (seen,) = corners.seen
    assert seen.turned_deg == 90
    assert found.faces.landmarks is not None
    # the upper left corner of the turned box is the lower left one of the photo
    x, y = found.faces.landmarks.points[0, 0]
    assert (x, y) == pytest.approx((found.faces.boxes[0, 0], found.faces.boxes[0, 3]))


def test_no_face_needs_no_landmarker(portrait: Image) -> None:
    corners = Corners()
    finder = Finder(Told(faces_of()), corners, ChainOptions(attempts=Attempts(False, False)))
    assert len(finder.find(portrait).faces) == 0
    assert corners.seen == []


def test_layouts_get_the_best_points_that_are_given() -> None:
    models = default()
    five, box = Finder(Told(faces_of())), Finder(Told(faces_of(), points=False))
    assert (five.points, box.points) == ("five", "box")
    dlib = Finder(Told(faces_of()), Corners())
    assert dlib.points == "dlib-5"
    assert dlib.points_for(models.layout("dlib-150")) == "dlib-5"
    assert five.points_for(models.layout("dlib-150")) == "five"
    assert five.points_for(models.layout("crop")) == "box"
    with pytest.raises(ModelMismatch, match="needs five or ibug-68, but 'haar' gives box") as info:
        box.points_for(models.layout("arcface-112"))
    assert info.value.hint == Remedy.OTHER_POINTS


def test_a_reduction_that_hides_small_faces_is_said() -> None:
    assert Finder(Told(faces_of())).notes == ()
    (note,) = Finder(Told(faces_of()), options=ChainOptions(downscale=8)).notes
    assert "misses faces under about" in note


@pytest.mark.parametrize("factor", [0.0, -1.0, 33.0, float("nan")])
def test_a_reduction_that_cannot_be_meant(factor: float) -> None:
    with pytest.raises(ConfigError, match="downscale"):
        ChainOptions(downscale=factor)


def test_missing_weights_are_all_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"yunet.*dlib-5"):
        Finder.load("yunet", "dlib-5", store=Store(tmp_path))
    with pytest.raises(ConfigError, match="no step"):  # said before weights are looked for
        Finder.load("yunet", options=ChainOptions(preprocessing="x"), store=Store(tmp_path))


@pytest.mark.weights
def test_the_portrait_by_the_model_of_the_default_preset(weights: Store, portrait: Image) -> None:
    finder = Finder.load("yunet", store=weights)
    found = finder.find(portrait)
    assert len(found.faces) == 1
    assert found.attempts == ()
    assert found.faces.landmarks is not None
    np.testing.assert_allclose(
        found.faces.landmarks.points[0], faces_of((0, 0)).landmarks.points[0], atol=6
    )
    assert finder.wants_px == 2000
