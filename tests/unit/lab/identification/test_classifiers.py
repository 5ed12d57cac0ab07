"""Classifiers over enrolled vectors: the same names as scikit-learn, saved and read again."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.svm import LinearSVC

from facelign.compare.classifiers import NameClassifier
from facelign.errors import ConfigError, GalleryError, Refused, SpaceMismatch
from facelign.gallery.gallery import Gallery
from facelign.lab.identification import classifiers
from facelign.lab.material.named import Named
from facelign.lab.material.sources import of_gallery
from facelign.types.embeddings import Metric, Space
from facelign.types.policies import ClassifierRule as Rule

UNIT = Space("made-up/unit", 16, Metric.COSINE, unit=True)
PLAIN = Space("made-up/plain", 16, Metric.EUCLIDEAN, unit=False)


def _people(space: Space, people: int, each: int, seed: int = 3) -> tuple[Named, np.ndarray]:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(people, 16))
    rows = np.repeat(centers, each, axis=0) + 0.8 * rng.normal(size=(people * each, 16))
    probes = np.repeat(centers, 20, axis=0) + 0.8 * rng.normal(size=(people * 20, 16))
    if space.unit:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    names = tuple(f"person {i:02d}" for i in np.repeat(np.arange(people), each))
    return Named(space, rows.astype(np.float32), names), probes.astype(np.float32)


@pytest.mark.parametrize("space", [UNIT, PLAIN], ids=["unit", "plain"])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_neighbors_vote_as_in_scikit_learn(space: Space, k: int) -> None:
    named, probes = _people(space, 7, 6)
    said = classifiers.fit(named, Rule.KNN, k=k).answers(probes)
    other = KNeighborsClassifier(k).fit(named.vectors, named.codes)
    places = other.kneighbors(probes, return_distance=False)
    votes = np.sort(np.stack([np.bincount(named.codes[p], minlength=7) for p in places]), axis=1)
    clear = votes[:, -1] > votes[:, -2]  # with a tie scikit-learn takes the smallest number
    assert clear.mean() > 0.5
    assert (said == other.predict(probes))[clear].all()


def test_of_equal_votes_the_nearest_wins() -> None:
    rows = np.eye(4, 16, dtype=np.float32)
    named = Named(PLAIN, rows, ("b", "a", "c", "d"))
    probe = np.zeros((1, 16), np.float32)
    probe[0, :4] = (0.9, 0.3, 0.2, 0.1)
    assert classifiers.fit(named, Rule.KNN, k=3).names(probe) == ["b"]


def test_means_and_planes_as_in_scikit_learn() -> None:
    named, probes = _people(PLAIN, 6, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean = NearestCentroid().fit(named.vectors, named.codes)
    assert (classifiers.fit(named, Rule.MEAN).answers(probes) == mean.predict(probes)).all()
    for people in (2, 6):
        part, seen = _people(UNIT, people, 5)
        plane = LinearSVC(dual="auto", random_state=11).fit(
            part.vectors.astype(np.float64), part.codes
        )
        mine = classifiers.fit(part, Rule.SVM, seed=11)
        assert (mine.answers(seen) == plane.predict(seen)).all()
        assert len(mine.table) == people


@pytest.mark.parametrize("rule", list(Rule))
def test_saved_and_read_again(tmp_path, rule: Rule) -> None:
    named, probes = _people(UNIT, 4, 3)
    fitted = classifiers.fit(named, rule, k=3, revision=17)
    fitted.save(tmp_path / "own.npz")
    again = NameClassifier.load(tmp_path / "own.npz")
    assert again.names(probes, UNIT.id) == fitted.names(probes)
    assert (again.people, again.k, again.revision) == (fitted.people, 3, 17)
    assert [p.name for p in tmp_path.iterdir()] == ["own.npz"]
    assert (tmp_path / "own.npz").stat().st_mode & 0o077 == 0
    with pytest.raises(SpaceMismatch, match="made-up/unit"):
        again.answers(probes, PLAIN.id)


def test_a_gallery_knows_of_a_classifier_wherever_it_is_saved(tmp_path, make) -> None:
    path, place = tmp_path / "g.db", tmp_path / "elsewhere" / "own.npz"
    with Gallery.open(path) as gallery:
        for i in range(6):
            make.put(gallery, ["Ada", "Bob"][i % 2], i)
        fitted = classifiers.fit(of_gallery(gallery), Rule.KNN, revision=gallery.revision)
    fitted.save(place)  # after the gallery was closed
    assert NameClassifier.load(place).names(make.vectors(1, 0).vectors) == ["Ada"]
    with Gallery.open(path) as gallery:
        assert [(h.kind, h.path) for h in gallery.holders()] == [("classifier", place)]
        assert gallery.remove("Ada").verified
        assert not place.exists()
        # vectors of somebody who was removed meanwhile are not written any more
        with pytest.raises(GalleryError, match="has changed since its vectors were read"):
            fitted.save(place)
    assert not place.exists()


def test_other_files_are_refused(tmp_path) -> None:
    named, _ = _people(UNIT, 4, 3)
    fitted = classifiers.fit(named, Rule.KNN)
    fitted.save(tmp_path / "own.npz")
    whole = (tmp_path / "own.npz").read_bytes()
    bad = tmp_path / "bad.npz"
    with np.load(tmp_path / "own.npz") as content:
        held = dict(content)
    attempts = [b"", whole[: len(whole) // 2], pickle.dumps({"format": 1})]
    for change in (
        {"format": np.array("other")},
        {"codes": held["codes"] + 1},
        {"table": held["table"][:, :, None]},
        {"table": np.full_like(held["table"], np.nan)},
        {"people": np.array(["one", "one", "two", "three"])},
        {"rule": np.array("tree")},
        {"k": np.array(0)},
        {"people": np.array([{"a": 1}] * 4, dtype=object)},
    ):
        np.savez(bad, **(held | change))
        attempts.append(bad.read_bytes())
    for attempt in attempts:
        bad.write_bytes(attempt)
        with pytest.raises(ConfigError, match=r"bad\.npz is no saved classifier"):
            NameClassifier.load(bad)
    with pytest.raises(ConfigError, match="no saved classifier"):
        NameClassifier.load(tmp_path / "absent.npz")


def test_what_cannot_be_fitted_is_refused() -> None:
    named, _ = _people(UNIT, 1, 3)
    with pytest.raises(Refused, match="at least two people"):
        classifiers.fit(named, Rule.SVM)
    with pytest.raises(Refused, match="no vector"):
        classifiers.fit(named.where(np.zeros(3, bool)), Rule.KNN)


def test_many_people_with_one_photo_each_raise_no_warning() -> None:
    named, _ = _people(UNIT, 12, 1)
    assert classifiers.fit(named, Rule.SVM).names(named.vectors) == list(named.people)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3]))
def test_an_enrolled_vector_is_its_own_person(seed: int, k: int) -> None:
    named, _ = _people(UNIT, 5, 1, seed)
    assert classifiers.fit(named, Rule.KNN, k=k).names(named.vectors) == list(named.people)
