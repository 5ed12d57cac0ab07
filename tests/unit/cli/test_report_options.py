"""--out, --report, --figures, --csv and --no-photos: the same words, and never over a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.cli.app import run
from facelign.datasets.folder import read_folder
from facelign.lab.material.trials import Trials
from facelign.report import provenance
from facelign.types.specs import Task


@pytest.mark.parametrize(
    "command",
    [
        *(
            ["evaluate", name]
            for name in (
                *("verification", "identification", "compare"),
                *("landmarks", "detection", "ensemble"),
            )
        ),
        ["calibrate"],
        ["study", "alignment"],
    ],
    ids=" ".join,
)
def test_every_evaluation_writes_page_figures_and_numbers(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run([*command, "--help"]) == 0
    told = capsys.readouterr().out
    for option in ("--report", "--no-photos", "--figures", "--csv"):
        assert option in told


@pytest.mark.parametrize(
    "words",
    [
        ["hog", "PHOTO"],
        ["chain", "PHOTO"],
        ["barcodes", "PHOTO", "PHOTO"],
        ["similarity", "PHOTO"],
        ["tsne", "PHOTO"],
        ["detectors", "PHOTO", "--detectors", "yunet"],
    ],
    ids=lambda words: words[0],
)
def test_no_figure_is_written_over_a_photo(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "a.png"
    Pillow.fromarray(np.zeros((40, 40, 3), np.uint8)).save(photo)
    before = photo.read_bytes()
    filled = [str(photo) if word == "PHOTO" else word for word in words]
    assert run(["plot", *filled, "--out", str(photo)]) == 2
    assert photo.read_bytes() == before
    assert "--out would write over the photo" in capsys.readouterr().err


def test_a_kind_of_figure_that_does_not_exist_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "no weights here"))
    photo = tmp_path / "a.png"
    Pillow.fromarray(np.zeros((40, 40, 3), np.uint8)).save(photo)
    assert run(["plot", "hog", str(photo), "--out", str(tmp_path / "a.gif")]) == 2
    assert "cannot be written as '.gif'" in capsys.readouterr().err


def _people(folder: Path, shade: int) -> Trials:
    for person in ("Ann", "Bo"):
        (folder / person).mkdir(parents=True)
        for k in range(2):
            pixels = np.full((8, 8, 3), shade + k, np.uint8)
            Pillow.fromarray(pixels).save(folder / person / f"{k}.png")
    return Trials.all_pairs(read_folder(folder))


def test_the_digest_names_the_photos_and_not_their_place(tmp_path: Path) -> None:
    first = _people(tmp_path / "x", 10).digest()
    assert first == _people(tmp_path / "moved" / "y", 10).digest()
    assert first != _people(tmp_path / "z", 11).digest()


def test_a_report_of_several_models_names_all_their_weights() -> None:
    models = [(Task.DETECT, "yunet"), (Task.EMBED, "sface"), (Task.DETECT, "yunet")]
    told = provenance.table(None, {"set": "s"}, models)
    named = [name for name in told if name.startswith("weights of ")]
    assert len(named) == 2
    assert all(len(told[name]) == 64 for name in named)
