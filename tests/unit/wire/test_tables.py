"""Tables on disk: whole, in the format of their suffix, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import ConfigError
from facelign.types.options import hints, option_of
from facelign.wire import tables
from facelign.wire.cells import csv_text, guarded
from facelign.wire.options import OutputFlags
from facelign.wire.records import failure
from facelign.wire.tables import FORMATS, FaceTable

FACE = {"box": [1.0, 2.0, 3.0, 4.0], "height": 2.0, "person": "Ada", "score": 0.5, "reason": ""}
PHOTO = {"image": "a.jpg", "width": 9, "height": 9, "faces": [FACE, FACE], "error": None}


def read(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_a_face(tmp_path):
    with FaceTable(tmp_path / "t.csv") as table:
        table.add(PHOTO)
        table.add(PHOTO | {"faces": []})
    rows = read(tmp_path / "t.csv")
    assert [row["face"] for row in rows] == ["0", "1", ""]
    assert (rows[0]["x1"], rows[0]["y2"], rows[0]["person"]) == ("1.0", "4.0", "Ada")
    assert tuple(rows[0]) == tables.COLUMNS
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_json_lines_are_the_records(tmp_path):
    with FaceTable(tmp_path / "t.jsonl") as table:
        table.add(PHOTO)
        table.add(failure("b.jpg", "It is empty."))
    lines = (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [PHOTO, failure("b.jpg", "It is empty.")]


def test_failures_lie_beside_and_go_when_there_are_none(tmp_path):
    with FaceTable(tmp_path / "t.csv") as table:
        table.add(failure("b.jpg", "It is empty."))
        table.add({"image": "c.jpg", "enrolled": False, "reason": "too small", "failed": True})
        table.add({"image": "d.jpg", "enrolled": False, "reason": "already", "failed": False})
    rows = read(tmp_path / "t.failures.csv")
    assert rows == [
        {"image": "b.jpg", "reason": "It is empty."},
        {"image": "c.jpg", "reason": "too small"},
    ]
    with FaceTable(tmp_path / "t.csv"):
        pass
    assert not (tmp_path / "t.failures.csv").exists()


def test_results_and_files_of_others_are_never_deleted(tmp_path):
    """Whatever the table is called, and whatever lies beside it."""
    for name in ("failures.csv", "t.failures.csv", "t.csv", "t.jsonl"):
        with FaceTable(tmp_path / name) as table:
            table.add(PHOTO)
        assert (tmp_path / name).stat().st_size, name
    everything = ["failures.csv", "t.csv", "t.failures.csv", "t.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == everything
    (tmp_path / "t.failures.csv").write_text("my own notes")
    for broken in (True, False):
        with FaceTable(tmp_path / "t.csv") as table:
            table.add(failure("b.jpg", "It is empty.") if broken else PHOTO)
        assert (tmp_path / "t.failures.csv").read_text() == "my own notes"
        assert (tmp_path / "t.failures-2.csv").exists() is broken


def test_failures_of_one_table_outlive_another(tmp_path):
    for name in ("monday.csv", "monday.jsonl", "tuesday.csv"):
        with FaceTable(tmp_path / name) as table:
            table.add(failure("b.jpg", "It is empty.") if "monday" in name else PHOTO)
    left = sorted(path.name for path in tmp_path.glob("*failures*"))
    assert left == ["monday.failures.csv", "monday.jsonl.failures.csv"]


def test_spreadsheets_know_the_encoding(tmp_path):
    with FaceTable(tmp_path / "t.csv") as table:
        table.add(PHOTO | {"faces": [FACE | {"person": "Jürgen 脸"}]})
        table.add(failure("b.jpg", "It is empty."))
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\xef\xbb\xbfimage,"), path


@pytest.mark.parametrize("command", tables.COLUMNS_OF)
def test_a_command_writes_the_columns_that_it_can_fill(tmp_path, command):
    columns = tables.COLUMNS_OF[command]
    assert set(columns) <= set(tables.COLUMNS)
    with FaceTable(tmp_path / "t.csv", columns) as table:
        table.add(PHOTO | {"folders": ["Ada", "Bob"], "left": ["unknown"]})
    first = read(tmp_path / "t.csv")[0]
    assert tuple(first) == columns
    if command == "sort":
        assert (first["folders"], first["left"]) == ("Ada; Bob", "unknown")


def test_no_cell_holds_what_a_terminal_obeys(tmp_path):
    name = "a\x1b[31mred\x9b1m\u202e\nb.jpg"
    spelled = "a\\x1b[31mred\\x9b1m\\u202e\\nb.jpg"
    with FaceTable(tmp_path / "t.csv") as table:
        table.add(PHOTO | {"image": name, "faces": [FACE | {"person": name, "reason": name}]})
        table.add(failure(name, "It is empty."))
    first, second = read(tmp_path / "t.csv")
    (lost,) = read(tmp_path / "t.failures.csv")
    assert first["image"] == first["person"] == first["reason"] == spelled
    assert second["image"] == lost["image"] == spelled
    assert csv_text([[name]]) == f"{spelled}\n"
    with FaceTable(tmp_path / "t.jsonl") as table:
        table.add(PHOTO | {"image": name})
    text = (tmp_path / "t.jsonl").read_text(encoding="utf-8")
    assert not set(text) & set("\x1b\x9b\u202e")
    assert json.loads(text)["image"] == name


@pytest.mark.parametrize(
    "name", ['=HYPERLINK("x")', "+1+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3|x", "\uff1d1|x"]
)
def test_no_name_is_a_formula(tmp_path, name):
    with FaceTable(tmp_path / "t.csv") as table:
        table.add(PHOTO | {"image": name, "faces": [FACE | {"person": name}]})
        table.add(failure(name, "It is empty."))
    first, second = read(tmp_path / "t.csv")
    (lost,) = read(tmp_path / "t.failures.csv")
    assert first["image"] == first["person"] == second["image"] == lost["image"] == f"'{name}"


def test_an_early_end_keeps_what_was_done(tmp_path):
    def interrupted():
        with FaceTable(tmp_path / "t.csv") as table:
            table.add(PHOTO)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(read(tmp_path / "t.csv")) == 2


def test_other_formats_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"must end in .csv or .jsonl"):
        FaceTable(Path("t.xlsx"))


def test_a_further_format_is_one_entry(tmp_path, monkeypatch):
    class Count:
        def __init__(self, path, columns):
            self.path, self.seen = path, 0

        def add(self, record):
            self.seen += 1

        def close(self):
            self.path.write_text(str(self.seen))

    monkeypatch.setattr(tables, "FORMATS", {**tables.FORMATS, ".count": Count})
    with FaceTable(tmp_path / "t.count") as table:
        table.add(PHOTO)
    assert (tmp_path / "t.count").read_text() == "1"


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FaceTable(None) as table:
        table.add(failure("b.jpg", "It is empty."))
    assert list(tmp_path.iterdir()) == []


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.none()))
def test_numbers_stay_what_they_are(value):
    assert guarded(value) is value


@given(st.floats(allow_nan=False))
def test_numbers_as_text_stay_too(value):
    assert guarded(f"{value:+.3e}") == f"{value:+.3e}"
    assert csv_text([[value]]).strip() == str(value)


def test_the_option_of_a_table_names_every_format():
    words = option_of(hints(OutputFlags)["out"]).help
    assert [suffix for suffix in FORMATS if suffix not in words] == []
