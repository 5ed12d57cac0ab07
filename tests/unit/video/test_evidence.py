"""From looks to a name: what votes for it, what it must reach, and why there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from facelign.compare import calibrations
from facelign.compare.scores import score_matrix
from facelign.recognition.naming import decide, limit_of
from facelign.recognition.options import IdentifyOptions
from facelign.types.decisions import Candidate, CandidateList
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Box
from facelign.video import evidence
from facelign.video.evidence import TrackVerdict
from facelign.video.looks import Look, Sighting
from facelign.video.options import FollowOptions, LookOptions, VoteOptions

SPACE = Space("sface/arcface-112/five", 128, Metric.COSINE, unit=True)
PEOPLE = ("Ada", "Ben", "Cleo")
ASKED = FollowOptions()


def directions(count: int, seed: int) -> np.ndarray:
    """Unit vectors (count, 128) at right angles to one another."""
    made = np.random.default_rng(seed).normal(size=(128, count))
    return np.linalg.qr(made)[0].T.astype(np.float32)


#: the templates of ``PEOPLE``, and two directions that are nobody's
ADA, BEN, CLEO, NOISE, OTHER = directions(5, 0)
TEMPLATES = np.stack([ADA, BEN, CLEO])


def mixed(person: np.ndarray, likeness: float, rest: np.ndarray = NOISE) -> np.ndarray:
    """A unit vector with that cosine to a person."""
    return (likeness * person + math.sqrt(1 - likeness**2) * rest).astype(np.float32)


def searched(vectors: Embeddings, asked: FollowOptions = ASKED) -> list[CandidateList]:
    """What a gallery of ``PEOPLE`` answers, as ``PhotoGallery.name`` does."""
    options = evidence.visit_naming(asked.naming, asked.looks.looks)
    known = calibrations.shipped(SPACE.id)
    limit = limit_of(options, known, SPACE.id, (3, 3))
    templates = Embeddings(TEMPLATES, SPACE, np.ones(3, np.float32))
    answers = []
    for row in score_matrix(vectors, templates):
        order = np.argsort(-row)
        found = tuple(
            Candidate(rank + 1, PEOPLE[i], int(i), float(row[i]), 1 - float(row[i]))
            for rank, i in enumerate(order)
        )
        answers.append(decide(CandidateList(found, None, "", None, 3), limit, options))
    return answers


def look(vector: np.ndarray, norm: float = 10.0, height: float = 90.0, **view: float) -> Look:
    seen = {"score": 0.9, "sharpness": 0.3, "yaw_deg": 0.0} | view
    sighting = Sighting(0.0, 0, Box(0, 0, 70, height), **seen)
    held = Embeddings(vector[None], SPACE, np.array([norm], np.float32))
    return Look(sighting, held, searched(held)[0])


def judged(*looks: Look, asked: FollowOptions = ASKED) -> TrackVerdict:
    (answer,) = searched(evidence.together(looks), asked)
    return evidence.verdict(looks, answer, asked)


def test_looks_that_agree_give_the_name_with_its_evidence() -> None:
    seen = judged(*(look(mixed(ADA, 0.6)) for _ in range(3)))
    assert (seen.person, seen.sure, seen.reason, seen.looks) == ("Ada", True, "", 3)
    assert seen.score == pytest.approx(0.6, abs=1e-3)
    assert seen.nearest == "Ada"
    assert seen.agreed == pytest.approx(1.0)


def test_looks_of_which_none_reaches_the_threshold_can_reach_it_together() -> None:
    first, second = look(mixed(ADA, 0.34, NOISE)), look(mixed(ADA, 0.34, OTHER))
    assert first.answer.person is None
    assert second.answer.person is None
    both = judged(first, second)
    assert both.person == "Ada"
    assert both.score is not None
    assert both.score > 0.44  # 0.34 over the length of the mean of two that have only Ada in common


def test_unknown_looks_vote_against_a_name() -> None:
    named, strange = look(mixed(ADA, 0.5, NOISE)), look(OTHER)
    assert judged(named, named).person == "Ada"
    scores = [judged(named, *[strange] * n).score or 0.0 for n in range(6)]
    assert scores == sorted(scores, reverse=True)
    doubted = judged(named, *[strange] * 5)
    assert doubted.person is None
    assert doubted.reason.startswith("nearest is Ada at 0.")


def test_a_name_is_taken_back_when_later_looks_are_of_somebody_else() -> None:
    ada, ben = look(mixed(ADA, 0.7)), look(mixed(BEN, 0.7))
    told = [judged(*[ada] * 4, *[ben] * n).person for n in range(9)]
    assert told[0] == "Ada"
    assert told[-1] == "Ben"
    assert told.index(None) < told.index("Ben")  # there is doubt between the two


def test_looks_that_do_not_agree_give_no_name() -> None:
    ada, ben = look(mixed(ADA, 0.7)), look(mixed(BEN, 0.72))
    both = judged(ada, ben, ada, ben)
    assert both.nearest == "Ben"
    assert both.score is not None
    assert both.threshold is not None
    assert both.score > both.threshold.threshold.score
    assert both.person is None
    assert both.reason == "the looks do not agree: 50% of their weight are for Ben"


@pytest.mark.parametrize(
    "poor",
    [
        {"height": 40.0},
        {"sharpness": 0.1},
        {"yaw_deg": 45.0},
        {"inside": 0.8},
        {"norm": 5.0},
    ],
)
def test_a_poor_view_counts_less(poor: dict[str, float]) -> None:
    good, bad = look(ADA), look(BEN, **poor)
    assert 0 < bad.weight < good.weight
    row = evidence.together([good, bad]).vectors[0]
    assert row @ ADA > row @ BEN > 0


def test_together_gives_unit_vectors_where_the_space_does_and_means_where_not() -> None:
    two = [look(ADA), look(BEN)]
    assert np.linalg.norm(evidence.together(two).vectors) == pytest.approx(1.0, abs=1e-6)
    raw = Space("made/up/five", 2, Metric.EUCLIDEAN, unit=False)
    plain = [
        replace(one, vector=Embeddings(np.array([row], np.float32), raw, np.ones(1, np.float32)))
        for one, row in zip(two, ((0, 2), (4, 0)), strict=True)
    ]
    np.testing.assert_allclose(evidence.together(plain).vectors, [[2, 1]], atol=1e-6)


def test_one_look_is_itself() -> None:
    one = look(mixed(CLEO, 0.3))
    np.testing.assert_allclose(evidence.together([one]).vectors, one.vector.vectors, atol=1e-6)


def test_many_looks_at_a_stranger_raise_the_threshold() -> None:
    counts = [evidence.searches(n) for n in range(5)]
    assert counts == pytest.approx([1, 1, 3 / 2, 11 / 6, 25 / 12])
    asked = [evidence.visit_naming(IdentifyOptions(fpir=0.1), n).fpir for n in (1, 2, 3)]
    assert asked == pytest.approx([0.1, 0.2 / 3, 0.6 / 11])
    limits = []
    for n in (1, 4, 40):
        asked_of = FollowOptions(IdentifyOptions(fpir=0.002), LookOptions(looks=n))
        found = [judged(*[look(NOISE)] * taken, asked=asked_of).threshold for taken in (1, 3)]
        assert found[0] is not None
        assert found[1] is not None
        assert found[0].threshold == found[1].threshold, "the same from the first look to the last"
        assert found[1].fpir == 0.002
        assert found[1].note.startswith(f"FPIR 0.002 for a visit of up to {n} look")
        assert "(3 so far)" in found[1].note
        limits.append(found[0].threshold.score)
    assert limits[0] < limits[1] < limits[2]


def test_a_threshold_that_was_given_stays_as_it_is() -> None:
    (answer,) = searched(evidence.together([look(ADA)]))
    given = answer.threshold
    assert given is not None
    asked = FollowOptions(IdentifyOptions(threshold=given))
    seen = evidence.verdict([look(ADA)] * 4, answer, asked)
    assert seen.threshold is given


def test_who_is_unknown_is_told_later_than_who_is_known() -> None:
    asked = FollowOptions(votes=VoteOptions(confirm=2, doubt=4))
    known, strange = look(mixed(ADA, 0.8)), look(NOISE)
    assert [judged(*[known] * n, asked=asked).sure for n in (1, 2)] == [False, True]
    assert [judged(*[strange] * n, asked=asked).sure for n in (2, 3, 4)] == [False, False, True]


def test_the_reason_says_who_is_nearest_and_what_the_best_view_lacks() -> None:
    far = judged(look(mixed(BEN, 0.2)), look(mixed(BEN, 0.2)))
    assert far.threshold is not None
    needed = far.threshold.threshold.score
    assert far.reason == f"nearest is Ben at 0.200, {needed:.3f} needed"
    blurred = judged(*[look(mixed(BEN, 0.2), sharpness=0.05)] * 2)
    assert blurred.reason.endswith("; the best view is blurred")


def test_without_anybody_enrolled_the_reason_is_that() -> None:
    empty = CandidateList((), None, "nobody is enrolled", None, 0)
    seen = evidence.verdict([replace(look(ADA), answer=empty)], empty, ASKED)
    assert (seen.person, seen.score, seen.threshold) == (None, None, None)
    assert seen.reason == "nobody is enrolled"


def test_a_reason_that_has_nothing_to_do_with_the_score_is_told_as_it_is() -> None:
    looks = [look(mixed(ADA, 0.8))] * 2
    (answer,) = searched(evidence.together(looks))
    barred = replace(answer, person=None, reason="not checked for a living face")
    seen = evidence.verdict(looks, barred, ASKED)
    assert (seen.person, seen.reason) == (None, "not checked for a living face")


@pytest.mark.parametrize("looks", [2, 5, 12])
def test_strangers_are_named_no_more_often_than_is_said(looks: int) -> None:
    """Looks at made strangers that are alike, as those of one track are: 0.1 of visits at most."""
    rng = np.random.default_rng(looks)
    visits, named = 2000, 0
    rate = 0.1
    templates = rng.normal(size=(20, 128))
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    singles = rng.normal(size=(50_000, 128))
    singles /= np.linalg.norm(singles, axis=1, keepdims=True)
    allowed = rate / len(templates) / evidence.searches(looks)
    limit = float(np.quantile(singles @ templates[0], 1 - allowed))
    for _ in range(visits):
        person = rng.normal(size=128)
        seen = person + rng.uniform(0.3, 1.0) * rng.normal(size=(looks, 128))
        seen /= np.linalg.norm(seen, axis=1, keepdims=True)
        sums = np.cumsum(seen * rng.uniform(0.2, 1, (looks, 1)), axis=0)
        sums /= np.linalg.norm(sums, axis=1, keepdims=True)
        named += bool((sums @ templates.T >= limit).any())
    assert 0.01 * visits < named <= rate * visits
