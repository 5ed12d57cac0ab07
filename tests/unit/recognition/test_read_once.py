"""A file is opened, hashed, decoded and prepared once, or less often."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelign.datasets.records import Photo
from facelign.errors import Refused
from facelign.gallery.cache import VectorCache
from facelign.imaging import read as reading
from facelign.lab.material.photos import Embedded, embed_together
from facelign.models.weights.store import Store
from facelign.recognition.options import ChainOptions, EnrollOptions, IdentifyOptions
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.types.decisions import SearchThreshold, Threshold
from facelign.types.image import Image

pytestmark = pytest.mark.weights


@dataclass
class Counts:
    """How often each thing was done to files of a folder."""

    folder: str = ""
    opened: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)

    def taken(self) -> dict[str, int]:
        """Return what was counted since the last time."""
        most = max(self.opened.values(), default=0)
        told = {"opened": most, **{k: self.done[k] for k in ("hashed", "decoded", "prepared")}}
        self.opened.clear()
        self.done.clear()
        return told


COUNTS = Counts()


def _watch(event: str, args: tuple[Any, ...]) -> None:
    # an audit hook stays for the life of the process: it looks at one folder, or at nothing
    if COUNTS.folder and event == "open" and str(args[0]).startswith(COUNTS.folder):
        COUNTS.opened[str(args[0])] += 1


sys.addaudithook(_watch)


@pytest.fixture
def counts(photo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    def spied(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            COUNTS.done[name] += 1
            return real(*args, **more)

        return call

    monkeypatch.setattr(reading, "digest", spied("hashed", reading.digest))
    monkeypatch.setattr(reading, "decode", spied("decoded", reading.decode))
    COUNTS.folder = str(photo)
    COUNTS.taken()
    yield COUNTS
    COUNTS.folder = ""


class Counted:
    """Preprocessing that counts itself."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.id = real.id

    def apply(self, image: Image) -> Image:
        COUNTS.done["prepared"] += 1
        prepared: Image = self.real.apply(image)
        return prepared


def recognizer_of(weights: Store, cache: VectorCache | None = None) -> Recognizer:
    options = ChainOptions(preprocessing="gamma=1.2")
    made = Recognizer(store=weights, workers=1, cache=cache, options=options)
    made.chain.finder.preprocessing = Counted(made.chain.finder.preprocessing)  # type: ignore[assignment]
    return made


ONCE = {"opened": 1, "hashed": 1, "decoded": 1, "prepared": 1}
READ = {"opened": 1, "hashed": 1, "decoded": 0, "prepared": 0}


@pytest.mark.parametrize("cached", [False, True])
def test_embedding(
    weights: Store, photo: Path, tmp_path: Path, counts: Counts, cached: bool
) -> None:
    cache = VectorCache(tmp_path / "cache.db") if cached else None
    recognizer = recognizer_of(weights, cache)
    first = next(recognizer.stream([photo]))
    assert counts.taken() == ONCE
    again = next(recognizer.stream([photo]))
    assert counts.taken() == (READ if cached else ONCE), "a cached photo is not decoded"
    assert again.cached is cached
    assert first.embeddings is not None
    assert again.embeddings is not None
    assert (first.embeddings.vectors == again.embeddings.vectors).all()
    assert again.photo == first.photo
    raw = photo.read_bytes()
    counts.taken()
    assert recognizer.analyze(raw).cached is cached, "bytes are known by their digest too"
    assert counts.taken()["opened"] == 0


@pytest.mark.parametrize("cached", [False, True])
def test_enrolling_and_identifying(
    weights: Store, photo: Path, tmp_path: Path, counts: Counts, cached: bool
) -> None:
    cache = VectorCache(tmp_path / "cache.db") if cached else None
    with PhotoGallery(tmp_path / "people.db", recognizer_of(weights, cache)) as gallery:
        (result,) = gallery.enroll("Ada", photo)
        assert result.enrolled
        assert counts.taken() == ONCE
        (again,) = gallery.enroll("Ada", photo)
        assert (again.enrolled, again.reason) == (False, "already enrolled")
        assert counts.taken() == READ, "who is enrolled already is not looked at"
        (forced,) = gallery.enroll("Ada", photo, EnrollOptions(force=True))
        assert forced.reason == "already enrolled"
        assert counts.taken() == (READ if cached else ONCE)
        limit = SearchThreshold(Threshold(0.3, None, "by hand"), 0.0, 1, False)
        gallery.identify(photo, IdentifyOptions(threshold=limit))
        assert counts.taken() == (READ if cached else ONCE)


def test_finding_and_going_on(weights: Store, photo: Path, counts: Counts) -> None:
    recognizer = recognizer_of(weights)
    found = recognizer.find(photo)
    vectors = recognizer.embed(found).embeddings
    assert counts.taken() == ONCE
    whole = recognizer.analyze(photo).embeddings
    assert vectors is not None
    assert whole is not None
    assert (vectors.vectors == whole.vectors).all()


def test_several_chains_over_the_same_photos(weights: Store, photo: Path, counts: Counts) -> None:
    """As a comparison walks: each file is read and decoded once, faces are looked for once."""
    alone = [next(recognizer_of(weights).stream([photo])) for _ in range(2)]
    plain = [recognizer_of(weights) for _ in range(2)]
    counts.taken()
    together = embed_together(plain, [Photo(photo, "Ada")])
    assert counts.taken() == ONCE
    for one, found in zip(alone, together, strict=True):
        assert isinstance(found, Embedded)
        assert one.embeddings is not None
        np.testing.assert_array_equal(found.named.vectors, one.embeddings.vectors)
    assert [recognizer.looks for recognizer in plain] == [None, None]


def test_what_fails_for_one_chain_is_told_and_the_others_go_on(
    weights: Store, photo: Path, tmp_path: Path
) -> None:
    lost, there = Photo(tmp_path / "none.jpg", "Ada"), Photo(photo, "Ada")
    narrow = recognizer_of(weights)
    narrow.limits = replace(narrow.limits, pixels=100)
    first, second = embed_together([recognizer_of(weights), narrow], [lost, there])
    assert isinstance(first, Embedded)
    assert first.rows.tolist() == [-1, 0]
    assert isinstance(second, Refused), "another limit is another look"
