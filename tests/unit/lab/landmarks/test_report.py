"""The page of landmark runs: who is best among those that can be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign.datasets.point_table import PointTable
from facelign.lab.landmarks import report as page
from facelign.lab.landmarks.figures import LandmarkReport, Normalizer, auc
from facelign.lab.landmarks.run import LandmarkRun

TRUTH = PointTable("set", (Path("a.jpg"),) * 9, np.zeros((9, 68, 2)), np.ones((9, 68), bool))


def run(model: str, errors: list[float], missed: int, compared: str = "five") -> LandmarkRun:
    errors_ = np.array(errors)
    report = LandmarkReport(
        Normalizer.INTER_OCULAR, len(errors) + missed, missed, errors_, np.full(5, 0.1), {}
    )
    rows = np.arange(len(errors))
    return LandmarkRun(model, "yunet", compared, report, rows, {})


def test_the_best_is_told_by_the_area_in_which_missed_faces_count() -> None:
    careful = run("careful", [0.01] * 3, missed=6)  # a small mean over the easy faces
    whole = run("whole", [0.03] * 9, missed=0)
    built = page.report(TRUTH, [careful, whole], {"set": "s"})
    area = auc(whole.report.errors, 0.1)
    assert built.verdict.startswith(
        f"whole in boxes of yunet, AUC@0.10 {area:.3f}, the highest of 2"
    )
    assert "0 of 9 faces were missed" in built.verdict
    (figure,), (table,) = built.sections[0].figures, built.sections[0].tables
    assert figure.name == "ced"
    assert [row[0] for row in table.rows] == ["careful", "whole"]
    assert table.rows[0][-1] == "6"
    assert [fact.label for fact in built.headline] == ["NME, careful", "NME, whole"]
    assert built.headline[1].interval == "3.00 to 3.00 % (95 %, over faces)"


def test_means_over_other_points_have_no_best() -> None:
    built = page.report(TRUTH, [run("a", [0.02], 0), run("b", [0.01], 0, "ibug-68")], {})
    assert built.verdict.startswith("five: a in boxes of yunet")
    assert "ibug-68: b in boxes of yunet" in built.verdict
    assert built.verdict.endswith("Means over other points do not tell which model is better.")


@pytest.mark.parametrize("faces", [0, 1])
def test_few_faces_have_no_interval(faces: int) -> None:
    built = page.report(TRUTH, [run("a", [0.02] * faces, 1)], {})
    assert built.headline[0].interval == ""
    assert (built.verdict == "No face of set was found.") == (faces == 0)
    assert built.headline[0].value == ("2.00 %" if faces else "-")
