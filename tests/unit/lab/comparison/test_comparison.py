"""Contenders: who is held against whom, and corrected p values by hand."""

from __future__ import annotations

import pytest

from facelign.errors import ConfigError
from facelign.lab.comparison import run as comparison


def test_holm_by_hand() -> None:
    assert comparison.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert comparison.holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert comparison.holm([]) == []


def test_contenders_are_crossed() -> None:
    named = [w.name for w in comparison.crossed(["default", "fast"], ["yunet", "mtcnn"])]
    assert named == ["default, yunet", "default, mtcnn", "fast, yunet", "fast, mtcnn"]
    named = [w.name for w in comparison.crossed([], models=["sface", "dlib-resnet"])]
    assert named == ["sface", "dlib-resnet"]
    with pytest.raises(ConfigError):
        comparison.crossed(["default"])
