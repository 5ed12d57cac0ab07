"""Thresholds with evidence, searches, decisions, records and published numbers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.compare import calibrations, thresholds
from facelign.compare import published as publications
from facelign.compare.calibrations import from_json, load, shipped, shipped_ids, to_json
from facelign.compare.published import published, published_threshold
from facelign.compare.scores import Measure
from facelign.errors import BadArray, ConfigError, NoCalibration, Refused, SpaceMismatch
from facelign.types.calibrations import Calibration, OperatingPoint
from facelign.types.embeddings import Metric, Space

COSINE = Space("sface/arcface-112/five", 128, Metric.COSINE, unit=True)
# 100,000 non-mated comparisons; the last stored score lies above all of them
ERRORS = [100_000, 50_000, 10_000, 1_000, 100, 30, 10, 3, 2, 1, 0]
SCORES = [-0.3, 0.0, 0.1, 0.3, 0.4, 0.42, 0.45, 0.47, 0.48, 0.5, 0.5001]


def _record(**changes: object) -> Calibration:
    record = Calibration(
        id="test",
        space=COSINE.id,
        metric="cosine",
        chain={"detector": "yunet"},
        set="made-up people",
        digest="0" * 64,
        date="2026-11-01",
        subjects=400,
        photos=900,
        mated=2_000,
        non_mated=100_000,
        points=(
            OperatingPoint(1e-1, 0.1, (0.09, 0.11), 0.99, 10_000),
            OperatingPoint(1e-2, 0.3, (0.008, 0.012), 0.98, 1_000),
            OperatingPoint(1e-3, 0.4, (6e-4, 15e-4), 0.95, 100),
            OperatingPoint(1e-4, 0.45, (2e-5, 3e-4), 0.9, 10),
        ),
        scores=np.array(SCORES),
        fmr=np.array(ERRORS) / 100_000,
        llr_scores=np.array([0.0, 0.2, 0.3, 0.5]),
        llr=np.array([-6.0, -2.0, 1.0, 7.0]),
        non_mated_std=0.12,
        notes={"heights": {"smallest": 60, "median": 110}},
    )
    return replace(record, **changes)


RECORD = _record()


@given(st.floats(1e-7, 1.0))
def test_the_threshold_is_the_lowest_that_holds_the_rate(fmr: float) -> None:
    score = thresholds.score_at_fmr(RECORD, fmr)
    holding = [s for s, e in zip(SCORES, ERRORS, strict=True) if e / 100_000 <= fmr * (1 + 1e-12)]
    assert score == min(holding)


@given(st.floats(1e-7, 1.0), st.floats(1e-7, 1.0))
def test_a_smaller_rate_never_gives_a_lower_threshold(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert thresholds.score_at_fmr(RECORD, low) >= thresholds.score_at_fmr(RECORD, high)


def test_stored_rates_give_stored_scores() -> None:
    for errors, score in zip(ERRORS[:-1], SCORES[:-1], strict=True):
        assert thresholds.score_at_fmr(RECORD, errors / 100_000) == pytest.approx(score, abs=1e-9)


def test_a_threshold_carries_its_evidence() -> None:
    found = thresholds.threshold(RECORD)
    assert found.score == pytest.approx(0.4)
    assert found.fmr == 1e-3
    assert found.interval == pytest.approx((6e-4, 15e-4))
    assert (found.subjects, found.non_mated, found.mated) == (400, 100_000, 2_000)
    assert "made-up people" in found.source
    assert "100,000 non-mated" in found.source


def test_intervals_are_interpolated_in_proportion() -> None:
    low, high = thresholds.interval_at(RECORD, math.sqrt(1e-5 * 1e-1)) or (0, 0)
    assert (low, high) == pytest.approx((6e-4, 15e-4))
    middle = thresholds.interval_at(RECORD, 10**-2.5)
    assert middle is not None
    assert middle[0] / 10**-2.5 == pytest.approx((0.8 + 0.6) / 2)
    assert thresholds.interval_at(RECORD, 1e-6) is None


def test_what_the_data_cannot_vouch_for_is_refused() -> None:
    assert thresholds.evidence_ends(RECORD) == pytest.approx(3e-5)
    assert thresholds.threshold(RECORD, 3e-5).score == pytest.approx(0.47)
    with pytest.raises(Refused, match="needs 300,000"):
        thresholds.threshold(RECORD, 1e-5)


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_larger_gallery_never_loosens_a_search(one: int, other: int) -> None:
    small, large = sorted((one, other))
    a, b = (thresholds.search_threshold(RECORD, n) for n in (small, large))
    assert a.threshold.score <= b.threshold.score
    assert a.threshold.score >= thresholds.threshold(RECORD).score
    assert a.limited <= b.limited


def test_the_search_rule() -> None:
    ten = thresholds.search_threshold(RECORD, 10)
    assert ten.threshold.score == pytest.approx(0.4)  # 1 % / 10 = verify's 1e-3
    assert not ten.limited
    assert "at 333 templates" in ten.note
    three_hundred = thresholds.search_threshold(RECORD, 300)
    assert three_hundred.threshold.fmr == pytest.approx(0.01 / 300)
    assert three_hundred.threshold.score == pytest.approx(
        thresholds.score_at_fmr(RECORD, 0.01 / 300)
    )
    # few templates: the wish of 1 % alone would be looser than verify
    assert thresholds.search_threshold(RECORD, 1).threshold.score == pytest.approx(0.4)


def test_a_search_beyond_the_evidence_is_limited_and_says_so() -> None:
    many = thresholds.search_threshold(RECORD, 10_000)
    assert many.limited
    assert many.threshold.score == 0.5001  # just above the largest non-mated score
    assert many.threshold.fmr == pytest.approx(3e-5)
    assert "10,000 templates" in many.note
    assert "FPIR of 0.3 at this size" in many.note
    assert "FPIR 0.01" in many.note
    with pytest.raises(BadArray):
        thresholds.search_threshold(RECORD, -1)
    with pytest.raises(BadArray):
        thresholds.search_threshold(RECORD, 5, 0.0)


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_the_border_belongs_to_the_match(offset: int) -> None:
    """AX-6: one rule, on the border, for scores and for distances."""
    euclid = Space("dlib-resnet/dlib-150/dlib-5", 128, Metric.EUCLIDEAN, unit=False)
    for space, at in ((COSINE, 0.4), (euclid, -0.6)):
        score = at if offset == 0 else float(np.nextafter(at, at + offset))
        decision = thresholds.decide(score, thresholds.uncalibrated(at, "a test"), space)
        assert decision.is_match is (offset >= 0)
    assert thresholds.decide(-0.6, thresholds.uncalibrated(-0.6, "dlib"), euclid).distance == 0.6


def test_decisions_carry_the_ratio() -> None:
    decision = thresholds.decide(0.4, thresholds.threshold(RECORD), COSINE, RECORD)
    assert decision.log_likelihood_ratio == pytest.approx(4.0)
    assert decision.distance == pytest.approx(0.6)
    assert thresholds.log_likelihood_ratio(RECORD, 5.0) == 7.0
    other = replace(COSINE, id="other/x/five")
    with pytest.raises(SpaceMismatch):
        thresholds.decide(0.4, thresholds.threshold(RECORD), other, RECORD)
    bare = _record(llr=np.zeros(0), llr_scores=np.zeros(0))
    with pytest.raises(NoCalibration):
        thresholds.log_likelihood_ratio(bare, 0.1)


def _same(a: Calibration, b: Calibration) -> bool:
    arrays = ("scores", "fmr", "llr_scores", "llr")
    plain = {f: (getattr(a, f), getattr(b, f)) for f in Calibration.__slots__ if f not in arrays}
    return all(x == y for x, y in plain.values()) and all(
        np.array_equal(getattr(a, f), getattr(b, f)) for f in arrays
    )


def test_records_come_back_equal() -> None:
    text = to_json(RECORD)
    assert _same(from_json(text), RECORD)
    assert to_json(from_json(text)) == text
    plain = json.loads(text)
    # the fields that the record promises
    for name in ("fmr", "threshold", "interval", "mated", "non_mated", "subjects", "set"):
        assert name in plain
    assert (plain["fmr"], plain["threshold"]) == (1e-3, 0.4)
    assert plain["interval"] == [6e-4, 15e-4]
    assert {"digest", "space", "date"} <= set(plain)


def test_load_by_path_or_id(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(to_json(RECORD))
    assert _same(load(path), RECORD)
    with pytest.raises(NoCalibration, match="nothing-like-it"):
        load("nothing-like-it")
    for record_id in shipped_ids():
        assert load(record_id).id == record_id


def test_shipped_records_are_found_by_space_and_chain() -> None:
    assert shipped("no/such/space") is None
    for record in map(load, shipped_ids()):
        assert shipped(record.space) is not None
        assert shipped(record.space, record.chain) is record
        assert shipped(record.space, {"detector": "none-like-it"}) is None


def _broken() -> list[object]:
    good = json.loads(to_json(RECORD))
    changes: list[dict[str, object]] = [
        {"format": "other"},
        {"extra": 1},
        {"mated": -1},
        {"mated": True},
        {"mated": "many"},
        {"non_mated_std": float("nan")},
        {"non_mated_std": 10**400},
        {"chain": {"detector": 3}},
        {"tail": {"scores": [0.2, 0.1], "errors": [1, 0]}},
        {"tail": {"scores": [0.1, 0.2], "errors": [0, 1]}},
        {"tail": {"scores": [0.1, 0.2], "errors": [1]}},
        {"tail": {"scores": ["a", 0.2], "errors": [1, 0]}},
        {"tail": {"scores": [], "errors": []}},
        {"tail": [1]},
        {"llr": {"scores": [0.1, 0.2], "values": [2, 1]}},
        {"points": [{"fmr": 0.1}]},
        {"points": [3]},
        {"points": [dict(good["points"][0], interval=[0.5, 0.1])]},
        {"points": [dict(good["points"][0], interval=[0.5])]},
        {"notes": []},
    ]
    missing = [{k: v for k, v in good.items() if k != name} for name in sorted(good)]
    return [good | change for change in changes] + missing + [[], 3, None]


@pytest.mark.parametrize("record", _broken())
def test_broken_records_are_refused_in_a_sentence(record: object) -> None:
    with pytest.raises(ConfigError, match="the calibration"):
        from_json(json.dumps(record))


def _edited() -> list[tuple[str, dict[str, object]]]:
    """What a hand may do to a record that stays well-formed JSON, and the field that is named."""
    good = json.loads(to_json(RECORD))
    first, second = good["points"][:2]
    tail = good["tail"]

    def points(**change: object) -> dict[str, object]:
        return {"points": [first | change, *good["points"][1:]]}

    return [
        ("metric", {"metric": "cosin"}),
        ("metric", {"metric": ""}),
        ("scores", {"metric": "euclidean"}),  # cosines are no turned distances
        ("space", {"space": "  "}),
        ("space", {"space": "sface//five"}),
        ("set", {"set": "line\nbreak"}),
        ("digest", {"digest": "0" * 63}),
        ("digest", {"digest": "Z" * 64}),
        ("date", {"date": "yesterday"}),
        ("subjects", {"subjects": 1}),
        ("subjects", {"subjects": 901}),  # more people than photos
        ("photos", {"photos": -900}),
        ("mated", {"mated": 2.5}),
        ("non-mated", {"non_mated": 0}),
        ("tail", {"non_mated": 50_000}),  # fewer than the tail counts
        ("interval", {"non_mated": 200_000}),  # rates of the points no longer fit their counts
        ("non_mated", {"non_mated": 10**30}),
        ("non_mated_std", {"non_mated_std": -0.1}),
        ("fmr", {"fmr": 0.0}),
        ("fmr", {"fmr": 2}),
        ("threshold", {"threshold": 0.9}),  # not that of the point
        ("threshold", {"fmr": 1e-2}),
        ("interval", {"interval": [0.0, 0.5]}),
        ("interval", {"interval": None}),
        ("interval", points(interval=[0.2, 0.3])),  # does not hold its own rate
        ("interval", points(interval=[-0.1, 0.3])),
        ("interval", points(interval=["0", "1"])),
        ("tar", points(tar=1.5)),
        ("tar", points(tar=0.5)),  # below that of a stricter threshold
        ("errors", points(errors=-1)),
        ("errors", points(errors=10_000.5)),
        ("errors", points(errors=9_999)),  # the tail has another count
        ("errors", points(fmr=0.05)),  # more errors than the rate allows
        ("FMR must fall", points(fmr=0.001)),
        ("threshold", points(threshold=0.35)),
        ("thresholds", points(threshold=0.5)),
        ("unknown field", points(note="mine")),
        ("FMR must fall", {"points": [second, first, *good["points"][2:]]}),
        ("counts", {"tail": tail | {"errors": [100_000.5, *tail["errors"][1:]]}}),
        ("scores", {"tail": tail | {"scores": [-1.2, *tail["scores"][1:]]}}),
        ("llr", {"llr": {"scores": [0.0, 3.0], "values": [0.0, 1.0]}}),
    ]


@pytest.mark.parametrize(("field", "change"), _edited())
def test_edited_records_are_refused_and_the_field_is_named(
    field: str, change: dict[str, object]
) -> None:
    record = json.loads(to_json(RECORD)) | change
    with pytest.raises(ConfigError, match=field) as refused:
        from_json(json.dumps(record), source="mine.json")
    assert refused.value.message.startswith("mine.json is no calibration record: ")
    assert ".." not in refused.value.message
    assert "\n" not in refused.value.message


def test_numbers_beyond_the_range_of_floats_are_refused() -> None:
    text = to_json(RECORD)
    for number in ("1e999", "-1e999", "NaN", "Infinity"):
        for old in ('"non_mated_std": 0.12', "0.5001", '"values": [-6.0'):
            new = old.replace(old.split()[-1].strip("["), number)
            assert new != old
            with pytest.raises(ConfigError):
                from_json(text.replace(old, new))


@pytest.mark.parametrize("text", ["", "{", '{"format": NaN}', "[" * 100_000, b"\xff\xfe\x00"])
def test_no_json(text: str | bytes) -> None:
    with pytest.raises(ConfigError):
        from_json(text)


def test_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(calibrations, "MAX_BYTES", 100)
    with pytest.raises(ConfigError, match="larger"):
        from_json(to_json(RECORD))
    path = tmp_path / "big.json"
    path.write_text(to_json(RECORD))
    with pytest.raises(ConfigError, match="too large"):
        load(path)


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_mutated_records_never_crash(data: st.DataObject) -> None:
    text = bytearray(to_json(RECORD), "utf-8")
    for _ in range(data.draw(st.integers(1, 5))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(32, 126))
    try:
        from_json(bytes(text))
    except ConfigError as error:
        assert error.hint  # noqa: PT017


def test_a_rate_that_is_no_count_cannot_be_written() -> None:
    with pytest.raises(BadArray):
        to_json(_record(fmr=np.linspace(0.1, 0, len(SCORES)) ** 2 / 3))


def test_published_thresholds_of_the_articles() -> None:
    assert published("a1-vgg-face").distance == 0.55
    assert published("a1-facenet").distance == 10
    assert published("a1-deepface").distance == 64
    assert published("a3-openface").distance == 0.56
    assert published("a4-dlib").distance == 0.5
    assert published("dlib").distance == 0.6
    assert published("deepface-arcface-cosine").distance == 0.68
    assert published("deepface-vgg-face-euclidean_l2").distance == 1.17
    assert len(publications.thresholds()) == 4 + 1 + 2 + 2 + 44
    assert all(entry.source and entry.model for entry in publications.thresholds().values())
    with pytest.raises(ConfigError, match="no published"):
        published("deepface-arcface-cosin")


def test_a_published_threshold_becomes_a_score_of_its_own_space() -> None:
    raw = Space("dlib-resnet/dlib-150/dlib-5", 128, Metric.EUCLIDEAN, unit=False)
    assert published_threshold("dlib", raw).score == -0.6
    assert published_threshold("dlib", raw).fmr is None
    assert "no data" in published_threshold("dlib", raw).source
    assert published_threshold("opencv-sface-cosine", COSINE).score == pytest.approx(0.363)
    # 1.128 as the distance of unit vectors is a cosine of 0.3638
    assert published_threshold("opencv-sface-l2", COSINE).score == pytest.approx(0.3638, abs=1e-4)
    squared = Space("openface-nn4-small2/openface-96/ibug-68", 128, Metric.SQUARED_EUCLIDEAN, True)
    assert published_threshold("a3-openface", squared).score == pytest.approx(-0.56)
    plain = replace(squared, metric=Metric.EUCLIDEAN)
    assert published_threshold("a3-openface", plain).score == pytest.approx(-0.7483, abs=1e-4)


def test_scales_are_never_mixed() -> None:
    """AX-4: refused for another model, and for another scale of the same model."""
    with pytest.raises(SpaceMismatch, match="for dlib ResNet-29"):
        published_threshold("dlib", COSINE)
    unit = Space("dlib-resnet/dlib-150/five/flip/unit", 128, Metric.COSINE, unit=True)
    with pytest.raises(SpaceMismatch, match="euclidean"):
        published_threshold("dlib", unit)
    raw = Space("dlib-resnet/dlib-150/dlib-5", 128, Metric.EUCLIDEAN, unit=False)
    with pytest.raises(SpaceMismatch):
        published_threshold("deepface-dlib-cosine", raw)


def test_measures_of_published_numbers_agree_with_their_family() -> None:
    for entry in publications.thresholds().values():
        assert entry.unit is entry.measure.by_direction or entry.measure is Measure.EUCLIDEAN
