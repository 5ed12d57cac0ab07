"""Every photo's record goes to the terminal, the table and the exit status alike."""

from __future__ import annotations

import json

import pytest

from facelign.cli.exits import Exit
from facelign.cli.results import reporting
from facelign.errors import Remedy
from facelign.wire.options import OutputFlags
from facelign.wire.records import failure

GOOD = {"image": "a.jpg", "faces": [], "error": None}


def test_lines_for_people(capsys):
    with reporting(OutputFlags(), "enroll") as results:
        results.add(GOOD, ["a.jpg: no face", "    done"])
        assert results.code is Exit.DONE
        results.add(failure("b.jpg", "It is empty."), ["never said"])
    shown = capsys.readouterr()
    assert shown.out == "a.jpg: no face\n    done\n"
    assert shown.err == "b.jpg: It is empty.\n"
    assert results.code is Exit.INPUT


def test_one_json_object_a_line(capsys):
    with reporting(OutputFlags(json=True), "enroll") as results:
        results.add(GOOD, ["never said"])
        results.add(failure("b.jpg", f"b.jpg shows two. {Remedy.LARGEST_FACE}"))
    shown = capsys.readouterr()
    first, second = map(json.loads, shown.out.splitlines())
    assert first == GOOD
    assert "--largest" in second["error"]
    assert shown.err == ""


@pytest.mark.parametrize("failed", [True, False])
def test_a_reason_may_be_an_answer_or_a_failure(tmp_path, capsys, failed):
    record = {"image": "a.jpg", "person": "Ada", "enrolled": False, "reason": "too small"}
    with reporting(OutputFlags(out=tmp_path / "t.jsonl"), "enroll") as results:
        results.add(record, ["a.jpg: too small"], failed=failed)
    assert results.failed is failed
    shown = capsys.readouterr()
    assert (shown.err if failed else shown.out) == "a.jpg: too small\n"
    assert json.loads((tmp_path / "t.jsonl").read_text()) == record | {"failed": failed}
    assert (tmp_path / "t.jsonl.failures.csv").exists() is failed


def test_lines_are_made_only_where_they_are_said(capsys):
    def lines():
        yield pytest.fail("nobody reads this")

    with reporting(OutputFlags(json=True), "enroll") as results:
        results.add(GOOD, lines())
    with reporting(OutputFlags(), "enroll") as results:
        results.add(failure("b.jpg", "It is empty."), lines())
    assert len(capsys.readouterr().out.splitlines()) == 1
