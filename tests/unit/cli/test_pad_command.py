"""``facelign evaluate pad`` and ``calibrate --liveness`` as people type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow
from PIL import ImageEnhance
from skimage import data

from facelign import models
from facelign.cli.app import run
from facelign.cli.exits import Exit
from facelign.lab.pad.attacks import Species, attack
from facelign.models.weights.store import Store
from facelign.types.faces import Box

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def door(
    tmp_path_factory: pytest.TempPathFactory, plain_weights: Store, pulled: Callable[..., Store]
) -> Path:
    """Ten "people" (the portrait in ten lights), bona fide and as prints and screens."""
    pulled(*models.default().find("minifasnet"))
    root = tmp_path_factory.mktemp("sets") / "door"
    head = data.astronaut()[:256, 96:352]
    portrait = Pillow.fromarray(head)
    for k in range(10):
        lit = ImageEnhance.Brightness(portrait).enhance(0.75 + 0.05 * k)
        person = root / "bona-fide" / f"p{k}"
        person.mkdir(parents=True)
        lit.save(person / "1.png")
        for species in (Species.PRINT, Species.SCREEN):
            place = root / "attack" / species / f"p{k}"
            place.mkdir(parents=True)
            pixels = attack(head, Box(82, 62, 172, 176), species, k)
            Pillow.fromarray(pixels).save(place / "1.png")
    return root


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([str(word) for word in words])
        shown = capsys.readouterr()
        return code, shown.out, " ".join(shown.err.split())

    return call


def test_rates_by_species_and_a_page(said, door, tmp_path) -> None:
    page = tmp_path / "pad.html"
    code, out, _ = said("evaluate", "pad", door, "--json", "--report", page, "--csv", tmp_path)
    assert code == Exit.DONE
    told = json.loads(out)
    assert {one["species"] for one in told["attacks"]} == {"print", "screen"}
    assert told["bona_fide"]["presentations"] == 10
    assert told["apcer"] == max(one["rate"]["value"] for one in told["attacks"])
    assert told["apcer_at_bpcer"]["0.01"] is None
    assert told["claim"] is None
    assert any("never the only gate" in text for text in told["caveats"])
    text = page.read_text(encoding="utf-8")
    for word in ("APCER", "BPCER", "APNRR", "minifasnet", "never the only gate"):
        assert word in text


def test_a_claim_that_ten_people_cannot_carry_is_refused(said, door, tmp_path) -> None:
    code, out, err = said("evaluate", "pad", door, "--apcer", "0.05")
    assert code == Exit.INPUT
    assert "passes most often: APCER" in out
    assert "cannot be shown by this data" in out
    assert "too few bona fide presentations" in out
    assert "Another camera" in err
    assert "50 more presentations and 50 more people of print" in err
    record = tmp_path / "door.json"
    code, _, err = said("calibrate", "--liveness", door, "--out", record)
    assert code == Exit.INPUT
    assert "needs more than door has" in err
    assert not record.exists()


def test_a_threshold_is_made_kept_and_used(said, door, tmp_path) -> None:
    record = tmp_path / "door.json"
    words = ("calibrate", "--liveness", door, "--out", record, "--apcer", "0.3")
    code, out, err = said(*words, "--json")
    assert code == Exit.DONE, err
    told = json.loads(out)
    assert 0 < told["threshold"] < 1
    assert told["out"] == str(record)
    assert "never the only gate" in told["note"]
    code, _, err = said(*words)
    assert code == Exit.USAGE  # it is there
    code, out, _ = said(*words, "--replace", "--set", "hall")
    assert code == Exit.DONE
    assert "hall, 20" in out
    photo = door / "bona-fide/p5/1.png"
    code, out, _ = said("liveness", photo, "--threshold", record, "--json")
    assert code == Exit.DONE
    assert json.loads(out)["liveness"]["threshold"]["source"].startswith("hall, 20")
    code, _, err = said("liveness", photo, "--threshold", record, "--model", "minifas-98")
    assert code == Exit.MODEL
    assert "is of liveness model 'minifasnet'" in err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ("evaluate pad none", Exit.INPUT, "There is no folder"),
        ("evaluate pad DOOR --apcer 2", Exit.USAGE, "no share"),
        ("evaluate pad DOOR --threshold 3", Exit.USAGE, "neither a score"),
        ("evaluate pad DOOR --model nobody", Exit.MODEL, "nobody"),
        ("calibrate --liveness DOOR", Exit.USAGE, "needs a name"),
        ("calibrate --liveness DOOR --images DOOR --out x.json", Exit.USAGE, "--images would"),
        ("calibrate --images DOOR --apcer 0.1 --out x.json", Exit.USAGE, "belongs to --liveness"),
        ("calibrate --liveness DOOR --out x.json --report r.html", Exit.USAGE, "no report"),
    ],
)
def test_what_cannot_be_meant_is_refused(said, door, words, code, why) -> None:
    got, _, err = said(*(door if word == "DOOR" else word for word in words.split()))
    assert got == code
    assert why in err
