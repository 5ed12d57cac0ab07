"""docs/explanation/alignment.md tells the figures that benchmarks/alignment_study.py measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = " ".join((ROOT / "docs/explanation/alignment.md").read_text(encoding="utf-8").split())
RECORD = json.loads((ROOT / "benchmarks/results/alignment_study.json").read_text(encoding="utf-8"))


def rows(part: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the rows of a part of the record whose columns have the wanted values."""
    named = [dict(zip(RECORD[part]["columns"], row, strict=True)) for row in RECORD[part]["rows"]]
    return [row for row in named if all(row[key] == value for key, value in wanted.items())]


def tar(layout: str, detector: str = "yunet", lean: float = 0.0, worse: str = "none") -> int:
    """Return how many of 100 mated pairs of SFace pass at the record's FMR."""
    wanted = {"layout": layout, "rotation_deg": lean, "degradation": worse, "model": "sface"}
    (row,) = rows("arms", detector="-" if layout == "none" else detector, **wanted)
    return round(100 * row["tar"])


def dlib(layout: str, detector: str = "yunet") -> int:
    """Return the same of dlib's network, upright photos."""
    wanted = {"layout": layout, "rotation_deg": 0.0, "degradation": "none"}
    detector = "-" if layout == "none" else detector
    (row,) = rows("arms", model="dlib-resnet", detector=detector, **wanted)
    return round(100 * row["tar"])


def gain(step: str, lean: float = 0.0) -> tuple[int, int, int]:
    """Return what a step adds for SFace with YuNet, in points, with its interval."""
    wanted = {"model": "sface", "detector": "yunet", "degradation": "none", "rotation_deg": lean}
    (row,) = rows("steps", step=step, **wanted)
    value, low, high = (round(100 * row[f"tar_gain{end}"]) for end in ("", "_low", "_high"))
    return value, low, high


PLACED = "scaling and placing by points"
TOLD = {
    "the set": (
        f"On `lfw_100` ({RECORD['photos']} photos of ten people, {RECORD['non_mated']:,} non-mated"
        " pairs), SFace with YuNet"
    ),
    "SFace": (
        f"{tar('none')} % of the pairs of one person are recognized in whole photos, "
        f"{tar('square')} % in square boxes, {tar('eyes')} % with level eyes, "
        f"and {tar('five')} % with five points"
    ),
    "dlib": (
        f"dlib's network gives {dlib('none')} %, {dlib('square')} % ({dlib('square', 'hog')} % in "
        f"the tight boxes of dlib's own detector), {dlib('eyes')} % and {dlib('five')} %"
    ),
    "turning": "turning alone adds {} points (95 % interval {} to {:+})".format(*gain("rotating")),
    "placing": "scale and place {} ({:+} to {:+})".format(*gain(PLACED)),
    "turning leaning heads": "At 30 degrees the turn adds {} points ({:+} to {:+})".format(
        *gain("rotating", 30.0)
    ),
    "leaning heads": f"{tar('five', lean=30.0)} % at 30 degrees, {tar('five', lean=45.0)} % at 45",
    "dlib's points": (
        f"upright faces only, give {tar('five', 'hog', 30.0)} and {tar('five', 'hog', 45.0)} %"
    ),
}


@pytest.mark.parametrize("part", TOLD)
def test_the_page_tells_what_was_measured(part):
    assert TOLD[part] in PAGE


def test_worse_photos_too():
    kinds = ("low-resolution=24", "blur=0.02", "dark=0.12", "glasses=0.97")
    five = [tar("five", worse=kind) for kind in kinds]
    whole = sorted(tar("none", worse=kind) for kind in kinds)
    told = "With five points {}, {}, {} and {} % are still recognized".format(*five)
    assert f"{told}, in whole photos {whole[0]} to {whole[-1]} %" in PAGE
