"""From photos to vectors: nothing is lost silently."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.compare.pairs import Failures
from facelign.datasets.insightface_bin import BinSet
from facelign.datasets.records import PeopleFolder, Photo
from facelign.errors import Refused
from facelign.lab.material import photos as walk
from facelign.lab.material import sources
from facelign.lab.material.trials import Trials


@pytest.fixture(scope="module")
def recognizer(pulled, tmp_path_factory):  # type: ignore[no-untyped-def]
    from facelign import models as models
    from facelign.gallery.cache import VectorCache
    from facelign.recognition.recognizer import Recognizer
    from facelign.types.specs import Task

    models = models.default()
    store = pulled(models.spec(Task.DETECT, "yunet"), models.spec(Task.EMBED, "sface"))
    cache = VectorCache(tmp_path_factory.mktemp("cache") / "vectors.db")
    return Recognizer(store=store, cache=cache, workers=1)


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> PeopleFolder:  # type: ignore[no-untyped-def]
    from skimage import data

    root = tmp_path_factory.mktemp("people")
    portrait = Pillow.fromarray(data.astronaut())
    pictures = {
        "Eileen/plain.png": portrait,
        "Eileen/sideways.png": portrait.transpose(Pillow.Transpose.ROTATE_90),
        "Cat/chelsea.png": Pillow.fromarray(data.chelsea()),
    }
    for name, picture in pictures.items():
        (root / name).parent.mkdir(exist_ok=True)
        picture.save(root / name)
    (root / "Cat" / "broken.jpg").write_bytes(b"no picture")
    photos = [*pictures, "Cat/broken.jpg"]
    return PeopleFolder(root, tuple(Photo(root / n, n.split("/")[0]) for n in photos))


@pytest.mark.weights
def test_failures_and_fallbacks_are_named(recognizer, people: PeopleFolder) -> None:  # type: ignore[no-untyped-def]
    seen: list[int] = []
    embedded = walk.embed(recognizer, people.photos, done=seen.append)
    assert embedded.rows.tolist() == [0, 1, -1, -1]
    assert [Path(f.photo).name for f in embedded.failures] == ["chelsea.png", "broken.jpg"]
    (fallback,) = embedded.fallbacks
    assert Path(fallback.photo).name == "sideways.png"
    assert "turned" in fallback.reason
    assert sum(seen) == 4
    assert set(embedded.quality) == {"height", "score", "norm"}
    sharp = walk.sharpness(recognizer, embedded)
    assert sharp.shape == (2,)
    assert (sharp > 0.05).all()
    # the second run reads the cache, and gives the very same numbers
    again = walk.embed(recognizer, people.photos)
    np.testing.assert_array_equal(again.named.vectors, embedded.named.vectors)
    assert again.named.digest == embedded.named.digest


@pytest.mark.weights
def test_the_raw_photo_stands_in_and_is_still_a_failure(  # type: ignore[no-untyped-def]
    recognizer, people: PeopleFolder
) -> None:
    embedded = walk.embed(recognizer, people.photos, raw_fallback=True)
    assert embedded.rows.tolist() == [0, 1, 2, -1]  # a broken file has no pixels to give
    reasons = {Path(f.photo).name: f.reason for f in embedded.failures}
    assert reasons["chelsea.png"].startswith("raw photo used")
    pairs = Trials.among(embedded.photos, "made").scored(embedded)
    assert pairs.failed.tolist() == [False, True, True, True, True, True]
    raw = pairs.counted(Failures.RAW).scores
    assert raw[1] != 0.0  # plain against the cat: a score like any other
    assert raw[1] < 0.4


@pytest.mark.weights
def test_nothing_to_measure_is_refused(recognizer, people: PeopleFolder) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused, match="None of 2 photos"):
        walk.embed(recognizer, people.photos[2:])


@pytest.mark.weights
def test_chips_of_a_bin_set_are_embedded_as_they_are(  # type: ignore[no-untyped-def]
    recognizer, people: PeopleFolder
) -> None:
    chip = recognizer.align(people.photos[0].path).chips[0].pixels[0]
    direct = recognizer.analyze(people.photos[0].path).embeddings.vectors[0]
    out = io.BytesIO()
    Pillow.fromarray(chip).save(out, "PNG")
    other = io.BytesIO()
    Pillow.fromarray(chip[:, ::-1].copy()).save(other, "PNG")
    pictures = (out.getvalue(), other.getvalue(), out.getvalue(), b"broken")
    found = BinSet("made", pictures, np.array([True, True]), np.zeros(2, np.int64))
    trials, embedded = sources.of_bin(recognizer, found)
    pairs = trials.scored(embedded)
    assert float(embedded.named.vectors[0] @ direct) > 0.99999
    assert pairs.failed.tolist() == [False, True]
    assert pairs.scores[0] > 0.7  # the same face, mirrored
