"""The page of detectors side by side."""

from __future__ import annotations

import numpy as np

from facelign.lab.detection import report as page
from facelign.lab.detection.figures import Detections, Truth, evaluate
from facelign.lab.detection.run import DetectionRun, Empty
from facelign.report import html

FACE = np.array([[10.0, 10, 50, 60], [100, 10, 180, 110]])


def run(name: str, boxes: np.ndarray, scores: list[float], empty: Empty | None) -> DetectionRun:
    truth = Truth(FACE, np.zeros(2, bool))
    report = evaluate([Detections(boxes, np.array(scores))], [truth])
    return DetectionRun(name, report, {"0.9": 1.0}, (0.0, 0), empty, 12.0, 0.4, None, {})


def test_detectors_are_told_side_by_side() -> None:
    good = run("good", FACE, [0.9, 0.8], Empty(4, 2, 1))
    poor = run("poor", FACE[:1], [0.7], None)
    built = page.report("set", [poor, good], {"set": "set"})
    assert built.verdict == (
        "good has the highest average precision, 1.000: it finds 100 % of 2 faces and makes up 0, "
        "in 12 ms a photo."
    )
    side, heights, meaning = built.sections
    assert [row[:3] for row in side.tables[0].rows] == [
        ("poor", "0.500", "50.0 %"),
        ("good", "1.000", "100.0 %"),
    ]
    assert [row[5] for row in side.tables[0].rows] == ["-", "500"]
    assert heights.tables[0].rows == [
        ("48-64 px", "1", "100.0 %", "100.0 %"),
        ("96-160 px", "1", "0.0 %", "100.0 %"),
    ]
    assert [table.title for table in meaning.tables] == ["poor", "good"]
    assert "AP 0.500" in side.figures[0].alt
    assert built.scope == "set: 1 photos, 2 faces"
    assert "make" in html.render(built)
