"""Cascades out of the installed OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facelign.errors import ExtraMissing, WeightsMissing
from facelign.runtime.opencv import cascade, cascade_path

NAME = "haarcascade_frontalface_default.xml"


def test_by_name_and_by_path() -> None:
    for source in (NAME, cascade_path(NAME)):
        assert len(cascade(source).detectMultiScale(np.zeros((60, 60), np.uint8))) == 0


def test_a_name_that_opencv_does_not_carry() -> None:
    with pytest.raises(WeightsMissing, match=r"no-such\.xml"):
        cascade("no-such.xml")


def test_a_file_that_is_no_cascade(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<?xml version='1.0'?><opencv_storage></opencv_storage>")
    with pytest.raises(WeightsMissing, match="cannot read"):
        cascade(path)


def test_an_opencv_without_cascades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(ExtraMissing, match="CascadeClassifier"):
        cascade(NAME)
    monkeypatch.delattr(cv2, "data")
    with pytest.raises(WeightsMissing, match=NAME):
        cascade_path(NAME)
