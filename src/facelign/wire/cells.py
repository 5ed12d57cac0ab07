"""Cells of a CSV that a spreadsheet shows and never computes, and a terminal never obeys."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import PurePath

from facelign.wire.printable import visible

#: of every CSV on disk: without the byte order mark Excel takes UTF-8 for the code page of the
#: machine, and shows other letters in names
ENCODING = "utf-8-sig"

#: what begins a formula in Excel, LibreOffice or Google Sheets (OWASP, "CSV Injection")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
#: signs and numbers, such as "-0.5" or "+0.001 to +0.004": nothing in them can be called
_HARMLESS = re.compile(r"(?:[-+0-9.,%()\s]|\bto\b|[eE](?=[-+]?[0-9])|inf|nan)*")


def guarded(value: object) -> object:
    """Return a cell as it is, or behind an apostrophe where a spreadsheet would compute it.

    Names of people and files are the user's, and a file may be called "=cmd|...", or hold what
    a terminal obeys, which is spelled out.
    """
    if not isinstance(value, str | PurePath):
        return value
    text = str(value)
    risky = text.startswith(_FORMULA) and not _HARMLESS.fullmatch(text)
    return f"'{visible(text)}" if risky else visible(text)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as the text of a CSV file, every cell guarded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return out.getvalue()
