"""Identification against plain loops and cases worked by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.compare.scores import score_matrix
from facelign.errors import BadArray, Refused
from facelign.lab.identification import figures as ident
from facelign.lab.identification.classifiers import Classifier, classify
from facelign.lab.identification.galleries import by_gallery_size, by_height
from facelign.lab.identification.searching import (
    Searches,
    Templates,
    galleries,
    media_averaged,
    odd_even,
    search,
)
from facelign.lab.material.named import Named
from facelign.lab.plain import plain
from facelign.lab.statistics.exact import exact_share
from facelign.recognition.options import IdentifyOptions
from facelign.types.embeddings import Metric, Space

SPACE = Space("made/up/five", 16, Metric.COSINE, unit=True)


def _named(people: int = 20, photos: int = 6, seed: int = 0, spread: float = 0.4) -> Named:
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, 16)), photos, axis=0)
    rows = rows + rng.normal(scale=spread, size=rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = tuple(f"p{i:02d}" for i in np.repeat(np.arange(people), photos))
    return Named(SPACE, rows.astype(np.float32), names)


def test_searches_take_the_best_template_of_each_person() -> None:
    named = _named()
    enrolled, probing = odd_even(named)
    gallery, probes = named.where(enrolled), named.where(probing)
    mixed = gallery.where(np.ones(len(gallery.people), bool))
    order = np.random.default_rng(1).permutation(len(mixed.people))
    mixed = Named(SPACE, mixed.vectors[order], tuple(mixed.people[i] for i in order))
    searches = search(mixed, probes)
    scores = score_matrix(probes.vectors, gallery.vectors, "cosine")
    for column, person in enumerate(searches.people):
        own = np.array([p == person for p in gallery.people])
        np.testing.assert_allclose(searches.scores[:, column], scores[:, own].max(axis=1))
    assert [searches.people[m] for m in searches.mate] == list(probes.people)


TABLES = st.integers(2, 5).flatmap(
    lambda p: st.lists(
        st.tuples(
            st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.9]), min_size=p, max_size=p),
            st.integers(-1, p - 1),
        ),
        min_size=1,
        max_size=12,
    )
)


def _searches(table: list) -> Searches:
    scores = np.array([row for row, _ in table])
    people = tuple(f"p{i}" for i in range(scores.shape[1]))
    return Searches(scores, np.array([mate for _, mate in table]), people, len(people))


@given(TABLES, st.sampled_from([0.0, 0.3, 0.4, 0.9, 1.0]))
def test_open_set_by_a_plain_loop(table: list, threshold: float) -> None:
    searches = _searches(table)
    got = ident.open_set(searches, threshold)
    named = missed = misnamed = strangers = enrolled = 0
    for row, mate in table:
        top = max(row)
        if mate < 0:
            strangers += 1
            named += top >= threshold
        else:
            enrolled += 1
            others = [s for i, s in enumerate(row) if i != mate]
            first = all(s < row[mate] for s in others)  # a tie is no first place
            missed += not (first and row[mate] >= threshold)
            misnamed += top >= threshold and row.index(top) != mate
    assert (got.fpir is None) == (strangers == 0)
    if got.fpir:
        assert got.fpir.value == pytest.approx(named / strangers)
        assert got.fpir.low <= got.fpir.value <= got.fpir.high
    if got.fnir and got.misnamed:
        assert got.fnir.value == pytest.approx(missed / enrolled)
        assert got.misnamed.value == pytest.approx(misnamed / enrolled)


@given(TABLES)
def test_open_set_curve_agrees_with_its_points(table: list) -> None:
    searches = _searches(table)
    if not (searches.mate < 0).any() or (searches.mate < 0).all():
        with pytest.raises(BadArray):
            ident.open_set_curve(searches)
        return
    curve = ident.open_set_curve(searches)
    assert (np.diff(curve.fpir) <= 0).all()
    assert (np.diff(curve.fnir) >= 0).all()
    assert (curve.fpir[-1], curve.fnir[-1]) == (0, 1)
    for t, fpir, fnir in zip(curve.thresholds, curve.fpir, curve.fnir, strict=True):
        point = ident.open_set(searches, t)
        assert point.fpir is not None
        assert point.fnir is not None
        assert (point.fpir.value, point.fnir.value) == pytest.approx((fpir, fnir))


def test_cmc_by_hand() -> None:
    searches = _searches([([0.9, 0.5, 0.1], 0), ([0.9, 0.5, 0.1], 1), ([0.9, 0.5, 0.1], 2)])
    np.testing.assert_allclose(ident.cmc(searches, 3), [1 / 3, 2 / 3, 1])
    assert searches.ranks.tolist() == [1, 2, 3]
    tied = _searches([([0.5, 0.5], 0)])
    assert tied.ranks.tolist() == [2]
    with pytest.raises(BadArray):
        ident.cmc(_searches([([0.5, 0.5], -1)]))


def test_odd_and_even_as_the_article_splits() -> None:
    named = _named(people=10, photos=10)
    enrolled, probing = odd_even(named)
    np.testing.assert_array_equal(enrolled, np.arange(100) % 2 != 0)
    np.testing.assert_array_equal(probing, np.arange(100) % 2 == 0)
    single = Named(SPACE, named.vectors[:3], ("a", "b", "b"))
    enrolled, probing = odd_even(single)
    assert enrolled.tolist() == [False, False, True]
    assert probing.tolist() == [False, True, False]


@pytest.mark.parametrize("classifier", list(Classifier))
def test_classifiers_know_well_separated_people(classifier: Classifier) -> None:
    named = _named()
    enrolled, probing = odd_even(named)
    gallery = named.where(enrolled).without(["p00", "p01"])
    probes = named.where(probing)
    found = classify(gallery, probes, 0.6, classifier)
    assert found.right.value > 0.95
    assert found.checked.value <= found.right.value
    assert "named_strangers" not in found.to_dict()  # all of them, by construction: no figure
    assert found.named_strangers_checked is not None
    assert found.named_strangers_checked.value < 0.3
    assert json.dumps(found.to_dict())


def test_the_articles_answer_by_nearest_photo_is_scikit_learns() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    named = _named(spread=1.0)
    enrolled, probing = odd_even(named)
    gallery, probes = named.where(enrolled), named.where(probing)
    model = KNeighborsClassifier(1, metric="euclidean").fit(gallery.vectors, gallery.people)
    want = np.mean(model.predict(probes.vectors) == np.array(probes.people))
    found = classify(gallery, probes, -1.0, Classifier.NEAREST)
    assert found.right.value == pytest.approx(want)
    assert found.checked == found.right


def test_shares_with_exact_intervals() -> None:
    # A3-14: 48 and 49 of 50; the interval of 48 by Clopper and Pearson's tables
    found = exact_share(48, 50)
    assert found.value == 0.96
    assert (found.low, found.high) == pytest.approx((0.8629, 0.9951), abs=1e-4)
    with pytest.raises(BadArray):
        exact_share(0, 0)


def test_template_modes() -> None:
    named = _named(people=3, photos=5, spread=0.1)
    spoiled = np.array(named.vectors)
    spoiled[0] = spoiled[5]  # a wrong photo of p00: it shows p01
    wrong = Named(SPACE, spoiled, named.people)
    right = named.where(np.arange(15) == 2)
    mean, robust = (search(wrong, right, mode) for mode in (Templates.MEAN, Templates.ROBUST))
    assert mean.people == robust.people == ("p00", "p01", "p02")
    assert mean.templates == robust.templates == 3
    assert search(wrong, right).templates == 15
    assert robust.scores[0, 0] > mean.scores[0, 0] + 0.005  # a minority of wrong photos moves less
    own = spoiled[:5].mean(axis=0)
    want = float(right.vectors[0] @ own / np.linalg.norm(own))
    assert mean.scores[0, 0] == pytest.approx(want, abs=1e-6)
    assert [s.index for s in ident.suspects(wrong, 0.5)] == [0]
    assert ident.suspects(named, 0.5) == ()


def test_means_of_raw_vectors_stay_raw() -> None:
    space = Space("d/x/five", 2, Metric.EUCLIDEAN, unit=False)
    named = Named(space, np.array([[2.0, 0.0], [4.0, 0.0]], np.float32), ("a", "a"))
    probe = Named(space, np.array([[3.0, 1.0]], np.float32), ("b",))
    assert search(named, probe, Templates.MEAN).scores.tolist() == [[-1.0]]


def test_faces_that_identify_does_not_name_are_named_by_nobody_here() -> None:
    named = _named(people=6, photos=4, spread=0.1)
    heights = np.where(np.arange(24) % 4 == 0, 29.0, 90.0)
    small = replace(named, heights=heights)
    enrolled, probing = odd_even(small)
    searches = search(small.where(enrolled), small.where(probing))
    plain = search(named.where(enrolled), named.where(probing))
    assert (plain.named(0.5) == plain.mate).all()
    assert searches.heights is not None
    np.testing.assert_array_equal(
        searches.named(0.5), np.where(searches.heights < 30, -1, searches.mate)
    )
    assert (searches.named(0.5, IdentifyOptions(min_height=20)) == searches.mate).all()
    assert ident.open_set(searches, 0.5).enrolled_missed == int((searches.heights < 30).sum()) > 0
    (band, *_) = by_height(small, lambda _n: 0.5, 3)
    assert (band.height, band.fpir.value, band.fnir.value) == ("0-30 px", 0, 1)


def test_pooled_galleries_are_counted_and_not_averaged() -> None:
    few = ident.OpenSet(0.4, 10, strangers=10, strangers_named=1, enrolled=0,
                        enrolled_missed=0, enrolled_misnamed=0)  # fmt: skip
    many = ident.OpenSet(0.6, 21, 990, 0, 3, 2, 1)
    pooled = ident.OpenSet.pooled([few, many])
    assert (pooled.threshold, pooled.templates) == (0.5, 16)
    assert pooled.fpir == exact_share(1, 1000)
    assert pooled.fnir == exact_share(2, 3)
    assert pooled.misnamed == exact_share(1, 3)
    assert few.fnir is None


def test_galleries_hold_one_photo_a_person_and_can_prefer_people_with_a_probe() -> None:
    named = Named(SPACE, _named().vectors[:9], ("a", "a", "b", "c", "c", "c", "d", "e", "f"))
    for second_first in (False, True):
        generator = np.random.default_rng(1)
        drawn = list(galleries(named, 2, draws=20, generator=generator, second_first=second_first))
        inside = [{named.people[i] for i in np.flatnonzero(mask)} for mask in drawn]
        assert all(
            int(mask.sum()) == 2 == len(who) for mask, who in zip(drawn, inside, strict=True)
        )
        assert all(who == {"a", "c"} for who in inside) == second_first
    again = np.random.default_rng(1)
    np.testing.assert_array_equal(
        drawn[0], next(galleries(named, 2, generator=again, second_first=True))
    )


def test_media_are_averaged_first() -> None:
    rows = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    space = Space("d/x/five", 2, Metric.COSINE, unit=True)
    named = Named(space, rows, ("a", "a", "a", "b"))
    got = media_averaged(named, ["t1", "t1", "t1", "t2"], ["video", "video", "photo", "photo"])
    # two frames of one video weigh as one photo
    np.testing.assert_allclose(got.vectors[0], [0.5**0.5, 0.5**0.5])
    assert (got.people, got.photos) == (("a", "b"), ("t1", "t2"))
    with pytest.raises(BadArray, match="2 people"):
        media_averaged(named, ["t"] * 4, ["m"] * 4)
    with pytest.raises(BadArray):
        media_averaged(named, ["t"], ["m"])


def test_a_whole_run() -> None:
    named = _named(people=20, photos=6, spread=0.35)
    lonely = np.random.default_rng(5).normal(size=(10, 16))
    lonely /= np.linalg.norm(lonely, axis=1, keepdims=True)
    everybody = Named(
        SPACE,
        np.concatenate([named.vectors, lonely]).astype(np.float32),
        named.people + tuple(f"s{i}" for i in range(10)),
    )
    asked: list[int] = []

    def threshold_of(templates: int) -> float:
        asked.append(templates)
        return 0.75

    record = ident.evaluate(everybody, threshold_of)
    assert (record.gallery_subjects, record.templates, record.probes) == (20, 60, 60)
    assert record.strangers == 130  # every photo once
    assert record.rank1.value > 0.95
    assert record.cmc[-1] == 1
    assert {60, 48, 16} <= set(asked)  # whole and without a fifth; each photo and means
    plain = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    promised = {"gallery_subjects", "probes", "rank1", "fpir", "fnir", "threshold"}
    assert promised <= set(plain)
    assert 0 <= plain["fpir"] < 0.2
    assert set(plain["modes"]) == {"each", "mean", "robust"}
    assert len(plain["classifiers"]) == 5
    assert json.dumps(ident.evaluate(everybody, threshold_of).to_dict()) == json.dumps(
        record.to_dict()
    )
    with pytest.raises(Refused):
        ident.evaluate(Named(SPACE, named.vectors[:3], ("a", "b", "b")), threshold_of)


def test_a_fixed_threshold_names_more_strangers_in_larger_galleries() -> None:
    """FPIR grows with the gallery unless the threshold follows (docs/benchmarks.md)."""
    named = _named(people=80, photos=2)
    rows = by_gallery_size(named, lambda n: 0.6, [5, 20, 60], draws=3)
    assert [row.people for row in rows] == [5, 20, 60]
    assert rows[0].fpir.value < rows[1].fpir.value < rows[2].fpir.value
    assert rows[0].strangers == 150
    assert rows[0].fpir.low <= rows[0].fpir.value <= rows[0].fpir.high
    assert rows == by_gallery_size(named, lambda n: 0.6, [5, 20, 60], draws=3)
    assert json.dumps(plain(rows))
    with pytest.raises(Refused):
        by_gallery_size(named, lambda n: 0.6, [80])
    with pytest.raises(Refused, match="second photo"):
        by_gallery_size(_named(photos=1), lambda n: 0.6, [5])


@pytest.mark.parametrize("people", [2, 3, 4, 5])
def test_few_people_are_strangers_in_turn_too(people: int) -> None:
    """Of two or three people nobody was left in the gallery."""
    named = _named(people=people, photos=4, spread=0.1)
    found = ident.evaluate(named, lambda _n: 0.9)
    assert found.gallery_subjects == people
    assert found.rank1.value == 1
    assert found.open.fpir is not None
    # every photo is once a stranger's, and every probe is searched while others are strangers
    assert found.strangers == people * 4
    again = Searches(*_pooled_by_hand(named))
    strangers = again.mate < 0
    assert int(strangers.sum()) == people * 4
    assert found.open.fpir.value == pytest.approx((again.scores[strangers, 0] >= 0.9).mean())
    json.dumps(found.to_dict(), allow_nan=False)


def _pooled_by_hand(named: Named) -> tuple:
    """Return the best score of every search of the open set, and whether it has a mate."""
    enrolled, probing = odd_even(named)
    gallery, probes = named.where(enrolled), named.where(probing)
    tops, mates = [], []
    for left, asked in ident._open_parts(named, gallery, probes, sorted(set(named.people))):
        assert left.people
        scores = asked.vectors @ left.vectors.T
        tops += scores.max(axis=1).tolist()
        mates += [0 if person in left.people else -1 for person in asked.people]
    return np.array(tops)[:, None], np.array(mates), ("anybody",), 0


def test_classifiers_are_told_for_the_whole_odd_and_even_split() -> None:
    """A3-14 and A3-15: k = 1 by hand over all people, the name checked by that person's photos."""
    named = _named(people=12, photos=6, spread=0.9, seed=3)
    threshold = 0.55
    found = ident.evaluate(named, lambda _n: threshold)
    right = backed = count = 0
    for i, person in enumerate(named.people):
        if (i % 6) % 2:  # even photos of a person are enrolled: the second, fourth, sixth
            continue
        held = [j for j in range(len(named.people)) if (j % 6) % 2]
        scores = named.vectors[held] @ named.vectors[i]
        best = held[int(scores.argmax())]
        count += 1
        right += named.people[best] == person
        backed += named.people[best] == person and scores.max() >= threshold
    nearest = next(c for c in found.classifiers if c.classifier is Classifier.NEAREST)
    assert nearest.right.value == pytest.approx(right / count)
    assert nearest.checked.value == pytest.approx(backed / count)
    assert 0 < backed < right < count
    assert nearest.to_dict()["lost_by_check"] == pytest.approx((right - backed) / count)
