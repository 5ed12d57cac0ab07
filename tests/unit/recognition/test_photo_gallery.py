"""A gallery that speaks photos, and names vectors that come from elsewhere."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facelign import models
from facelign.errors import BadArray, ConfigError, GalleryError, InputError, NoFace, SpaceMismatch
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores.memory import MemoryStore
from facelign.imaging.write import write
from facelign.models.weights.store import Store
from facelign.recognition.options import ALREADY, EnrollOptions, IdentifyOptions
from facelign.recognition.photo_gallery import PhotoGallery, open_gallery
from facelign.recognition.presets import PRESETS
from facelign.recognition.recognizer import Recognizer
from facelign.types.decisions import SearchThreshold, Threshold
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.image import Image
from facelign.types.policies import FacePolicy
from facelign.types.templates import FaceRecord, PhotoRef, person_name

pytestmark = pytest.mark.weights


@pytest.fixture
def gallery(tmp_path: Path, recognizer: Recognizer, photo: Path) -> Iterator[PhotoGallery]:
    with open_gallery(tmp_path / "people.db", recognizer, create=True) as opened:
        opened.enroll("Eileen", [photo])
        yield opened


@pytest.fixture
def twice(portrait: Image) -> Image:
    """The portrait, and beside it a copy with a little noise."""
    noise = np.random.default_rng(0).integers(0, 40, portrait.pixels.shape)
    noisy = np.clip(portrait.pixels.astype(int) + noise, 0, 255).astype(np.uint8)
    return Image.from_array(np.concatenate([noisy, portrait.pixels], axis=1), "rgb", "twice")


def test_in_one_photo_a_person_is_named_once(gallery: PhotoGallery, twice: Image) -> None:
    result = gallery.identify(twice)
    assert len(result.faces) == 2
    assert sorted(str(face.person) for face in result.faces) == ["Eileen", "None"]
    (other,) = [face for face in result.faces if face.person is None]
    assert other.answer.reason == "another face of this photo is more like Eileen"
    assert all(face.answer.candidates[0].person == "Eileen" for face in result.faces)
    assert gallery.name_faces(result.analysis).faces[0].answer == result.faces[0].answer


def test_what_was_found_in_a_photo_is_named_and_several_photos_are_refused(
    gallery: PhotoGallery, photo: Path
) -> None:
    whole = gallery.identify(photo)
    assert whole.faces[0].person == "Eileen"
    for found in (gallery.recognizer.find(photo), gallery.recognizer.analyze(photo)):
        (face,) = gallery.identify(found).faces
        assert face.person == "Eileen"
    with pytest.raises(InputError, match=r"A list is no photo.*identify_many"):
        gallery.identify([photo, photo])  # type: ignore[arg-type]


def test_vectors_are_named_as_the_faces_of_a_photo_are(
    gallery: PhotoGallery, portrait: Image
) -> None:
    result = gallery.identify(portrait)
    vectors = result.analysis.embeddings
    assert vectors is not None
    heights = [float(h) for h in result.analysis.faces.heights]
    (answer,) = gallery.name(vectors, heights)
    assert answer == result.faces[0].answer
    assert answer.person == "Eileen"
    (small,) = gallery.name(vectors, [29.0])
    assert (small.person, small.reason) == (None, "too small: 29 px of 30 px needed")
    (unmeasured,) = gallery.name(vectors)
    assert unmeasured.person == "Eileen"
    strict = SearchThreshold(Threshold(1.5, None, "by hand"), 0.0, 1, False)
    (nobody,) = gallery.name(vectors, options=IdentifyOptions(threshold=strict))
    assert nobody.reason == "below the threshold"
    with pytest.raises(BadArray, match="heights"):
        gallery.name(vectors, [1.0, 2.0])
    other = replace(vectors, space=replace(vectors.space, id="other/arcface-112/five"))
    with pytest.raises(SpaceMismatch):
        gallery.name(other)


def test_several_vectors_of_one_person_are_each_named(
    gallery: PhotoGallery, portrait: Image
) -> None:
    vectors = gallery.recognizer.analyze(portrait).embeddings
    assert vectors is not None
    track = vectors[[0, 0, 0]]
    assert [answer.person for answer in gallery.name(track)] == ["Eileen"] * 3
    assert gallery.name(vectors[:0]) == []


def test_a_rejected_photo_is_not_named_so_again(gallery: PhotoGallery, photo: Path) -> None:
    digest = gallery.recognizer.find(photo).photo.digest
    gallery.gallery.reject("Eileen", digest=digest)
    (face,) = gallery.identify(photo).faces
    assert face.person is None


def test_an_empty_gallery_says_so(tmp_path: Path, recognizer: Recognizer, photo: Path) -> None:
    with PhotoGallery(tmp_path / "empty.db", recognizer) as gallery:
        (face,) = gallery.identify(photo).faces
        assert (face.person, face.answer.reason) == (None, "nobody is enrolled")


def test_only_the_face_that_is_asked_for(
    gallery: PhotoGallery, twice: Image, tmp_path: Path
) -> None:
    result = gallery.identify(twice, IdentifyOptions(policy=FacePolicy.LARGEST))
    assert len(result.faces) == 1
    blank = tmp_path / "blank.png"
    write(blank, np.full((64, 64, 3), 90, np.uint8))
    gone = tmp_path / "gone.jpg"
    some = list(gallery.identify_many([blank, gone], IdentifyOptions(policy=FacePolicy.ONLY)))
    assert some[0].faces == ()
    assert some[1].error is not None
    assert not isinstance(some[1].error, NoFace)


def test_a_poor_photo_is_not_enrolled_where_quality_is_wanted(
    tmp_path: Path, recognizer: Recognizer, portrait: Image
) -> None:
    blurred = Image.from_array(cv2.GaussianBlur(portrait.pixels, (0, 0), 9), "rgb", "blurred")
    options = EnrollOptions(quality=0.7)
    with PhotoGallery(tmp_path / "good.db", recognizer) as made:
        good, poor = made.enroll("Eileen", [portrait, blurred], options)
        assert good.enrolled
        assert good.quality is not None
        assert good.quality > 0.7 > (poor.quality or 0)
        assert poor.reason.startswith("too poor: the quality of the face is 0.")
        assert [one.quality for one in made.enroll("Ann", [blurred])] == [None]


def test_people_and_removal(gallery: PhotoGallery) -> None:
    assert [person.name for person in gallery.people()] == ["Eileen"]
    assert gallery.remove("Eileen").verified
    assert gallery.people() == []


def test_a_classifier_of_another_gallery_is_refused(gallery: PhotoGallery, portrait: Image) -> None:
    class Old:
        revision = -1

        def names(self, vectors: Any, space: str) -> list[str]:
            raise AssertionError("never asked")

    vectors = gallery.recognizer.analyze(portrait).embeddings
    assert vectors is not None
    options = IdentifyOptions(classifier=Old())  # type: ignore[arg-type]
    with pytest.raises(GalleryError, match="has changed"):
        gallery.name(vectors, options=options)


def test_a_gallery_that_is_no_file_names_and_enrolls_as_one_that_is(
    recognizer: Recognizer, photo: Path, portrait: Image, gallery: PhotoGallery
) -> None:
    with PhotoGallery(Gallery(MemoryStore()), recognizer) as memory:
        (result,) = memory.enroll("Eileen", photo)
        assert result.enrolled
        (again,) = memory.enroll("Eileen", photo)
        assert again.reason == "already enrolled"
        (face,), (wanted,) = memory.identify(portrait).faces, gallery.identify(portrait).faces
        assert face.answer == wanted.answer
        assert memory.remove("Eileen").templates == 1
        assert memory.people() == []


@pytest.mark.parametrize("name", [unicodedata.normalize("NFD", "José"), "Anna ", "\u200eAnna"])
def test_a_name_is_compared_as_it_is_kept(
    tmp_path: Path, recognizer: Recognizer, portrait: Image, name: str
) -> None:
    with open_gallery(tmp_path / "g.db", recognizer, create=True) as gallery:
        photos = [Image.from_array(edited(portrait, by), "rgb", f"{by}") for by in (0.9, 1, 1.1)]
        done = gallery.enroll(name, photos)
        assert [result.enrolled for result in done] == [True] * 3
        assert {result.person for result in done} == {person_name(name)}
        (again,) = gallery.enroll(name, photos[0])
        assert again.reason == ALREADY
        with pytest.raises(ConfigError, match="control"):
            gallery.enroll("bell\x07", photos[0])


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text there")
def test_photos_whose_names_are_no_text_are_enrolled_and_named(
    tmp_path: Path, recognizer: Recognizer, portrait: Image
) -> None:
    paths = [tmp_path / os.fsdecode(name) for name in (b"caf\xe9.png", b"\xff\xfe.png")]
    for place, by in zip(paths, (1, 1.1), strict=True):
        plain = tmp_path / "plain.png"
        write(plain, edited(portrait, by))
        plain.rename(place)
    with open_gallery(tmp_path / "g.db", recognizer, create=True) as gallery:
        done = gallery.enroll("Eileen", paths, EnrollOptions(consent=os.fsdecode(b"caf\xe9")))
        assert [result.enrolled for result in done] == [True, True]
        kept = gallery.gallery.templates("Eileen")
        assert [info.photo.reference for info in kept] == [
            f"{tmp_path}/caf\\xe9.png",
            f"{tmp_path}/\\xff\\xfe.png",
        ]
        assert kept[0].consent == "caf\\xe9"
        assert gallery.identify(paths[0]).faces[0].person == "Eileen"
        gallery.gallery.reject("Eileen", digest=kept[0].photo.digest, reference=str(paths[0]))
        assert len(gallery.people()) == 1


def test_a_newcomer_is_looked_for_in_the_space_of_another_preset(
    tmp_path: Path, recognizer: Recognizer, portrait: Image, pulled: Callable[..., Store]
) -> None:
    """A gallery that is half of one model and half of another enrolls nobody a second time."""
    registry = models.default()
    weights = pulled(*(registry.spec(*model) for model in PRESETS["fast"].models))
    fast = Recognizer("fast", store=weights, workers=1)
    negative = 255 - portrait.pixels  # its cosine to the portrait is about 0
    other, again = (Image.from_array(p, "rgb", "o") for p in (negative, edited(portrait, 0.9)))
    with open_gallery(tmp_path / "g.db", recognizer, create=True) as gallery:
        assert gallery.enroll("Eileen", portrait)[0].enrolled
        assert gallery.identify(portrait).people_elsewhere == 0
    with open_gallery(tmp_path / "g.db", fast, create=True) as gallery:
        assert gallery.enroll("Otto", other)[0].enrolled, "who is nobody of the others"
        found = gallery.identify(again)
        assert (found.faces[0].person, found.people_elsewhere) == (None, 1)
        (held,) = gallery.enroll("Someone", again)
        assert (held.held, held.reason) == (True, f"looks like Eileen ({portrait.source})")
        assert gallery.enroll("Eileen", again)[0].enrolled, "her own name is no newcomer's"
        assert gallery.identify(again).people_elsewhere == 0


def test_a_newcomer_who_cannot_be_looked_for_is_held_back(
    tmp_path: Path, recognizer: Recognizer, portrait: Image
) -> None:
    space = Space("nobody/crop/box", 4, Metric.COSINE, unit=True)
    vector = Embeddings(np.eye(1, 4, dtype=np.float32), space, np.ones(1, np.float32))
    with open_gallery(tmp_path / "g.db", recognizer, create=True) as gallery:
        gallery.gallery.enroll("Zoe", vector, photo=PhotoRef("z.jpg", "z"), faces=[FaceRecord()])
        (held,) = gallery.enroll("Eileen", portrait)
        assert held.held
        assert held.reason == (
            "may be somebody who is enrolled: 1 person has no template of this preset"
        )
        assert gallery.enroll("Eileen", portrait, EnrollOptions(force=True))[0].enrolled


def edited(portrait: Image, by: float) -> np.ndarray[Any, Any]:
    """Return the pixels of the portrait, lighter or darker."""
    return np.clip(portrait.pixels * by, 0, 255).astype(np.uint8)


def test_a_gallery_that_is_not_there(tmp_path: Path, recognizer: Recognizer) -> None:
    path = tmp_path / "typo.db"
    with pytest.raises(GalleryError, match="There is no gallery"):
        open_gallery(path, recognizer, create=False)
    assert not path.exists()
    with (
        pytest.warns(FutureWarning, match="Say create=True"),
        open_gallery(path, recognizer) as made,
    ):
        assert made.people() == []
    with open_gallery(path, recognizer) as again:  # nothing is said of one that is there
        assert again.people() == []
    with open_gallery(path, recognizer, create=False) as again:
        assert again.people() == []
    with pytest.raises(GalleryError, match="cannot be opened"):
        open_gallery("a\0b", recognizer, create=True)
