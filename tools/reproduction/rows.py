"""The rows of rows.toml, how their figures are told, and docs/reproduction.md made of both."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template
from typing import Any

TABLE = tomllib.loads(Path(__file__).with_name("rows.toml").read_text(encoding="utf-8"))
CHAINS: Mapping[str, tuple[str, str]] = {key: tuple(two) for key, two in TABLE["chains"].items()}
#: how a row came by its figures, and what the line below it says
KINDS = {"measured": "Measured", "arithmetic": "Computed", "read": "Read from shipped calibrations"}
HEAD = """# Reproduction

The figures of the [five source articles](articles.md), each beside facelign's own: under the
article's conditions as far as data and weights can be had, then the best that facelign does, and
why they differ. This page is written by `make reproduce`: what an article says is quoted, and every
figure of facelign comes from `benchmarks/results/reproduction.json`.

Intervals are 95 %, over draws of people (never of pairs), or exact for counts of searches; figures
with +- give the standard error over folds. `lfw_100` is the set of A3, 100 photos of 10 people of
LFW; `lfw_dev` is three folds of LFW's View 2, 660 pairs of 756 people, with funneled photos ([which
photos these are](how-to/repeat-a-figure.md#the-photos)). Ten celebrities, very probably in every
model's training set, are good for comparing with an article and bad for claims about strangers.
"Closest" marks the line nearest to the article's conditions, "best" ours where they differ. No
photo of anybody is on this page.
"""


@dataclass(frozen=True)
class Article:
    """One of the five articles. what: what it is about; the rest is empty where it is not known."""

    what: str
    title: str = ""
    author: str = ""
    year: int = 0
    place: str = ""
    address: str = ""

    @property
    def cited(self) -> str:
        """The article with its link, and what is not known of it."""
        if not self.title:
            return "Title, author and year are not known."
        unknown = " and ".join(
            name for name, one in (("author", self.author), ("year", self.year)) if not one
        )
        known = [self.author, f"[{self.title}]({self.address})", self.place, str(self.year or "")]
        missing = f" {unknown.capitalize()} are not known." if unknown else ""
        return f"{', '.join(part for part in known if part)}.{missing}"


ARTICLES = {key: Article(**entry) for key, entry in TABLE["articles"].items()}


@dataclass(frozen=True)
class Row:
    """One figure row of an article (docs/articles.md lists all of them).

    article: its figure. conditions: under which it was found. why: why ours differs. hand: the
    facelign commands that do the same. cannot: why nothing can be measured here. tell: templates of
    a line, the first that a line's figures fill. chains: what is measured, by key of CHAINS; sets:
    on which photos. Each of them is a part of the row, measured by itself.
    quoted: numbers of the article that the row computes with. kind: a key of KINDS. closest, best:
    how the lines begin that are nearest to the article's conditions, and that are our best.
    """

    id: str
    title: str
    article: str
    conditions: str
    why: str = ""
    hand: str = ""
    cannot: str = ""
    closest: str = ""
    best: str = ""
    kind: str = "measured"
    version: int = 1
    tell: Sequence[str] = ()
    chains: Sequence[str] = ()
    sets: Sequence[str] = ()
    pictures: Sequence[str] = ()
    quoted: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The row, and the part of it that it is reduced to."""
        part = CHAINS[self.chains[0]][0] if len(self.chains) == 1 else "".join(self.sets[:1])
        return f"{self.id}, {part}" if part else self.id

    def parts(self) -> Iterator[Row]:
        """Yield the row for each chain or set: one that cannot be had leaves the others."""
        for key in self.chains:
            yield replace(self, chains=(key,))
        for key in self.sets:
            yield replace(self, sets=(key,))
        if not self.chains and not self.sets:
            yield self

    def lines(self, kept: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield (what, figures in words) of every line that was kept."""
        for what, figures in kept["lines"].items():
            yield what, Words().format(self.template(figures), **figures)

    def template(self, figures: Mapping[str, Any]) -> str:
        """Return the first template that these figures fill."""
        for template in self.tell:
            try:
                Words().format(template, **figures)
            except (KeyError, TypeError):
                continue
            return template
        raise KeyError(f"{self.id}: no template tells {sorted(figures)}.")

    def slim(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """Return of a line's figures those that the page tells."""
        kept: dict[str, Any] = {}
        for _, name, _, _ in Words().parse(self.template(figures)):
            place, value = kept, figures
            path = name.replace("]", "").split("[") if name else []
            for step in path[:-1]:
                if isinstance(value[step], Sequence):
                    path = [step]
                    break
                place, value = place.setdefault(step, {}), value[step]
            if path:
                place[path[-1]] = value[path[-1]]
        return kept


class Words(string.Formatter):
    """Figures in words: ``{x:pct.2}`` is a percentage; an interval comes as value, low and high."""

    def format_field(self, value: Any, spec: str) -> str:
        """Return a figure as a spec asks for it."""
        kind, _, digits = spec.partition(".")
        if kind == "pct":
            return f"{100 * value:.{digits}f} %"
        if kind == "shares":
            return ", ".join(f"{key}: {100 * share:.{digits}f} %" for key, share in value.items())
        if kind not in ("span", "points", "signed", "plain", "ends"):
            return str(super().format_field(value, spec))
        factor = 100 if kind in ("span", "points", "ends") else 1
        sign = "+" if kind in ("points", "signed") else ""
        middle, low, high = (
            f"{factor * value[end]:{sign}.{digits}f}" for end in ("value", "low", "high")
        )
        unit = {"span": " %", "points": " points"}.get(kind, "")
        return f"{low} to {high}" if kind == "ends" else f"{middle}{unit} ({low} to {high})"


def _filled(value: Any) -> Any:
    """Return a value of the table with its phrases."""
    if isinstance(value, str):
        names = {key: name for key, (name, _) in CHAINS.items()}
        return Template(value).substitute(TABLE["phrases"] | names)
    return value


ROWS = tuple(
    Row(key, **{name: _filled(value) for name, value in entry.items()})
    for key, entry in TABLE["rows"].items()
)


def render(kept: Mapping[str, Any], alts: Mapping[str, str], weights: Mapping[str, str]) -> str:
    """Return the page. alts: what a picture shows, by file name. weights: of each row, in words."""
    parts = [HEAD, _overview(kept)]
    for article, about in ARTICLES.items():
        parts.append(f"## {article}: {about.what}\n\n{about.cited}\n")
        parts += [
            _section(row, kept.get(row.id), alts, weights.get(row.id, ""))
            for row in ROWS
            if row.id[:2] == article
        ]
    return "\n".join(parts).rstrip() + "\n"


def _overview(kept: Mapping[str, Any]) -> str:
    def ids(kind: str) -> list[str]:
        return [row.id for row in ROWS if row.kind == kind and row.id in kept]

    cannot = [row.id for row in ROWS if row.cannot]
    waiting = [row.id for row in ROWS if not row.cannot and row.id not in kept]
    text = (
        f"{len(ids('measured'))} rows are measured; {', '.join(ids('arithmetic'))} are arithmetic, "
        f"{', '.join(ids('read'))} reads the calibrations that facelign ships; "
        f"{len(cannot)} cannot be measured here, and say why: {', '.join(cannot)}."
    )
    return text + (f"\nNot measured yet: {', '.join(waiting)}." if waiting else "") + "\n"


def _section(
    row: Row, kept: Mapping[str, Any] | None, alts: Mapping[str, str], weights: str
) -> str:
    told = [("article", row.article), ("its conditions", row.conditions)]
    if row.cannot or kept is None:
        told.append(("here", f"not measured: {row.cannot}" if row.cannot else "not measured yet"))
    else:
        told += [(_mark(row, what) + what, figures) for what, figures in row.lines(kept)]
        told += [("weights", weights)] if weights else []
        told += [("why they differ", row.why)] if row.why else []
    lines = [f"### {row.id} {row.title}\n", "| line | figures |", "|---|---|"]
    lines += [f"| {what} | {text} |".replace("\n", " ") for what, text in told]
    if row.cannot:
        return "\n".join(lines) + "\n"
    for name in row.pictures if kept is not None else ():
        lines += ["", f"![{alts[name]}](pictures/reproduction/{name})"]
    lines += ["", "```sh", f"python tools/reproduce.py {row.id}"]
    if row.hand:
        lines += ["# by hand, or on photos of your own", *row.hand.split("; ")]
    lines += ["```"]
    if kept is not None:
        lines += ["", f"{KINDS[row.kind]} {kept['date']} with facelign {kept['facelign']}."]
    return "\n".join(lines) + "\n"


def _mark(row: Row, what: str) -> str:
    """Return the mark of a line that is nearest to the article's conditions, or our best."""
    if row.closest and what.startswith(row.closest):
        return "**closest:** "
    return "**best:** " if row.best and what.startswith(row.best) else ""
