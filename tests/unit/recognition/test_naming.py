"""From candidates to a name: rules of one face, and of the faces of one photo."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.compare import calibrations
from facelign.errors import NoCalibration, SpaceMismatch
from facelign.recognition.naming import Probe, decide, limit_of, one_name_each
from facelign.recognition.options import IdentifyOptions
from facelign.types.decisions import Candidate, SearchThreshold, Threshold
from facelign.types.policies import TemplateMode

SPACE = "sface/arcface-112/five"
scores = st.floats(-1, 1, width=32)


def limit(score: float) -> SearchThreshold:
    return SearchThreshold(Threshold(score, None, "by hand"), 0.01, 9, False)


@st.composite
def candidates(draw: Any) -> tuple[Candidate, ...]:
    found = sorted(draw(st.lists(scores, max_size=8)), reverse=True)
    return tuple(Candidate(n, f"p{n}", n, s, 1 - s) for n, s in enumerate(found, 1))


probes = st.builds(
    Probe,
    candidates(),
    st.none() | st.floats(1, 100),
    st.just("") | st.just("the points are no face's"),
)


@given(probe=probes, bound=scores, top_k=st.integers(1, 6))
def test_a_name_is_the_best_candidate_that_reaches_the_limit_and_nothing_else(
    probe: Probe, bound: float, top_k: int
) -> None:
    options = IdentifyOptions(top_k=top_k)
    answer = decide(probe, limit(bound), 9, options)
    best = probe.candidates[0] if probe.candidates else None
    small = probe.height is not None and probe.height < options.min_height
    known = best is not None and best.score >= bound and not probe.unaligned and not small
    assert (answer.person is not None) == known
    assert (answer.reason == "") == known
    if best is not None and known:
        assert answer.person == best.person
    assert answer.candidates == probe.candidates[:top_k]
    if len(probe.candidates) > 1:
        assert answer.margin == probe.candidates[0].score - probe.candidates[1].score >= 0
    else:
        assert answer.margin is None


@given(probe=probes, bounds=st.tuples(scores, scores))
def test_a_stricter_limit_never_gives_a_name(probe: Probe, bounds: tuple[float, float]) -> None:
    loose, strict = (decide(probe, limit(b), 9, IdentifyOptions()) for b in sorted(bounds))
    assert strict.person in (None, loose.person)


@given(probe=probes, bound=scores, data=st.data())
def test_a_suggested_name_counts_only_where_it_reaches_the_limit(
    probe: Probe, bound: float, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["nobody", *(c.person for c in probe.candidates)]))
    answer = decide(replace(probe, suggested=name), limit(bound), 9, IdentifyOptions(top_k=1))
    mine = [c for c in probe.candidates if c.person == name]
    assert answer.person in (None, name)
    if answer.person is not None:
        assert mine[0].score >= bound
    assert {c.person for c in answer.candidates} >= {c.person for c in mine}


def test_reasons_are_told_in_the_order_in_which_they_matter() -> None:
    options = IdentifyOptions()
    one = (Candidate(1, "Ada", 1, 0.9, 0.1),)

    def reason(probe: Probe, bound: SearchThreshold | None, templates: int = 9) -> str:
        return decide(probe, bound, templates, options).reason

    assert reason(Probe(one, 20, "no map"), limit(0)) == "the face cannot be aligned: no map"
    assert reason(Probe(one, 20), limit(0)) == "too small: 20 px of 30 px needed"
    assert reason(Probe((), 40), None, 0) == "nobody is enrolled"
    assert reason(Probe((), 40), limit(0)) == "no candidate"
    assert reason(Probe(one, 40), limit(0.95)) == "below the threshold"
    assert reason(Probe(one), limit(0.9)) == "", "a height that nobody measured is not too small"


@given(st.lists(st.tuples(probes, scores), max_size=6))
def test_in_one_photo_nobody_stands_twice_and_the_best_keeps_the_name(
    faces: list[tuple[Probe, float]],
) -> None:
    answers = [decide(probe, limit(bound), 9, IdentifyOptions()) for probe, bound in faces]
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
    one = (Candidate(1, "Ada", 1, float(np.float32(0.9)), 0.1),)
    assert decide(Probe(one, 31.0), limit(0.5), 1, IdentifyOptions()).person == "Ada"
