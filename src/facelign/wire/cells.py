"""Cells of a CSV that a spreadsheet shows and never computes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

#: what begins a formula in Excel, LibreOffice or Google Sheets (OWASP, "CSV Injection")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: signs and numbers, such as "-0.5" or "+0.001 to +0.004": nothing in them can be called
_HARMLESS = re.compile(r"(?:[-+0-9.,%()\s]|\bto\b|[eE](?=[-+]?[0-9])|inf|nan)*")


def guarded(value: object) -> object:
    """Return a cell as it is, or behind an apostrophe where a spreadsheet would compute it.

    Names of people and files are the user's, and a file may be called "=cmd|...".
    """
    text = value if isinstance(value, str) else ""
    if text.startswith(_FORMULA) and not _HARMLESS.fullmatch(text):
        return f"'{text}"
    return value


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as the text of a CSV file, every cell guarded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return out.getvalue()
