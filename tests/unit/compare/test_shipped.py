"""The calibrations in the package: whole, from named people, and found by space."""

from __future__ import annotations

import pytest

from facelign.compare import thresholds
from facelign.compare.calibrations import from_json, load, shipped, shipped_ids, to_json


def test_there_is_one_for_the_default_preset() -> None:
    record = shipped("sface/arcface-112/five")
    assert record is not None
    assert record.chain["detector"] == "yunet"
    # a prototype on the same people (and four more): 0.290, 0.358, 0.414, 0.467. It
    # took the points of the first look; level ones make faces of two people a little more alike
    # (thresholds rise by 0.005 to 0.013) and those of one person more so: TAR rises at every rate.
    prototype = {
        1e-2: (0.290, 0.993),
        1e-3: (0.358, 0.985),
        1e-4: (0.414, 0.971),
        1e-5: (0.467, 0.946),
    }
    for rate, (threshold, tar) in prototype.items():
        assert thresholds.threshold(record, rate).score == pytest.approx(threshold, abs=0.015)
        assert next(p.tar for p in record.points if p.fmr == rate) >= tar


@pytest.mark.parametrize("record_id", shipped_ids())
def test_every_record_carries_its_evidence(record_id: str) -> None:
    record = load(record_id)
    assert record.id == record_id
    assert to_json(from_json(to_json(record))) == to_json(record)
    assert record.subjects > 700
    assert record.non_mated > 600_000
    assert thresholds.threshold(record).interval is not None
    assert {point.fmr for point in record.points} >= {1e-1, 1e-2, 1e-3, 1e-4, 1e-5}
    assert len(record.digest) == 64
    assert record.notes["heights"]["smallest"] > 0
    # the evidence for a search of 1 % FPIR reaches over two thousand templates
    assert not thresholds.search_threshold(record, 2_000).limited
    assert thresholds.search_threshold(record, 20_000).limited
