"""A report for publishing: the same, without paths of the machine that made it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from facelign.report.page import Report, Section, Table, Tile, Wall
from facelign.report.plot import Plot

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
    return replace(
        report,
        title=without_folders(report.title),
        verdict=without_folders(report.verdict),
        scope=without_folders(report.scope),
        headline=[
            replace(fact, **{name: without_folders(getattr(fact, name)) for name in _FACT})
            for fact in report.headline
        ],
        sections=[_section(section) for section in report.sections],
        provenance={
            without_folders(name): without_folders(value)
            for name, value in report.provenance.items()
        },
        caveats=[without_folders(text) for text in report.caveats],
    )


_FACT = ("label", "value", "interval", "note")


def _section(section: Section) -> Section:
    return replace(
        section,
        title=without_folders(section.title),
        text=[without_folders(text) for text in section.text],
        figures=[_figure(plot) for plot in section.figures],
        tables=[_table(table) for table in section.tables],
        walls=[_wall(wall) for wall in section.walls],
    )


def _figure(plot: Plot) -> Plot:
    alt = without_folders(plot.alt)
    return plot if alt == plot.alt else replace(plot, alt=alt)


def _table(table: Table) -> Table:
    return replace(
        table,
        rows=[[_cell(value) for value in row] for row in table.rows],
        note=without_folders(table.note),
    )


def _cell(value: object) -> object:
    return without_folders(value) if isinstance(value, str) else value


def _wall(wall: Wall) -> Wall:
    tiles = [
        Tile(
            [replace(p, caption=without_folders(p.caption)) for p in tile.photos],
            without_folders(tile.text),
        )
        for tile in wall.tiles
    ]
    return replace(wall, tiles=tiles, note=without_folders(wall.note))
