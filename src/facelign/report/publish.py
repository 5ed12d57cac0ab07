"""A report for publishing: the same, without paths of the machine that made it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facelign.report.page import Report

#: an absolute path, POSIX or Windows, up to the last separator
_FOLDERS = re.compile(r"(?<![\w.~/\u2026])(?:/(?:[^\s/'\"<>]+/)+|[A-Za-z]:\\(?:[^\s\\'\"<>]+\\)*)")


def without_folders(text: str) -> str:
    """Return text whose absolute paths keep only their last part: "\u2026/photo.jpg"."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    return _FOLDERS.sub("\u2026/", text)


def published(report: Report) -> Report:
    """Return the report without folders in any of its texts and cells."""
    found: Report = _published(report)
    return found


def _published(value: Any) -> Any:
    """Return a value of a report, with the texts of all its fields changed, however deep.

    Whatever a record of ``page`` gains is published too, without a line here. Pictures, arrays and
    enums are kept as they are, and a record in which nothing changes stays itself.
    """
    if type(value) is str:
        return without_folders(value)
    if isinstance(value, Mapping):
        return {_published(name): _published(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_published(each) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        changed = {name: _published(each) for name, each in fields.items()}
        return value if changed == fields else dataclasses.replace(value, **changed)
    return value
