"""Photos and pairs: each is there, with the truth of its list and the score of its vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelign.compare.pairs import Failures
from facelign.datasets.records import Pair, PairList, Photo
from facelign.errors import ConfigError, Refused
from facelign.lab.material import trials as pairing
from facelign.lab.material.named import Named
from facelign.lab.material.photos import Embedded, Failure
from facelign.lab.material.trials import Trials
from facelign.types.embeddings import Metric, Space

SPACE = Space("made/up/five", 8, Metric.COSINE, unit=True)

#: makes trials, vectors or pairs (conftest)
Made = Callable[..., Any]


def _embedded(people: str = "aabbcc", lost: tuple[int, ...] = (4,)) -> Embedded:
    """Photos of people, one letter each; those of ``lost`` have no vector."""
    rng = np.random.default_rng(3)
    rows, vectors, kept = np.full(len(people), -1), [], []
    for i, person in enumerate(people):
        if i not in lost:
            rows[i] = len(vectors)
            vector = rng.normal(size=8)
            vectors.append(vector / np.linalg.norm(vector))
            kept.append(person)
    photos = tuple(Photo(Path(f"{p}/{p}{i}.jpg"), p) for i, p in enumerate(people))
    heights = np.linspace(50, 100, len(kept))
    digests = tuple(f"d{i}" for i in range(len(people)) if i not in lost)
    named = Named(SPACE, np.array(vectors, np.float32), tuple(kept), heights, digests)
    failures = tuple(Failure(str(photos[i].path), "no face") for i in lost)
    return Embedded(named, rows, photos, failures, (), ((0.0, 0.0, 1.0, 1.0),) * len(kept))


def test_all_pairs_by_a_plain_loop() -> None:
    embedded = _embedded()
    trials = Trials.among(embedded.photos, "made")
    pairs = trials.scored(embedded)
    at = 0
    for i in range(6):
        for j in range(i + 1, 6):
            assert (trials.a[at], trials.b[at]) == (i, j)
            assert pairs.same[at] == (embedded.photos[i].person == embedded.photos[j].person)
            assert pairs.failed[at] == (4 in (i, j))
            if not pairs.failed[at]:
                rows = embedded.rows[[i, j]]
                a, b = embedded.named.vectors[rows]
                assert pairs.scores[at] == pytest.approx(float(a @ b), abs=1e-6)
            at += 1
    assert at == len(pairs)


def test_listed_pairs_keep_folds_people_and_failures() -> None:
    embedded = _embedded()
    path = [photo.path for photo in embedded.photos]
    listed = PairList(
        "list",
        (
            Pair(path[0], path[1], True, 0, 1, "a", "a"),
            Pair(path[2], path[4], False, 0, 2, "b", "c"),
            Pair(path[1], path[3], False, 1, 3, "a", "b"),
            Pair(Path("gone.jpg"), path[3], False, 1, 4, "z", "b"),
        ),
    )
    trials = Trials.of_list(listed, photos=embedded.photos)
    rows = np.append(embedded.rows, -1)  # of the photo that is not there
    pairs = trials.scored(replace(embedded, rows=rows, photos=trials.photos))
    assert trials.people == ("a", "b", "c", "z")
    assert Trials.of_list(listed, people=["z", "b"]).people == ("z", "b", "a", "c")
    assert pairs.failed.tolist() == [False, True, False, True]
    assert pairs.folds.tolist() == [0, 0, 1, 1]
    assert (pairs.a == pairs.b).tolist() == [True, False, False, False]
    assert len(pairs.counted(Failures.LEFT_OUT)) == 2
    # decided "different": below every score that there is
    counted = pairs.counted(Failures.DIFFERENT)
    assert counted.scores[[1, 3]].max() < counted.scores[[0, 2]].min()


def test_more_photos_than_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "MOST_PHOTOS", 5)
    with pytest.raises(Refused, match="6 photos do not fit"):
        Trials.among(_embedded().photos, "made")


def test_groups_of_pairs() -> None:
    trials = Trials.among(_embedded().photos, "made")
    labels = trials.group_labels({"a": "x", "b": "x", "c/c5.jpg": "y", "c4.jpg": "x"})
    by_photos = {
        (int(i), int(j)): label for i, j, label in zip(trials.a, trials.b, labels, strict=True)
    }
    assert by_photos[0, 2] == "x"  # two people of one group
    assert by_photos[0, 5] == ""  # of two groups
    assert by_photos[0, 4] == "x"  # by file name
    with pytest.raises(ConfigError):
        trials.group_labels({"nobody": "x"})


def test_heights_and_losses_follow_the_rows() -> None:
    embedded = _embedded()
    held = embedded.named.heights
    assert held is not None
    for photo, (row, height) in enumerate(zip(embedded.rows, embedded.heights, strict=True)):
        assert np.isnan(height) if row < 0 else height == held[row]
        assert embedded.lost[photo] == (photo == 4)
    unknown = replace(embedded, named=replace(embedded.named, heights=None))
    assert np.isnan(unknown.heights).all()


def test_one_kind_of_pairs_is_refused() -> None:
    alone = Trials.among(_embedded("aaa", lost=()).photos, "made")
    with pytest.raises(Refused, match="3 mated and 0 non-mated"):
        alone.of_both_kinds()
    both = Trials.among(_embedded().photos, "made")
    assert both.of_both_kinds() is both
    assert both.to_dict() == {
        "set": "made", "photos": 6, "subjects": 3, "pairs": 15, "mated": 3, "non_mated": 12,
        "folds": 1,
    }  # fmt: skip


def test_digests_name_photos_and_pairs(tmp_path: Path) -> None:
    embedded = _embedded()
    trials = Trials.among(embedded.photos, "made")
    assert trials.digest_of(embedded) == embedded.named.digest
    listed = replace(trials, listed=True)
    assert listed.digest_of(embedded) != trials.digest_of(embedded)
    other = replace(listed, folds=listed.folds + 1)
    assert other.digest_of(embedded) != listed.digest_of(embedded)
    file = tmp_path / "a.jpg"
    file.write_bytes(b"one")
    on_disk = Trials.among([Photo(file, "a"), Photo(tmp_path / "gone.jpg", "b")], "made")
    before = on_disk.digest()
    file.write_bytes(b"two")
    assert on_disk.digest() != before


def test_scores_of_trials_are_cosines_whichever_way_they_are_made(
    people: Made, vectors: Made
) -> None:
    trials = people(6, 3)
    held = vectors(trials, 0.5)
    held[2] = 0  # a photo without a face
    unit = held / np.maximum(np.linalg.norm(held, axis=1, keepdims=True), 1e-12)
    expected = np.einsum("nd,nd->n", unit[trials.a], unit[trials.b])
    there = (trials.a != 2) & (trials.b != 2)
    scores = trials.scores(held, Metric.COSINE)
    np.testing.assert_allclose(scores[there], expected[there], atol=1e-9)
    assert scores[~there].max() < scores[there].min()
    few = PairList(
        "few",
        tuple(
            Pair(trials.photos[i].path, trials.photos[j].path, bool(s), fold % 2, fold, "", "")
            for fold, (i, j, s) in enumerate(
                zip(trials.a[::9], trials.b[::9], trials.same[::9], strict=True)
            )
        ),
    )
    listed = Trials.of_list(few)
    place = {photo.path: k for k, photo in enumerate(trials.photos)}
    rows = [place[photo.path] for photo in listed.photos]
    scores = listed.scores(held[rows], Metric.COSINE)
    np.testing.assert_allclose(scores[there[::9]], expected[::9][there[::9]], atol=1e-9)
    assert (listed.person_a == listed.person_b).tolist() == listed.same.tolist()


def test_sets_are_called_after_their_folder(tmp_path: Path) -> None:
    assert pairing.set_name(tmp_path / "lfw" / "images") == "lfw"
    assert pairing.set_name(tmp_path / "family") == "family"
