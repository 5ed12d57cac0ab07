"""From rows and their numbers to docs/reproduction.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproduction.rows import Row

ARTICLES = {
    "A0": "Does aligning faces make recognition better?",
    "A1": "The pipeline of common stages",
    "A2": "Landmarks by regression on MUCT",
    "A3": "OpenFace nn4.small2, triplets, thresholds, KNN and SVM",
    "A4": "Enroll and recognize with dlib",
}
HEAD = """# Reproduction

The figures of the five source articles, each beside facelign's own: under the article's conditions
as far as data and weights can be had, then the best that facelign does, and why they differ. This
page is written by `make reproduce` from `benchmarks/results/reproduction.json`; no number in it is
typed by hand.

Intervals are 95 %, over draws of people (never of pairs), or exact for counts of searches; figures
with +- give the standard error over folds. `lfw_100` is the third article's set, 100 photos of 10
people; `lfw_dev` is three folds of LFW's View 2, 660 pairs of 756 people, with funneled photos. Ten
celebrities, very probably in every model's training set, are good for comparing with an article
and bad for claims about strangers. "Closest" marks the line nearest to the article's conditions,
"best" ours where they differ. No photo of anybody is on this page.
"""


def render(rows: Sequence[Row], kept: Mapping[str, Any]) -> str:
    """Return the page."""
    parts = [HEAD, _overview(rows, kept)]
    for article, title in ARTICLES.items():
        held = [row for row in rows if row.id.startswith(article)]
        if held:
            parts.append(f"## {article}: {title}\n")
            parts += [_row(row, kept.get(row.id)) for row in held]
    return "\n".join(parts).rstrip() + "\n"


def _overview(rows: Sequence[Row], kept: Mapping[str, Any]) -> str:
    measured = [row.id for row in rows if row.id in kept]
    cannot = [row.id for row in rows if row.cannot]
    waiting = [row.id for row in rows if row.measure is not None and row.id not in kept]
    lines = [
        f"{len(measured)} rows are measured; {len(cannot)} cannot be measured here, and say why: "
        f"{', '.join(cannot)}."
    ]
    if waiting:
        lines.append(f"Not measured yet: {', '.join(waiting)}.")
    return "\n".join(lines) + "\n"


def _row(row: Row, kept: Mapping[str, Any] | None) -> str:
    lines = [
        f"### {row.id} {row.title}\n",
        "| | |",
        "|---|---|",
        f"| article | {_cell(row.article)} |",
        f"| its conditions | {_cell(row.conditions)} |",
    ]
    if row.cannot:
        lines.append(f"| here | not measured: {_cell(row.cannot)} |")
        return "\n".join(lines) + "\n"
    if kept is None or row.tell is None:
        lines.append("| here | not measured yet |")
    else:
        lines += [
            f"| {_tag(row, what)}{_cell(what)} | {_cell(figure)} |"
            for what, figure in row.tell(kept["found"])
        ]
        if row.why:
            lines.append(f"| why they differ | {_cell(row.why)} |")
        for name, made in (row.pictures or {}).items():
            alt = made(kept["found"]).alt.replace("\n", " ")
            lines += ["", f"![{alt}](pictures/reproduction/{name})"]
    lines += ["", "```sh", f"python tools/reproduce.py {row.id}"]
    if row.hand:
        lines += ["# by hand, or on photos of your own", *row.hand.split("; ")]
    lines += ["```"]
    if kept is not None:
        lines += ["", f"Measured {kept['date']} with facelign {kept['facelign']}."]
    return "\n".join(lines) + "\n"


def _tag(row: Row, what: str) -> str:
    """Return the mark of a line that is nearest to the article's conditions, or our best."""
    if row.closest and what.startswith(row.closest):
        return "**closest:** "
    return "**best:** " if row.best and what.startswith(row.best) else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
