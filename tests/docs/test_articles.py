"""The page of the articles' rows: every row is on it once, and every command on it exists."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "articles.md").read_text(encoding="utf-8")
#: how many rows the list of an article has; AX is what goes across them
NUMBERED = {"A0": 18, "A1": 28, "A2": 31, "A3": 24, "A4": 24, "AX": 6}
ROW = re.compile(r"\b(A[0-4X])-(\d+)")


def _rows() -> list[str]:
    """The rows that the first cells of the tables name; "others" are none of them."""
    found: list[str] = []
    for line in PAGE.splitlines():
        if not line.startswith("| A"):
            continue
        for part in line.split("|")[1].split(","):
            ends = ROW.findall(part)
            assert ends, line
            article, first = ends[0]
            width = len(first)
            last = int(ends[-1][1]) if " to " in part else int(first)
            found += [f"{article}-{n:0{width}d}" for n in range(int(first), last + 1)]
    return found


def test_no_row_comes_twice() -> None:
    assert [row for row, times in Counter(_rows()).items() if times > 1] == []


def test_every_row_of_the_articles_is_there() -> None:
    named = set(_rows())
    every = {
        f"{article}-{n:0{2 if article != 'AX' else 1}d}"
        for article, count in NUMBERED.items()
        for n in range(1, count + 1)
    }
    assert named <= every
    missing = every - named
    assert {row[:2] for row in missing} <= {"A2"}, missing
    assert not missing or "| others |" in PAGE  # the rows of the landmark article's networks


def test_articles_are_named_alike_on_both_pages(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    from reproduction.rows import ARTICLES, Article

    assert list(ARTICLES) == ["A0", "A1", "A2", "A3", "A4"]
    figures = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    for name, article in ARTICLES.items():
        assert f"- {name}: {article.cited}\n" in PAGE
        assert f"## {name}: {article.what}\n\n{article.cited}\n" in figures
        assert f"## {name}: " in PAGE
    assert Article("what", "Title", "", 0, "a.org", "https://a.org/x").cited == (
        "[Title](https://a.org/x), a.org. Author and year are not known."
    )
    assert Article("what").cited == "Title, author and year are not known."


def test_every_command_exists_with_its_flags() -> None:
    cli = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    parts = [part for part in re.split(r"^#+ ", cli, flags=re.MULTILINE) if part]
    sections = {part.splitlines()[0].strip(): part for part in parts}
    commands = re.findall(r"`(facelign [^`]+)`", PAGE)
    assert len(commands) > 25
    for command in commands:
        words = command.split()
        names = [" ".join(words[:n]) for n in (3, 2)]
        section = next((sections[name] for name in names if name in sections), None)
        assert section is not None, command
        for flag in re.findall(r"--[a-z-]+", command):
            assert f"{flag}" in section, command


def test_every_flag_said_alone_exists() -> None:
    cli = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    for flag in re.findall(r"`(--[a-z-]+)", PAGE):
        assert flag in cli
