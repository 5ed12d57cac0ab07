"""Figures are told one way in every report: shares in percent, false match rates as decimals."""

from __future__ import annotations

import re

from facelign.report.page import Report

#: columns by the first words of their heads, and what their cells look like
SHARES = (
    *("accuracy", "TAR", "EER", "FNMR", "FNIR", "FPIR", "rank 1", "precision", "recall", "right"),
)
PERCENT = re.compile(r"-?|\d+\.\d+ %( \(.*\))?|needs .*|< .*")
POINTS = re.compile(r"-?|[+-]\d+\.\d\d")
PLAIN = re.compile(r"-?|[\d.e+-]+|too few pairs")


def odd_cells(report: Report) -> list[str]:
    """Return the cells of a report that are told otherwise than their kind is."""
    odd = []
    for table in [table for section in report.sections for table in section.tables]:
        for place, head in enumerate(table.columns):
            if head.endswith(", points") or "gained" in head:
                wanted = POINTS
            elif head.startswith(SHARES):
                wanted = PERCENT
            elif head.startswith(("FMR", "AUC", "F1")):
                wanted = PLAIN
            else:
                continue
            cells = [str(row[place]) for row in table.rows if len(row) == len(table.columns)]
            odd += [f"{table.title}, {head}: {c}" for c in cells if not wanted.fullmatch(c)]
    return odd
