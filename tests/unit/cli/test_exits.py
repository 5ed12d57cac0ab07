"""One table from errors to exit statuses, and one place that says an error."""

from __future__ import annotations

import pytest

from facelign import errors
from facelign.cli.app import COMMANDS, build, run
from facelign.cli.exits import Exit, code_of, say


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.NoFace, Exit.INPUT),
        (errors.BadArray, Exit.INPUT),
        (errors.DatasetMissing, Exit.INPUT),
        (errors.WeightsMissing, Exit.MODEL),
        (errors.ExtraMissing, Exit.MODEL),
        (errors.SpaceMismatch, Exit.MODEL),
        (errors.UnknownPerson, Exit.GALLERY),
        (errors.Refused, Exit.INPUT),
        (errors.ConfigError, Exit.USAGE),
        (ZeroDivisionError, Exit.BUG),
        (KeyboardInterrupt, Exit.INTERRUPTED),
    ],
)
def test_every_kind_of_end(kind, code):
    assert code_of(kind("It is so.")) is code


def test_no_error_of_ours_is_a_bug():
    kinds = [getattr(errors, name) for name in errors.PUBLIC if name != "FacelignError"]
    assert len(kinds) > 20
    assert [kind.__name__ for kind in kinds if code_of(kind("It is so.")) is Exit.BUG] == []


def test_the_hint_has_a_line_of_its_own(capsys):
    say(errors.ConfigError("It is so.", "Do this."))
    say(errors.ConfigError("It is so."))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "facelign: It is so.\n  Do this.\nfacelign: It is so.\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_one_command_is_built_without_the_others(name):
    app = build((name,))
    found = [group.name for group in app.registered_groups]
    found += [command.name for command in app.registered_commands]
    assert found == [name]


@pytest.mark.parametrize("words", [["nothing"], ["detect"], ["detect", "--what"], ["people", "x"]])
def test_what_cannot_be_meant_is_usage(words, capsys):
    assert run(words) == Exit.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Usage: facelign" in shown.err
