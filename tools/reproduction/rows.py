"""A row: the article's figure beside what is measured here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reproduction.bench import Measure


@dataclass(frozen=True)
class Row:
    """One figure row of SEEDS.

    article: its figure. conditions: under which it was found. measure: gives the numbers, plain
    data. tell: puts them into words, as lines of (what, figure). why: why the two differ. hand: the
    facelign command that does the same. cannot: why nothing can be measured here (measure is None
    then). version: raised when what is measured changes. pictures: drawn from the numbers, by file
    name. closest, best: how the lines begin that are nearest to the article's conditions, and that
    are our best.
    """

    id: str
    title: str
    article: str
    conditions: str
    why: str
    measure: Measure | None = None
    tell: Callable[[Mapping[str, Any]], list[tuple[str, str]]] | None = None
    hand: str = ""
    cannot: str = ""
    version: int = 1
    pictures: Mapping[str, Callable[[Mapping[str, Any]], Any]] | None = None
    closest: str = ""
    best: str = ""


def percent(value: float, digits: int = 2) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.{digits}f} %"


def spanned(found: Mapping[str, float], digits: int = 2) -> str:
    """Return a share with its interval."""
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{percent(found['value'], digits)} ({low:.{digits}f} to {high:.{digits}f})"


def gap(found: Mapping[str, float], digits: int = 2) -> str:
    """Return a difference of shares in points, with its interval."""
    low, high = 100 * found["low"], 100 * found["high"]
    value = 100 * found["value"]
    return f"{value:+.{digits}f} points ({low:+.{digits}f} to {high:+.{digits}f})"
