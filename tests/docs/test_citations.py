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
