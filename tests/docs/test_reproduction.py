"""docs/reproduction.md is what its numbers make of it, and every row is there."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

import facelign

ROOT = Path(__file__).resolve().parents[2]
#: figure rows of the articles that this page must hold, measured or with the reason why not
WANTED = {
    *("A0-04", "A0-12", "A0-13", "A0-14", "A1-04", "A1-14", "A1-19"),
    *("A2-04", "A2-09", "A2-10", "A2-11", "A2-12", "A2-13", "A2-18", "A2-25"),
    *("A3-01", *(f"A3-{n:02d}" for n in range(8, 18)), "A3-23", "A3-24", "A4-04", "A4-05"),
}


@pytest.fixture
def reproduce(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import reproduce

    yield reproduce
    for name in [n for n in sys.modules if n.split(".")[0] in ("reproduce", "reproduction")]:
        del sys.modules[name]


def test_every_figure_row_is_there(reproduce):
    assert {row.id for row in reproduce.ROWS} >= WANTED
    assert len({row.id for row in reproduce.ROWS}) == len(reproduce.ROWS)


def test_every_row_is_measured_or_says_why_not(reproduce):
    for row in reproduce.ROWS:
        assert (row.id in reproduce.MEASURES) == (not row.cannot), row.id
        assert bool(row.tell) == (not row.cannot), row.id
        assert row.article, row.id
        assert row.conditions, row.id
        assert set(row.pictures) <= set(reproduce.PICTURES), row.id
    assert set(reproduce.MEASURES) <= {row.id for row in reproduce.ROWS}


def test_the_page_is_written_from_its_numbers(reproduce):
    kept = reproduce.read()
    assert reproduce.PAGE.read_text(encoding="utf-8") == reproduce.page(kept), "run: make reproduce"
    assert set(kept) <= {row.id for row in reproduce.ROWS}


def test_only_rows_that_are_measured_count_as_measured(reproduce):
    """Arithmetic on an article's numbers and shipped files are told apart from measurements."""
    kinds = {row.id: row.kind for row in reproduce.ROWS if row.kind != "measured"}
    arithmetic = dict.fromkeys(("A2-04", "A2-09", "A3-01"), "arithmetic")
    assert kinds == {"A1-14": "read", **arithmetic}
    page = reproduce.PAGE.read_text(encoding="utf-8")
    measured = len(re.findall(r"^Measured \d{4}-", page, re.MULTILINE))
    assert f"{measured} rows are measured;" in page


def test_a_row_keeps_of_its_figures_what_it_tells(reproduce):
    row = next(row for row in reproduce.ROWS if row.id == "A0-04")
    line = {
        "accuracy": 0.5,
        "accuracy_se": 0.125,
        "auc": 0.75,
        "intervals": {"accuracy": {"value": 0.5, "low": 0.25, "high": 0.75}, "auc": {}},
        "failures": {"count": 2, "photos": ["a person's photo"]},
    }
    kept = row.slim(line)
    assert kept["failures"] == {"count": 2}
    assert set(kept["intervals"]) == {"accuracy"}
    ((what, words),) = row.lines({"lines": {"a chain": kept}})
    assert (what, words.split(",")[0]) == (
        "a chain",
        "accuracy 50.00 % +- 12.50 % (people drawn: 25.00 to 75.00)",
    )
    with pytest.raises(KeyError, match="A0-04: no template"):
        row.slim({"auc": 1.0})


def test_each_row_tells_its_command(reproduce):
    page = reproduce.PAGE.read_text(encoding="utf-8")
    missing = [
        row.id
        for row in reproduce.ROWS
        if not row.cannot and f"python tools/reproduce.py {row.id}\n" not in page
    ]
    assert not missing


