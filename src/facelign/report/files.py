"""A report as files: the page, its figures, its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from facelign.files import disk
from facelign.report import html
from facelign.report.page import Report
from facelign.report.plot import Plot
from facelign.report.publish import published
from facelign.wire.cells import ENCODING


def page(report: Report, path: Path, *, photos: bool = True) -> Path:
    """Write the report as one HTML file."""
    return html.write(report, path, photos=photos)


def figures(report: Report, folder: Path, *, photos: bool = True) -> list[Path]:
    """Write every figure as PNG and SVG and return the paths; those that show people on wish."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, plot in _plots(report):
        if photos or not plot.photos:
            written += [plot.save(folder / f"{name}{suffix}") for suffix in (".png", ".svg")]
    return written


def numbers(report: Report, folder: Path, *, photos: bool = True) -> list[Path]:
    """Write the numbers of every figure and table as CSV and return the paths.

    photos: False cuts paths down to their last part, as in the page; else names and paths are for
    their owner's eyes only.
    """
    report = report if photos else published(report)
    folder.mkdir(parents=True, exist_ok=True)
    written = [plot.save(folder / f"{name}.csv", private=photos) for name, plot in _plots(report)]
    for number, section in enumerate(report.sections, start=1):
        for table in section.tables:
            path = folder / f"{number:02d}-{_plain(table.title)}.csv"
            disk.write(path, table.csv().encode(ENCODING), private=photos)
            written.append(path)
    return written


def _plots(report: Report) -> Iterator[tuple[str, Plot]]:
    """Yield (file name, figure); figures of one kind are told apart by their section."""
    for number, section in enumerate(report.sections, start=1):
        for place, plot in enumerate(section.figures, start=1):
            yield f"{number:02d}-{place}-{plot.name}", plot
        for place, shown in enumerate(section.maps, start=1):
            yield f"{number:02d}-{place}-map", shown.plot()


def _plain(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
