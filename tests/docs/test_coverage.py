"""What exists is documented: commands, models, layouts, presets, figures, names, exit codes."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

import facelign
from facelign.cli import settings
from facelign.recognition.presets import PRESETS
from facelign.report import plots

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def tool(name: str):
    """Load a script of tools/ by its file."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli", "configuration", "models", "report", "training"])
def test_generated_pages_are_fresh(page):
    made = tool("make_reference_pages").PAGES[page]()
    assert read(f"docs/reference/{page}.md") == made, "run: make pages"


def test_a_new_option_comes_into_the_table_of_settings_by_itself(monkeypatch):
    """One field is all that a flag takes (CONTRIBUTING.md)."""
    script = tool("make_reference_pages")
    one = next(iter(settings.keys()["fpir"]))
    monkeypatch.setattr(settings, "keys", lambda: {"new-one": (one,)})
    assert f"| `new-one` | a number | {one.option.help} |" in script.configuration()


def test_what_was_measured_is_that_of_the_benchmarks():
    script = tool("collect_measured")
    assert script.TARGET.read_text(encoding="utf-8") == script.collected(), (
        "run: python tools/collect_measured.py"
    )


def test_every_command_is_in_the_reference():
    text = read("docs/reference/cli.md")
    missing = [
        path
        for path, _ in tool("make_reference_pages").commands()
        if f"facelign {path}" not in text
    ]
    assert not missing


def test_every_command_is_shown_at_work():
    """A command that only the generated reference names is not explained."""
    pages = [p for p in DOCS.rglob("*.md") if p.name != "cli.md"] + [ROOT / "README.md"]
    text = "\n".join(p.read_text(encoding="utf-8") for p in pages)
    missing = [
        path
        for path, _ in tool("make_reference_pages").commands()
        if not re.search(rf"facelign {re.escape(path)}\b", text)
    ]
    assert not missing


def test_every_setting_is_in_the_reference():
    text = read("docs/reference/configuration.md")
    known = [*settings.VARIABLES, *settings.VARIABLES.values(), *settings.keys()]
    assert [word for word in known if f"`{word}`" not in text] == []


def test_every_model_is_in_the_docs():
    text = read("docs/reference/models.md")
    missing = [
        spec.id for spec in tool("make_reference_pages").own().specs() if f"`{spec.id}`" not in text
    ]
    assert not missing


def test_every_layout_and_preset_is_explained():
    layouts = read("docs/stages/align.md")
    assert [
        name for name in tool("make_reference_pages").own().layouts() if f"`{name}`" not in layouts
    ] == []
    home = read("docs/index.md")
    assert [name for name in PRESETS if f"`{name}`" not in home] == []


def test_every_figure_is_in_the_docs():
    text = read("docs/reference/report.md")
    assert [name for name in plots.names() if f"`{name}`" not in text] == []


def test_every_public_name_is_in_the_docs():
    text = read("docs/reference/python.md")
    names = [name for name in facelign.__all__ if not name.startswith("__")]
    assert [name for name in names if f"facelign.{name}" not in text] == []


def test_every_page_is_in_the_navigation():
    config = read("mkdocs.yml")
    pages = [str(p.relative_to(DOCS)).replace("\\", "/") for p in DOCS.rglob("*.md")]
    assert [page for page in pages if f": {page}" not in config] == []


def test_stage_pages_have_their_parts():
    for page in sorted((DOCS / "stages").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for part in ("## What", "## Why", "![", "## Options", "## Limits"):
            assert part in text, f"{page.name} lacks {part}"


def test_pictures_exist_have_a_text_and_are_small():
    used: set[Path] = set()
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for text, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text("utf-8")):
            path = (page.parent / target).resolve()
            assert path.is_file(), f"{page.name}: {target}"
            assert len(text) > 10, f"{page.name}: {target} needs a text"
            used.add(path)
    kept = {p for p in (DOCS / "pictures").rglob("*") if p.is_file()}
    assert kept - used == set(), "pictures that no page shows"
    assert max(p.stat().st_size for p in kept) < 400_000
    assert sum(p.stat().st_size for p in kept) < 5_000_000


def test_readme_gives_the_two_commands_first():
    first = read("README.md").split("\n## ")[0]
    assert "pip install '.[demo]' && facelign demo" in first
    assert "pip install -e '.[dev]' && pytest" in first
    assert "](docs/pictures/" in first


def test_tables_say_what_their_columns_hold():
    bare = re.compile(r"^\|(\s*\|)+\n\|[-:| ]+\|$", re.MULTILINE)
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    assert [page.name for page in pages if bare.search(page.read_text("utf-8"))] == []


def test_readme_and_changelog_tell_the_version():
    from facelign import __version__

    assert f"Version {__version__} " in read("README.md")
    assert f"\n## [{__version__}] - " in read("CHANGELOG.md")


def test_the_option_names_every_preset():
    from facelign.recognition.presets import PRESETS

    row = next(line for line in read("docs/reference/cli.md").splitlines() if "`--preset`" in line)
    assert [name for name in PRESETS if not re.search(rf"\b{name}\b", row.split("|")[-2])] == []


def test_what_the_readme_says_of_sources_is_so():
    from facelign.models import default
    from facelign.recognition.presets import PRESETS

    said = re.search(r"those of\s+(.*?) have a second source each", read("README.md"), re.DOTALL)
    named = re.findall(r"`(\w+)`", said[1])
    assert len(named) >= 4
    known = default()
    for spec in [known.spec(*one) for name in named for one in PRESETS[name].models]:
        assert all(len(file.sources) > 1 for file in spec.weights), spec.id


def test_papers_have_their_addresses():
    from facelign.models import catalog

    specs = [one.spec for one in catalog.own_models() if one.spec.paper]
    assert len(specs) > 10
    assert [s.id for s in specs if not re.search(r", https://\S+$", s.paper)] == []


def test_exit_codes_agree_with_the_code():
    from facelign.cli.exits import Exit

    text = read("docs/reference/cli.md")
    assert [code for code in Exit if f"| {int(code)} |" not in text] == []


def test_docs_load_nothing_from_elsewhere():
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        assert not re.search(
            r"!\[[^\]]*\]\(https?:|<img[^>]+src=.?https?:", page.read_text("utf-8")
        )
