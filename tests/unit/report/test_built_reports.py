"""Reports of runs: every section that makes sense, no photo where none is wanted, no network."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.compare.thresholds import uncalibrated
from facelign.datasets.records import Photo
from facelign.lab.calibration import report as calibration_report
from facelign.lab.calibration import run as calibrated
from facelign.lab.calibration.figures import CalibrationRequest
from facelign.lab.identification import report as identification_report
from facelign.lab.identification import run as identification_run
from facelign.lab.material.named import Named
from facelign.lab.material.photos import Embedded, Failure
from facelign.lab.material.thumbnails import FACE, Thumbnails, whole
from facelign.lab.material.trials import Trials
from facelign.lab.verification import report as verification_report
from facelign.lab.verification import run as measured
from facelign.report import files, html, provenance
from facelign.types.embeddings import Metric, Space
from told_figures import odd_cells

SPACE = Space("made/up/five", 16, Metric.COSINE, unit=True)
LOADS = re.compile(
    r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//|@import"""
)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    """Twelve people with four photos each, pictures of noise, and one photo without a face."""
    rng = np.random.default_rng(1)
    root = tmp_path_factory.mktemp("noise")
    rows = np.repeat(rng.normal(size=(12, 16)), 4, axis=0) + rng.normal(scale=0.6, size=(48, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    people = tuple(f"p{i:02d}" for i in np.repeat(np.arange(12), 4))
    photos = []
    for i in range(49):
        person = people[min(i, 47)]
        path = root / person / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Pillow.fromarray(rng.integers(0, 255, (60, 50, 3), np.uint8)).save(path)
        photos.append(Photo(path, person))
    heights = rng.uniform(20, 130, 48)
    named = Named(SPACE, rows.astype(np.float32), people, heights, tuple(map(str, range(48))))
    return Embedded(
        named,
        np.append(np.arange(48), -1),
        tuple(photos),
        (Failure(str(photos[48].path), "No face was found."),),
        (Failure(str(photos[0].path), "found only by: padded"),),
        tuple((-5.0, 5.0, 40.0, 55.0) for _ in range(48)),
        {"height": heights, "norm": rng.uniform(1, 2, 48)},
    )


def _pictures(page: str) -> int:
    return page.count("data:image/jpeg")


def test_a_verification_report(embedded: Embedded, tmp_path: Path) -> None:
    run = measured.run(
        Trials.among(embedded.photos, "made <up>"),
        embedded,
        measured.Choices(
            draws=100,
            heights=True,
            groups={f"p{i:02d}": "odd" if i % 2 else "even" for i in range(12)},
            overlap={"some_training_set": 3},
        ),
        fixed=uncalibrated(0.5, "given"),
    )
    built = verification_report.report(
        run,
        provenance.table(None, {"set": "made", "seed": 1}),
        verification_report.VerificationPage(caveats=["Mind the gap."]),
    )
    assert odd_cells(built) == []
    titles = [section.title for section in built.sections]
    assert titles == [
        "Error rates",
        "Thresholds",
        "Groups of people",
        "Height of the face",
        "Worst pairs",
        "Who causes most errors",
        "Failures and fallbacks",
        "Which photos to refuse",
        "Faces in the plane",
        "Every photo against every photo",
    ]
    page, bare = html.render(built), html.render(built, photos=False)
    for text in (page, bare):
        assert not LOADS.search(text)
        assert "made &lt;up&gt;" in text
        assert "<up>" not in text
        assert "some_training_set" in text
        assert "Mind the gap." in text
    assert _pictures(page) > 40
    assert not _pictures(bare)
    written = files.figures(built, tmp_path / "figures", photos=False)
    assert {path.suffix for path in written} == {".png", ".svg"}
    numbers = files.numbers(built, tmp_path / "numbers")
    assert all(path.read_text().count("\n") > 1 for path in numbers)
    assert len({path.name for path in numbers}) == len(numbers)


def test_the_numbers_of_the_report_are_those_of_the_run(embedded: Embedded) -> None:
    trials = Trials.among(embedded.photos, "made")
    run = measured.run(trials, embedded, measured.Choices(draws=100))
    built = verification_report.report(run, {}, verification_report.VerificationPage(photos=False))
    facts = {fact.label: fact.value for fact in built.headline}
    assert facts["AUC"] == f"{run.result.auc:.5f}"
    assert facts["Accuracy"] == f"{100 * run.result.accuracy:.2f} %"
    table = built.sections[0].tables[0]
    assert [row[1] for row in table.rows if str(row[0]) == "0.000001"] == ["needs 1,000,000 pairs"]
    # the dashed line of F1 lies where the table says
    best = built.sections[1].figures[0].numbers
    at = int(np.argmax(best["f1"]))
    assert best["threshold"][at] == pytest.approx(run.result.best["f1"].threshold)


def test_an_identification_report(embedded: Embedded) -> None:
    limits = identification_run.SearchLimits.constant(0.5, "given")
    run = identification_run.run(
        embedded.named, limits, name="made", sizes=(3, 6), heights=True, failures=embedded.failures
    )
    built = identification_report.report(run, {}, identification_report.PageOptions(embedded))
    assert odd_cells(built) == []
    titles = {section.title for section in built.sections}
    assert {"Size of the gallery", "Height of the face", "Failures", "Faces in the plane"} <= titles
    page = html.render(built)
    assert not LOADS.search(page)
    assert _pictures(page) > 10
    bare = html.render(
        identification_report.report(run, {}, identification_report.PageOptions()), photos=False
    )
    assert not _pictures(bare)


def test_a_calibration_report(embedded: Embedded) -> None:
    wanted = CalibrationRequest("made", "made", "2026-01-01", target=0.1, draws=100)
    built = calibration_report.report(calibrated.run(embedded.named, wanted), {})
    assert odd_cells(built) == []
    assert [section.title for section in built.sections] == [
        "Error rates",
        "Held-out check",
        "What a score means",
    ]
    page = html.render(built, photos=False)
    assert not LOADS.search(page)
    assert "Each half of the people" in page


def test_thumbnails_are_small_squares_even_at_the_edge(embedded: Embedded) -> None:
    import io

    cut = Thumbnails(embedded)
    face = cut.face(0, caption="said")
    assert face is not None
    assert face.caption == "said"
    assert Pillow.open(io.BytesIO(face.data)).size == (FACE, FACE)
    no_face = cut.face(48)
    assert no_face is not None  # the whole photo stands in
    assert Pillow.open(io.BytesIO(no_face.data)).size == (93, 112)
    gone = replace(embedded, photos=(Photo(Path("gone.jpg"), "x"), *embedded.photos[1:]))
    assert Thumbnails(gone).face(0) is None
    assert whole("gone.jpg") is None
