"""From candidates to a name: rules of one face, and of the faces of one photo."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.compare import calibrations
from facelign.errors import NoCalibration, SpaceMismatch
from facelign.recognition.naming import decide, limit_of, one_name_each
from facelign.recognition.options import IdentifyOptions
from facelign.types.decisions import Candidate, CandidateList, SearchThreshold, Threshold
from facelign.types.policies import TemplateMode

SPACE = "sface/arcface-112/five"
scores = st.floats(-1, 1, width=32)


def limit(score: float) -> SearchThreshold:
    return SearchThreshold(Threshold(score, None, "by hand"), 0.01, 9, False)


@st.composite
def candidates(draw: Any) -> tuple[Candidate, ...]:
    found = sorted(draw(st.lists(scores, max_size=8)), reverse=True)
    return tuple(Candidate(n, f"p{n}", n, s, 1 - s) for n, s in enumerate(found, 1))


def searched(*found: Candidate, templates: int = 9) -> CandidateList:
    """What a gallery found, and nobody decided yet."""
    return CandidateList(found, None, "", None, templates)


Probe = tuple[CandidateList, float | None, str]
probes = st.tuples(
    candidates().map(lambda found: searched(*found)),
    st.none() | st.floats(1, 100),
    st.just("") | st.just("the points are no face's"),
)


def answered(
    probe: Probe,
    bound: float,
    options: IdentifyOptions | None = None,
    suggested: str | None = None,
) -> CandidateList:
    found, height, why = probe
    options = options or IdentifyOptions()
    return decide(found, limit(bound), options, height, unaligned=why, suggested=suggested)


@given(probe=probes, bound=scores, top_k=st.integers(1, 6))
def test_a_name_is_the_best_candidate_that_reaches_the_limit_and_nothing_else(
    probe: Probe, bound: float, top_k: int
) -> None:
    options = IdentifyOptions(top_k=top_k)
    answer, found, height, why = answered(probe, bound, options), probe[0].candidates, *probe[1:]
    best = found[0] if found else None
    small = height is not None and height < options.min_height
    known = best is not None and best.score >= bound and not why and not small
    assert (answer.person is not None) == known
    assert (answer.reason == "") == known
    if best is not None and known:
        assert answer.person == best.person
    assert answer.candidates == found[:top_k]
    if len(found) > 1:
        assert answer.margin == found[0].score - found[1].score >= 0
    else:
        assert answer.margin is None


@given(probe=probes, bounds=st.tuples(scores, scores))
def test_a_stricter_limit_never_gives_a_name(probe: Probe, bounds: tuple[float, float]) -> None:
    loose, strict = (answered(probe, bound) for bound in sorted(bounds))
    assert strict.person in (None, loose.person)


@given(probe=probes, bound=scores, data=st.data())
def test_a_suggested_name_counts_only_where_it_reaches_the_limit(
    probe: Probe, bound: float, data: st.DataObject
) -> None:
    found = probe[0].candidates
    name = data.draw(st.sampled_from(["nobody", *(c.person for c in found)]))
    answer = answered(probe, bound, IdentifyOptions(top_k=1), name)
    mine = [c for c in found if c.person == name]
    assert answer.person in (None, name)
    if answer.person is not None:
        assert mine[0].score >= bound
    assert {c.person for c in answer.candidates} >= {c.person for c in mine}


def test_reasons_are_told_in_the_order_in_which_they_matter() -> None:
    one = searched(Candidate(1, "Ada", 1, 0.9, 0.1))

    def reason(
        found: CandidateList, height: float | None, bound: float | None, why: str = ""
    ) -> str:
        known = None if bound is None else limit(bound)
        return decide(found, known, IdentifyOptions(), height, unaligned=why).reason

    assert reason(one, 20, 0, "no map") == "the face cannot be aligned: no map"
    assert reason(one, 20, 0) == "too small: 20 px of 30 px needed"
    assert reason(searched(templates=0), 40, None) == "nobody is enrolled"
    assert reason(searched(), 40, 0) == "no candidate"
    assert reason(one, 40, 0.95) == "below the threshold"
    assert reason(one, None, 0.9) == "", "a height that nobody measured is not too small"


@given(st.lists(st.tuples(probes, scores), max_size=6))
def test_in_one_photo_nobody_stands_twice_and_the_best_keeps_the_name(
    faces: list[tuple[Probe, float]],
) -> None:
    answers = [answered(probe, bound) for probe, bound in faces]
    apart = one_name_each(answers)
    names = [a.person for a in apart if a.person is not None]
    assert len(names) == len(set(names))
    for before, after in zip(answers, apart, strict=True):
        if after.person != before.person:
            assert after.person is None
            assert after.reason == f"another face of this photo is more like {before.person}"
            rivals = [
                b.candidates[0].score
                for b, a in zip(answers, apart, strict=True)
                if a.person == before.person
            ]
            assert rivals
            assert rivals[0] >= before.candidates[0].score
        else:
            assert after is before
    assert {a.person for a in answers} - {None} == set(names)


def test_the_limit_follows_what_is_compared() -> None:
    known = calibrations.shipped(SPACE)
    assert known is not None
    few, many = (limit_of(IdentifyOptions(), known, SPACE, (2, n)) for n in (10, 1000))
    assert few is not None
    assert many is not None
    assert many.threshold.score > few.threshold.score
    assert (few.templates, many.templates) == (10, 1000)
    mean = limit_of(IdentifyOptions(mode=TemplateMode.MEAN), known, SPACE, (2, 1000))
    assert mean is not None
    assert mean.templates == 2, "a mean is one comparison a person"
    strict = limit_of(IdentifyOptions(fpir=0.001), known, SPACE, (2, 10))
    assert strict is not None
    assert strict.threshold.score > few.threshold.score


def test_a_given_limit_wins_and_an_empty_gallery_needs_none() -> None:
    given_limit = limit(0.4)
    options = IdentifyOptions(threshold=given_limit)
    assert limit_of(options, None, SPACE, (2, 9)) is given_limit
    assert limit_of(IdentifyOptions(), None, SPACE, (0, 0)) is None


def test_without_evidence_there_is_no_limit() -> None:
    with pytest.raises(NoCalibration, match="uncalibrated"):
        limit_of(IdentifyOptions(), None, SPACE, (2, 9))
    known = calibrations.shipped(SPACE)
    with pytest.raises(SpaceMismatch):
        limit_of(IdentifyOptions(calibration=known), None, "other/arcface-112/five", (2, 9))


def test_scores_of_arrays_are_taken_as_well() -> None:
    one = searched(Candidate(1, "Ada", 1, float(np.float32(0.9)), 0.1), templates=1)
    assert decide(one, limit(0.5), IdentifyOptions(), 31.0).person == "Ada"
