"""From a folder of presentations to a record: real photos, made attacks, the product's own walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign import models
from facelign.datasets.presentations import Presentation, read_presentations
from facelign.errors import Refused
from facelign.lab.pad import report, run
from facelign.lab.pad.attacks import Species, attack
from facelign.lab.pad.figures import Answers
from facelign.lab.pad.run import Judged
from facelign.liveness.records import from_json, to_json
from facelign.models.weights.store import Store
from facelign.recognition.judging import LiveCheck
from facelign.recognition.recognizer import Recognizer
from facelign.types.faces import Box
from facelign.types.image import Image


def judged(
    people: int = 12, each: int = 5, attack_score: float = 0.2, species: int = 2, name: str = "door"
) -> Judged:
    """Scores without photos: bona fide ones from 0.3 on, attacks around ``attack_score``."""
    generator = np.random.default_rng(7)
    n = people * each
    kinds = [-1, *range(species)]
    scores = [
        generator.uniform(0.3, 1, n) if k < 0 else generator.normal(attack_score, 0.1, n).clip(0, 1)
        for k in kinds
    ]
    every = n * len(kinds)
    answers = Answers(
        np.concatenate(scores),
        np.ones(every, bool),
        np.repeat(kinds, n).astype(np.int64),
        np.tile(np.arange(n) % people, len(kinds)).astype(np.int64),
        np.zeros(every, np.int64),
        ("print", "screen", "mask")[:species],
    )
    shown = tuple(Presentation(Path(__file__), "", "Ann") for _ in range(every))
    return Judged(name, "minifasnet", "yunet", shown, answers, {}, {})


def test_a_threshold_keeps_every_species_and_says_what_stands_behind_it() -> None:
    record = run.calibrate(judged(), 0.05, date="2026-11-28", draws=200)
    assert max(one.rate for one in record.attacks) <= 0.05
    assert record.bona_fide.rate < 0.5
    assert (record.subjects, record.devices, record.not_checked) == (12, 1, 0)
    assert all(one.high >= 0.05 for one in record.attacks)  # twelve people leave room
    assert 0 <= record.held_out < 0.3
    assert from_json(to_json(record)) == record
    lower = run.calibrate(judged(), 0.2, date="2026-11-28", draws=200)
    assert lower.threshold < record.threshold


@pytest.mark.parametrize(
    ("data", "target", "hint"),
    [
        (judged(each=4), 0.05, "12 more presentations of print"),
        (judged(people=5, each=20), 0.05, "5 more people of print"),
        (judged(species=1), 0.05, "1 more species of attack"),
        (judged(species=0), 0.05, "2 more species of attack"),
    ],
)
def test_what_cannot_be_carried_is_refused_with_what_is_missing(
    data: Judged, target: float, hint: str
) -> None:
    with pytest.raises(Refused, match="needs more than door has") as caught:
        run.calibrate(data, target, date="2026-11-28", draws=200)
    assert hint in caught.value.hint


def test_a_model_that_cannot_tell_gets_no_threshold() -> None:
    with pytest.raises(Refused, match="No threshold keeps every species"):
        run.calibrate(judged(attack_score=5), 0.05, date="2026-11-28", draws=200)


def test_a_claim_is_shown_refuted_or_beyond_the_data() -> None:
    held = run.measure(judged(people=70), 0.6, "", target=0.05, draws=200)
    assert held.shown is True
    assert "at most is shown" in report.claim(held)
    broken = run.measure(judged(people=70), 0.2, "", target=0.05, draws=200)
    assert broken.shown is False
    assert "is not shown: " in report.verdict(broken)
    open_ = run.measure(judged(), 0.6, "", target=0.05, draws=200)
    assert open_.shown is None
    assert "48 more people of print" in report.claim(open_)
    assert open_.to_dict()["claim"]["shown"] is None
    assert "One device: nothing follows for another." in open_.caveats
    assert run.measure(judged(), 0.6, "").to_dict()["claim"] is None


def test_the_species_that_passes_most_leads() -> None:
    data = judged()
    scores = np.where(data.answers.species == 1, 0.95, data.answers.scores)
    data = replace(data, answers=replace(data.answers, scores=scores))
    found = run.measure(data, 0.5, "", draws=200)
    assert found.worst is not None
    assert (found.worst.name, found.worst.rate.value) == ("screen", 1.0)
    assert report.verdict(found).startswith("screen passes most often: APCER 100.0 %")
    assert found.bona_fide is not None
    assert found.acer == (1 + found.bona_fide.rate.value) / 2


@pytest.mark.weights
def test_a_folder_walks_as_photos_do(
    tmp_path: Path, portrait: Image, plain_weights: Store, pulled: Callable[..., Store]
) -> None:
    pulled(*models.default().find("minifasnet"))

    def keep(pixels: object, place: str) -> None:
        target = tmp_path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(pixels).save(target)

    keep(portrait.pixels, "bona-fide/Eileen/webcam/1.png")
    keep(portrait.pixels[::4, ::4], "bona-fide/Eileen/webcam/small.png")
    for species in Species:
        keep(
            attack(portrait.pixels, Box(178, 62, 268, 176), species, 1),
            f"attack/{species}/Eileen/webcam/1.png",
        )
    keep(np.zeros((64, 64, 3), np.uint8), "attack/print/Eileen/webcam/black.png")
    (tmp_path / "attack/print/Eileen/webcam/bad.jpg").write_bytes(b"\xff\xd8no picture")
    recognizer = Recognizer()
    found = run.judge(recognizer, read_presentations(tmp_path), LiveCheck())
    assert found.silent == {"too small": 1, run.NO_FACE: 1}
    assert [Path(path).name for path in found.unread] == ["bad.jpg"]
    measured = run.measure(found, 0.5, "", draws=200)
    rates = {one.name: (one.wrong, one.answered, one.silent) for one in measured.attacks}
    assert rates == {"cut-out": (0, 1, 0), "print": (0, 1, 1), "screen": (0, 1, 0)}
    assert measured.bona_fide is not None
    assert (measured.bona_fide.wrong, measured.bona_fide.silence) == (0, 0.5)
    assert len(found.digest) == 64


def test_a_report_can_be_drawn_without_bona_fide_or_attacks() -> None:
    page = report.report(run.measure(judged(), 0.5, "", draws=200), {})
    assert page.sections[1].figures
    only = run.measure(judged(species=0), 0.5, "", draws=200)
    assert "No attack was answered" in report.report(only, {}).verdict
    assert not report.report(only, {}).sections[1].figures
