"""Comments and pages cite papers, standards and files of the repository: readers can follow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: notes that lie beside the checkout; put together here so that this file is none that names them
OUTSIDE = re.compile(
    r"\b(" + "|".join(("MEAS" + "URED", "STAND" + "ARDS", "HO" + "USE", "SE" + "EDS")) + r")\b"
)


#: what is said of work to come, which nobody who reads a report or a page can follow
INTERNAL = re.compile(
    r"(training|later|earlier|next|this|another) issue\b|comes with training|\bissue \d|"
    r"\b(first|second|third|fourth|fifth) article\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("folder", ["src", "docs", "notebooks", "examples", "README.md"])
def test_nothing_speaks_of_the_works_own_notes(folder: str) -> None:
    root = ROOT / folder
    kinds = ("py", "md", "json", "ipynb")
    files = [root] if root.is_file() else [path for k in kinds for path in root.rglob(f"*.{k}")]
    assert files
    said = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in files
        if (found := INTERNAL.search(path.read_text(encoding="utf-8")))
    ]
    assert said == []


@pytest.mark.parametrize("folder", ["src", "tests", "tools", "benchmarks", "docs", "examples"])
def test_no_note_outside_the_repository_is_cited(folder: str) -> None:
    files = [path for kind in ("py", "md") for path in (ROOT / folder).rglob(f"*.{kind}")]
    assert files
    cited = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in files
        if (found := OUTSIDE.search(path.read_text(encoding="utf-8")))
    ]
    assert cited == []
