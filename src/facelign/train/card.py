"""The model card: what a network was made of, how well it does, and what it is not for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facelign.train.task import DataFinding

#: what no figure of a test set can promise
_NEVER = (
    "photos unlike those that it was tested on",
    "decisions about people that nobody looks over",
)


def card(
    model_id: str,
    kind: str,
    data: Mapping[str, Any],
    result: Mapping[str, Any],
    tests: Mapping[str, bool],
    findings: list[DataFinding],
    environment: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the card as plain data. tests: what was tried, and whether it held."""
    wrong = [finding.text for finding in findings if finding.severity == "error"]
    return {
        "id": model_id,
        "kind": kind,
        "data": dict(data),
        "best": result["best"],
        "test": result["test"],
        "tests": dict(tests),
        "findings": [{"severity": f.severity, "text": f.text} for f in findings],
        "not_to_be_trusted_for": [*_NEVER, *wrong],
        "environment": dict(environment),
    }


def markdown(card: Mapping[str, Any]) -> str:
    """Return the card for people."""
    lines = [
        f"# {card['id']}",
        "",
        f"A model of the kind {card['kind']}, trained with facelign.",
        "",
    ]
    lines += ["## Data", "", *_table(card["data"])]
    lines += ["", "## On data that it was not trained on", "", *_table(card["test"])]
    lines += ["", "The epoch was chosen on the validation set:", "", *_table(card["best"])]
    lines += ["", "## Tests", ""]
    lines += [f"- {'passed' if held else 'FAILED'}: {name}" for name, held in card["tests"].items()]
    if card["findings"]:
        lines += ["", "## What the check of the data found", ""]
        lines += [f"- {entry['severity']}: {entry['text']}" for entry in card["findings"]]
    lines += ["", "## Not to be trusted for", ""]
    lines += [f"- {what}" for what in card["not_to_be_trusted_for"]]
    lines += ["", "## Made with", "", *_table(card["environment"])]
    return "\n".join(lines) + "\n"


def _table(values: Mapping[str, Any]) -> list[str]:
    rows = [f"| {name} | {_said(value)} |" for name, value in values.items()]
    return ["| what | value |", "|---|---|", *rows]


def _said(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value).replace("|", "\\|")
