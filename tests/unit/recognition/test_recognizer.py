"""Photos in, in order, whatever is wrong with some; the cache; two photos compared."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.errors import (
    BadArray,
    GalleryBusy,
    InputError,
    NoCalibration,
    NoFace,
    UnreadableImage,
    UnsupportedImage,
)
from facelign.gallery.cache import VectorCache
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores.memory import MemoryStore
from facelign.imaging.read import Limits
from facelign.imaging.write import write
from facelign.models.weights.store import Store
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer, Stage, Walk
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.image import Image

pytestmark = pytest.mark.weights


def test_every_form_of_a_photo_gives_the_same_vectors(
    recognizer: Recognizer, photo: Path, portrait: Image
) -> None:
    wanted = recognizer.analyze(portrait).embeddings
    assert wanted is not None
    assert len(wanted) == 1
    data = photo.read_bytes()
    with Pillow.open(photo) as picture:
        picture.load()
    forms = (str(photo), photo, data, bytearray(data), memoryview(data), io.BytesIO(data), picture)
    for form in forms:
        found = recognizer.analyze(form).embeddings
        assert found is not None
        np.testing.assert_array_equal(found.vectors, wanted.vectors)
    with pytest.raises(BadArray, match="RGB or BGR"):
        recognizer.analyze(portrait.pixels)


@pytest.mark.parametrize("thing", [None, 3, [], ["a.jpg"], ("a.jpg",), iter(["a.jpg"]), {}, object])
def test_what_is_no_photo_is_refused_in_words(recognizer: Recognizer, thing: Any) -> None:
    gallery = PhotoGallery(Gallery(MemoryStore()), recognizer)
    for call in (
        recognizer.read,
        recognizer.find,
        recognizer.align,
        recognizer.whole,
        recognizer.analyze_one,
        gallery.identify,
        lambda thing: recognizer.verify(thing, "a.jpg"),
    ):
        with pytest.raises(UnreadableImage, match=r"is no photo|nothing that a photo") as caught:
            call(thing)
        assert caught.value.hint


@pytest.mark.parametrize("thing", [None, 3, object])
def test_what_is_neither_one_photo_nor_several(recognizer: Recognizer, thing: Any) -> None:
    gallery = PhotoGallery(Gallery(MemoryStore()), recognizer)
    for call in (
        recognizer.analyze,
        lambda thing: gallery.enroll("Eileen", thing),
        lambda thing: list(gallery.identify_many(thing)),
        lambda thing: list(recognizer.stream(thing)),
    ):
        with pytest.raises(UnreadableImage, match=r"is no photo|nothing that a photo"):
            call(thing)


def test_one_photo_where_several_are_asked_for(recognizer: Recognizer, photo: Path) -> None:
    gallery = PhotoGallery(Gallery(MemoryStore()), recognizer)
    for one in (photo, str(photo), photo.read_bytes()):
        for call in (recognizer.stream, gallery.identify_many):
            with pytest.raises(InputError, match="Several photos are asked for") as caught:
                list(call(one))  # type: ignore[operator]
            assert caught.value.hint == "Pass a list: [photo]."


def test_several_photos_come_as_whatever_gives_them(recognizer: Recognizer, photo: Path) -> None:
    for photos in ([photo], (photo,), iter([photo]), {photo: "a key"}):
        (found,) = recognizer.analyze(photos)
        assert len(found.faces) == 1
        with PhotoGallery(Gallery(MemoryStore()), recognizer) as gallery:
            again = [photo] if hasattr(photos, "__next__") else photos
            (added,) = gallery.enroll("Eileen", again)
            assert added.enrolled


def test_the_limits_are_those_of_every_photo(weights: Store, photo: Path) -> None:
    small = Recognizer(store=weights, limits=Limits(pixels=1000))
    with pytest.raises(UnsupportedImage, match="million pixels"):
        small.analyze(photo)
    (failed,) = small.analyze([photo])
    assert isinstance(failed.error, UnsupportedImage)


def test_a_stream_keeps_the_order_and_records_what_failed(
    recognizer: Recognizer, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    photos = [photo, tmp_path / "broken.jpg", tmp_path / "gone.jpg", photo, photo]
    counts: list[int] = []
    found = list(recognizer.stream(photos, done=counts.append))
    assert [a.photo.source for a in found] == [str(p) for p in photos]
    assert [a.error is None for a in found] == [True, False, False, True, True]
    assert all(isinstance(found[i].error, UnreadableImage) for i in (1, 2))
    assert sum(counts) == 5
    assert all(a.image is None and not a.chips for a in found), "memory stays flat"
    with pytest.raises(UnreadableImage):
        recognizer.analyze(tmp_path / "gone.jpg")


def test_jobs_carry_what_they_are_for(recognizer: Recognizer, photo: Path, tmp_path: Path) -> None:
    jobs = [("Ada", photo), ("Bob", tmp_path / "gone.jpg"), ("Cem", photo)]
    asked = []

    def known(person: str, digest: str) -> bool:
        asked.append((person, len(digest)))
        return person == "Cem"

    found = dict(recognizer.carry(jobs, known=known))
    assert list(found) == ["Ada", "Bob", "Cem"]
    ada, bob, cem = found.values()
    assert isinstance(ada, Analysis)
    assert isinstance(bob, Analysis)
    assert bob.error is not None
    assert cem == PhotoInfo(str(photo), ada.photo.digest, (0, 0)), "known, so not looked at"
    assert sorted(asked) == [("Ada", 64), ("Cem", 64)]


@pytest.mark.parametrize("until", list(Stage))
def test_a_photo_is_carried_as_far_as_is_asked(
    recognizer: Recognizer, photo: Path, until: Stage
) -> None:
    (found,) = recognizer.stream([photo], until=until, keep=True)
    assert len(found.faces) == 1
    assert bool(found.chips) == (until >= Stage.ALIGN)
    assert (found.embeddings is not None) == (until is Stage.EMBED)
    assert found.image is not None


def test_step_by_step_is_the_whole_walk(recognizer: Recognizer, portrait: Image) -> None:
    found = recognizer.find(portrait)
    assert found.embeddings is None
    aligned = recognizer.align(portrait)
    whole = recognizer.analyze(portrait)
    for steps in (recognizer.embed(found), recognizer.embed(aligned)):
        assert steps.embeddings is not None
        assert whole.embeddings is not None
        np.testing.assert_array_equal(steps.embeddings.vectors, whole.embeddings.vectors)
    nobody = recognizer.embed(replace(found, faces=found.faces[:0]))
    assert nobody.embeddings is not None
    assert nobody.embeddings.vectors.shape == (0, recognizer.space.dim)
    with pytest.raises(InputError, match="not kept"):
        recognizer.embed(found.without_pixels())


def test_a_photo_itself_may_be_embedded(recognizer: Recognizer, portrait: Image) -> None:
    whole = recognizer.analyze(portrait)
    at_once = recognizer.embed(portrait)
    assert whole.embeddings is not None
    assert at_once.embeddings is not None
    assert np.array_equal(at_once.embeddings.vectors, whole.embeddings.vectors)
    with pytest.raises(InputError, match="A list is no photo"):
        recognizer.embed([portrait])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="A Faces is no photo"):
        recognizer.embed(at_once.faces)  # type: ignore[arg-type]


def test_the_cache_answers_for_files_and_never_for_a_photo_turned_by_hand(
    weights: Store, photo: Path, tmp_path: Path
) -> None:
    with VectorCache(tmp_path / "v.db") as cache:
        recognizer = Recognizer(store=weights, workers=1, cache=cache)
        image = recognizer.read(photo)
        turned = recognizer.analyze(image.turned(90))
        assert turned.photo.digest == image.digest
        assert cache.info().entries == 0, "its vectors are not those of the file"
        recognizer.analyze(image)
        assert cache.info().entries == 1
        again = recognizer.analyze(photo)
        assert again.cached
        assert again.photo.source == str(photo)
        whole = recognizer.whole(photo)
        assert cache.info().entries == 2, "a photo taken whole is another entry"
        assert not whole.cached
        assert recognizer.whole(photo).cached
        other = Recognizer(store=weights, workers=1, cache=cache, flip=True)
        assert not other.analyze(photo).cached, "another chain"


def test_a_whole_photo_is_the_chip_that_was_cut(recognizer: Recognizer, portrait: Image) -> None:
    aligned = recognizer.align(portrait)
    chip = Image.from_array(aligned.chips[0].pixels[0], "rgb")
    whole, wanted = recognizer.whole(chip).embeddings, recognizer.embed(aligned).embeddings
    assert whole is not None
    assert wanted is not None
    np.testing.assert_allclose(whole.vectors, wanted.vectors, atol=1e-5)
    ((_, streamed),) = recognizer.carry([(1, chip)], Walk(whole=True))
    assert isinstance(streamed, Analysis)
    assert streamed.embeddings is not None
    np.testing.assert_array_equal(streamed.embeddings.vectors, whole.vectors)


def test_two_photos_of_one_person_match(
    recognizer: Recognizer, portrait: Image, tmp_path: Path
) -> None:
    mirrored = Image.from_array(np.ascontiguousarray(portrait.pixels[:, ::-1]), "rgb", "mirror")
    result = recognizer.compare(portrait, mirrored)
    assert result.decision.is_match
    assert (result.face_a, result.face_b) == (0, 0)
    assert result.decision.threshold.fmr == 1e-3
    strict = recognizer.verify(portrait, mirrored, threshold=0.999)
    assert not strict.is_match
    assert strict.threshold.source == "given by the caller"
    assert strict.score == result.decision.score
    blank = tmp_path / "blank.png"
    write(blank, np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(NoFace, match=r"blank\.png"):
        recognizer.verify(portrait, blank)


def test_a_space_without_evidence_says_so(weights: Store) -> None:
    odd = Recognizer(store=weights, workers=1, flip=True)
    with pytest.raises(NoCalibration, match="uncalibrated") as info:
        Recognizer(
            store=weights, workers=1, options=replace(odd.chain.options, preprocessing="clahe")
        ).threshold()
    assert "--" not in info.value.hint


def test_an_error_of_whoever_is_asked_is_not_taken_for_one_of_the_photo(
    recognizer: Recognizer, photo: Path
) -> None:
    def busy(person: str, digest: str) -> bool:
        raise GalleryBusy("Another process holds the lock.")

    with pytest.raises(GalleryBusy):
        list(recognizer.carry([("Ada", photo)], known=busy))