def test_the_commands_by_hand_exist(reproduce, monkeypatch):
    """Flags of the facelign commands that rows name are flags that there are."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(
        "make_reference_pages", ROOT / "tools" / "make_reference_pages.py"
    )
    assert spec is not None
    assert spec.loader is not None
    pages = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "make_reference_pages", pages)
    spec.loader.exec_module(pages)
    commands = dict(pages.commands())
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    for row in reproduce.ROWS:
        for command in filter(None, row.hand.split("; ")):
            words = command.removeprefix("facelign ").split()
            path = next(
                (" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in commands), None
            )
            assert path, f"{row.id}: {command}"
            for flag in re.findall(r"--[a-z-]+", command):
                assert f"`{flag}" in text or flag in text, f"{row.id}: {flag}"


@pytest.fixture
def apart(reproduce, monkeypatch, tmp_path):
    """The tool, with an empty home and with numbers and page of its own."""
    kept = reproduce.read()
    monkeypatch.setattr(reproduce, "KEPT", tmp_path / "kept.json")
    monkeypatch.setattr(reproduce, "PAGE", tmp_path / "reproduction.md")
    monkeypatch.setattr(reproduce, "DRAWN", tmp_path)
    reproduce.KEPT.write_text(json.dumps({"rows": kept}), encoding="utf-8")
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FACELIGN_MIRROR", raising=False)
    monkeypatch.setattr(reproduce.here, "settle", lambda: None)
    return reproduce


def run(tool, monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["reproduce.py", *words])
    return tool.main()


def test_what_a_row_needs_is_told_and_nothing_is_fetched(apart, monkeypatch, tmp_path, capsys):
    before = apart.KEPT.read_text(encoding="utf-8")
    assert run(apart, monkeypatch, "A3-10") == 1
    said = capsys.readouterr().err
    first = said.splitlines()[0]
    for part in ("yunet (0.1 MB)", "sface (10.7 MB)", "dlib-68 (99.7 MB)", "--fetch brings them"):
        assert part in first
    assert "A3-10: a part is missing, so the figures that were kept stay." in said
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert apart.KEPT.read_text(encoding="utf-8") == before


def test_photos_that_are_not_there_are_told_with_their_place(apart, monkeypatch, tmp_path, capsys):
    from reproduction import measures

    away = tmp_path / "away"
    monkeypatch.setattr(measures, "PLACES", dict.fromkeys(measures.PLACES, away))
    assert run(apart, monkeypatch, "A3-09", "A3-10", "A2-04") == 1
    said = capsys.readouterr().err
    assert said.count(f"The photos of lfw_100 are not at {away}.") == 7  # every part of two rows
    assert f"muct76-opencv.csv.gz and muct_crops.csv are not at {away}." in said


def test_a_run_says_at_once_which_photos_each_row_lacks_and_what_it_measures(
    apart, monkeypatch, tmp_path, capsys
):
    from reproduction import needs

    monkeypatch.setattr(needs, "PLACES", dict.fromkeys(needs.PLACES, tmp_path / "away"))
    assert run(apart, monkeypatch, "A3-11", "A2-10") == 1
    said = capsys.readouterr().err.splitlines()
    assert any(line.startswith("A3-11: the photos of lfw_100 are not at ") for line in said)
    plan = next(line for line in said if line.startswith("Measured now: "))
    assert plan.startswith("Measured now: A3-11; not to be measured here: A2-10.")
    assert run(apart, monkeypatch) == 0
    plan = capsys.readouterr().err
    assert "Measured now: nothing; kept as they are (--again measures them too): A0-04" in plan


def test_rows_say_which_weights_were_used(reproduce):
    from reproduction.needs import weights_of

    told = {row.id: weights_of(row) for row in reproduce.ROWS}
    assert told["A3-11"] == "`yunet`, `sface-int8` (8 bits)"
    assert told["A0-12"] == "`yunet`, `sface`", "a study has a default of its own"
    assert told["A2-09"] == ""
    page = reproduce.PAGE.read_text(encoding="utf-8")
    shown = [row for row in reproduce.ROWS if told[row.id] and not row.cannot]
    assert page.count("| weights | ") == len(shown)


@pytest.mark.shared
@pytest.mark.weights
def test_a_part_that_cannot_be_measured_leaves_the_others(
    apart, monkeypatch, recognition, shared, capsys
):
    monkeypatch.setenv("FACELIGN_MIRROR", str(shared / "weights"))
    facelign.models.pull("yunet", "sface-int8")
    before = apart.KEPT.read_text(encoding="utf-8")
    assert run(apart, monkeypatch, "A3-08") == 1
    out, err = capsys.readouterr()
    assert "A3-08  YuNet, SFace (preset default): Chirac with Chirac" in out
    assert "A3-08, dlib's HOG, 68 points and ResNet: not measured: The weights of " in err
    assert apart.KEPT.read_text(encoding="utf-8") == before


def test_needs_follow_the_flags_of_a_row(reproduce):
    from reproduction.needs import needed

    needs = {row.id: {name for _, name in needed(row)} for row in reproduce.ROWS}
    assert needs["A3-11"] == {"yunet", "sface-int8"}
    assert needs["A2-09"] == set()
    assert {"hog", "dlib-68", "dlib-resnet", "mobilefacenet"} <= needs["A3-10"]
    assert {"haar", "mtcnn", "yunet", "dlib-68"} <= needs["A1-04"]
    one = next(row for row in reproduce.ROWS if row.id == "A3-10")
    parts = [part.name for part in one.parts()]
    assert len(parts) == len(set(parts)) == len(one.chains)


def test_without_an_install_one_sentence_says_what_to_do():
    import subprocess

    words = [sys.executable, "-I", "-S", str(ROOT / "tools" / "reproduce.py"), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install -e" in done.stderr
