"""Names and comparisons where a living face is asked for: observed, required, not asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign import models
from facelign.errors import ConfigError, ModelMismatch
from facelign.gallery.cache import VectorCache
from facelign.lab.pad.attacks import Species, attack, clip
from facelign.liveness.records import LiveCalibration, SpeciesRate, to_json
from facelign.liveness.temporal import LiveTrack
from facelign.models.weights.store import Store
from facelign.recognition.judging import LiveCheck
from facelign.recognition.options import IdentifyOptions, LiveOptions
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.types.faces import Box
from facelign.types.image import Image
from facelign.types.liveness import LiveDecision
from facelign.types.policies import LiveMode

pytestmark = pytest.mark.weights

REQUIRED = LiveOptions(liveness=LiveMode.REQUIRE)
OBSERVED = LiveOptions(liveness=LiveMode.OBSERVE)
BOX = Box(178, 62, 268, 176)


@pytest.fixture(scope="module")
def recognizer(plain_weights: Store, pulled: Callable[..., Store]) -> Recognizer:
    pulled(*models.default().find("minifasnet"))
    return Recognizer()


@pytest.fixture(scope="module")
def printed(portrait: Image) -> Image:
    return Image.from_array(attack(portrait.pixels, BOX, Species.PRINT, 1), "rgb", "print")


@pytest.fixture
def family(tmp_path: Path, recognizer: Recognizer, portrait: Image) -> Iterator[PhotoGallery]:
    with PhotoGallery(tmp_path / "g.db", recognizer) as made:
        made.enroll("Eileen", [portrait])
        yield made


def test_nobody_asked_nothing_told(family: PhotoGallery, printed: Image) -> None:
    (face,) = family.identify(printed).faces
    assert face.person == "Eileen"
    assert face.live is None
    off = IdentifyOptions(live=LiveOptions())
    assert family.identify(printed, off).faces[0].live is None


def test_an_attack_is_told_and_only_where_required_loses_its_name(
    family: PhotoGallery, portrait: Image, printed: Image
) -> None:
    photos = [portrait, printed]
    seen = list(family.identify_many(photos, IdentifyOptions(live=OBSERVED)))
    assert [found.faces[0].person for found in seen] == ["Eileen", "Eileen"]
    told = [found.faces[0].live for found in seen]
    assert [None if one is None else one.decision for one in told] == [
        LiveDecision.LIVE,
        LiveDecision.ATTACK,
    ]
    held = list(family.identify_many(photos, IdentifyOptions(live=REQUIRED)))
    assert [found.faces[0].person for found in held] == ["Eileen", None]
    answer = held[1].faces[0].answer
    assert answer.reason.startswith("taken for an attack, not a living face: liveness 0.")
    assert answer.candidates[0].person == "Eileen"
    one = family.identify(printed, IdentifyOptions(live=REQUIRED)).faces[0]
    assert one.person is None
    assert one.live is not None


def test_what_was_found_before_is_judged_where_its_pixels_are_kept(
    family: PhotoGallery, recognizer: Recognizer, printed: Image
) -> None:
    found = recognizer.analyze_one(printed)
    options = IdentifyOptions(live=REQUIRED)
    assert family.identify(found, options).faces[0].person is None
    with pytest.raises(ConfigError, match="pixels of print were not kept"):
        family.identify(found.without_pixels(), options)
    # vectors alone say nothing of a living face: nobody looked, and that is no yes
    (blind,) = family.name_faces(found.without_pixels(), options).faces
    assert blind.person is None
    assert "not checked for being a living face: nobody looked" in blind.answer.reason
    assert found.embeddings is not None
    assert family.name(found.embeddings)[0].person == "Eileen"
    assert family.name(found.embeddings, options=options)[0].person is None


def test_a_face_that_cannot_be_judged_is_not_checked_and_gets_no_name(
    family: PhotoGallery, portrait: Image
) -> None:
    small = np.asarray(Pillow.fromarray(portrait.pixels).resize((125, 125)))
    image = Image.from_array(small, "rgb")
    loose = replace(IdentifyOptions(live=REQUIRED), min_height=0.0)
    (face,) = family.identify(image, loose).faces
    assert face.live is not None
    assert face.live.decision is LiveDecision.NOT_CHECKED
    assert face.person is None
    assert "not checked for being a living face: too small: 2" in face.answer.reason


def test_alike_is_not_the_same_where_one_is_a_print(
    recognizer: Recognizer, portrait: Image, printed: Image
) -> None:
    held = recognizer.compare(portrait, printed, live=REQUIRED)
    assert held.decision.is_match
    assert not held.same
    assert held.refusal.startswith("print: taken for an attack")
    seen = recognizer.compare(portrait, printed, live=OBSERVED)
    assert seen.same
    assert not seen.refusal
    assert seen.b.live[0].decision is LiveDecision.ATTACK
    assert recognizer.compare(portrait, printed).b.live == ()


def test_a_recognizer_tells_living_faces_by_itself(
    recognizer: Recognizer, portrait: Image, printed: Image
) -> None:
    assert recognizer.check_live(portrait).live[0].decision is LiveDecision.LIVE
    strict = LiveOptions(liveness_threshold="0.99")
    (told,) = recognizer.check_live(recognizer.find(portrait), strict).live
    assert told.decision is LiveDecision.ATTACK
    other = LiveOptions(liveness_model="minifas-98")
    with pytest.raises(ConfigError, match="neither a score between 0 and 1 nor a file"):
        recognizer.check_live(printed, replace(other, liveness_threshold="high"))


@pytest.mark.parametrize("species", [Species.PRINT, Species.SCREEN])
def test_a_hand_that_shakes_an_instrument_is_one_track(
    recognizer: Recognizer, portrait: Image, species: Species
) -> None:
    track, live = LiveTrack(), LiveTrack()
    for pixels in clip(portrait.pixels, BOX, species, 1, frames=6):
        (told,) = recognizer.check_live(Image.from_array(pixels, "rgb")).live
        held = track.add(told.score)
    assert held is LiveDecision.ATTACK
    for shift in range(6):  # a person sways
        moved = Image.from_array(np.roll(portrait.pixels, 2 * shift, axis=1), "rgb")
        held = live.add(recognizer.check_live(moved).live[0].score)
    assert held is LiveDecision.LIVE


def test_a_gate_that_is_misspelled_is_refused() -> None:
    assert LiveOptions(liveness="require") == REQUIRED  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="liveness 'required' cannot be meant"):
        LiveOptions(liveness="required")  # type: ignore[arg-type]


def test_a_photo_on_its_side_is_judged_upright(recognizer: Recognizer, portrait: Image) -> None:
    (upright,) = recognizer.check_live(portrait).live
    lying = Image.from_array(np.rot90(portrait.pixels), "rgb")
    (turned,) = recognizer.check_live(lying).live
    assert turned.score == pytest.approx(upright.score, abs=0.05)


def test_a_cached_vector_does_not_hide_the_pixels(
    tmp_path: Path, recognizer: Recognizer, portrait: Image, printed: Image
) -> None:
    file = tmp_path / "print.png"
    Pillow.fromarray(printed.pixels).save(file)
    cached = Recognizer(cache=VectorCache(tmp_path / "cache.db"))
    with PhotoGallery(tmp_path / "g.db", cached) as made:
        made.enroll("Eileen", [portrait])
        assert made.identify(file).faces[0].person == "Eileen"  # it is in the cache now
        options = IdentifyOptions(live=REQUIRED)
        assert made.identify(file, options).faces[0].person is None
        assert next(made.identify_many([file], options)).faces[0].person is None


def test_a_calibrated_threshold_brings_its_evidence_and_its_model(
    tmp_path: Path, recognizer: Recognizer, portrait: Image
) -> None:
    record = LiveCalibration(
        id="door", model="minifasnet", detector="yunet", set="door", digest="00", date="2026-11-28",
        target=0.05, threshold=0.95, subjects=12, devices=2, not_checked=0,
        bona_fide=SpeciesRate("bona fide", 240, 12, 0.026, 0.086),
        attacks=(SpeciesRate("print", 240, 12, 0.026, 0.086),), held_out=0.06,
    )  # fmt: skip
    path = tmp_path / "door.json"
    path.write_text(to_json(record), encoding="utf-8")
    check = LiveCheck("minifasnet", path)
    assert check.threshold.score == 0.95
    assert "APCER 5.0 % (print" in check.threshold.source
    assert check.of(recognizer.find(portrait)).live[0].decision is LiveDecision.ATTACK
    with pytest.raises(ModelMismatch, match="is of liveness model 'minifasnet'"):
        LiveCheck("minifas-98", path)
