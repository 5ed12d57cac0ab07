"""The model card: what a network was made of, how well it does, and what it is not for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facelign.train import words

#: what no figure of a test set can promise
_NEVER = (
    "photos unlike those that it was tested on",
    "decisions about people that nobody looks over",
)


@dataclass(frozen=True, slots=True)
class CardTest:
    """A test of an exported model. distrust: what it is not to be trusted for where it failed."""

    name: str
    passed: bool
    distrust: str = ""


def card(
    model_id: str,
    kind: str,
    data: Mapping[str, Any],
    result: Mapping[str, Any],
    figures: Mapping[str, Any],
    tests: list[CardTest],
    environment: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the card as plain data.

    data: with the findings of the check. result: of the run. figures: further ones on data that was
    not trained on, such as intervals. changes: of the configuration while the run went on. What a
    run of an earlier version did not keep is left out.
    """
    findings = data.get("findings", [])
    failed = [test.distrust or test.name for test in tests if not test.passed]
    return {
        "id": model_id,
        "kind": kind,
        "data": {name: value for name, value in data.items() if name != "findings"},
        "best": result.get("best", {}),
        "test": {**result.get("test", {}), **figures},
        "tests": [{"test": test.name, "passed": test.passed} for test in tests],
        "findings": findings,
        "not_to_be_trusted_for": [*_NEVER, *failed, *errors_of(findings)],
        "changes": [dict(change) for change in changes],
        "environment": dict(environment),
    }


def errors_of(findings: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the texts of the findings that stand against a result."""
    return [one["text"] for one in findings if one.get("severity") == "error"]


def markdown(card: Mapping[str, Any]) -> str:
    """Return the card for people."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Mapping[str, Any]) -> Iterator[str]:
    does = words.KINDS.get(card["kind"], f"is for {card['kind']}")
    yield from (f"# {card['id']}", "", f"A model that {does}, trained with facelign.")
    yield from ("", "## Data", "", *_table(card["data"]))
    yield from ("", "## On data that it was not trained on", "", *_table(card["test"]))
    if card["best"]:
        yield from ("", "The epoch was chosen on the validation set:", "", *_table(card["best"]))
    yield from ("", "## Tests", "")
    for test in card["tests"]:
        yield f"- {'passed' if test['passed'] else 'FAILED'}: {test['test']}"
    if card["findings"]:
        yield from ("", "## What the check of the data found", "")
        yield from (f"- {one['severity']}: {one['text']}" for one in card["findings"])
    yield from ("", "## Not to be trusted for", "")
    yield from (f"- {what}" for what in card["not_to_be_trusted_for"])
    if card["changes"]:
        yield from ("", "## Changed while it was trained", "")
        for one in card["changes"]:
            when = f"from step {one['step']} of epoch {one['epoch']} on"
            yield f"- {one['key']}: {_said(one['after'])} {when}, {_said(one['before'])} before"
    yield from ("", "## Made with", "", *_table(card["environment"]))


def _table(values: Mapping[str, Any]) -> list[str]:
    rows = [f"| {_cell(name)} | {_cell(value)} |" for name, value in words.rows(values)]
    return ["| what | value |", "|---|---|", *rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _said(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
