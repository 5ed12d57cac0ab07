"""Words that the command line does not take, and what it needs to be installed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import facelign
from facelign.cli.app import build, run
from facelign.cli.exits import Exit

SOURCE = Path(facelign.__file__).parent
#: import names of the distributions in pyproject.toml: dependencies, then extras
INSTALLED = {"numpy", "onnx", "onnxruntime", "cv2", "PIL", "typer", "rich", "platformdirs", "httpx"}
#: protobuf, which onnx is made of
INSTALLED |= {"google"}
EXTRAS = {"dlib", "_dlib_pybind11", "pillow_heif", "skimage", "sklearn", "scipy", "matplotlib"}
EXTRAS |= {"threadpoolctl", "umap", "torch", "lightning_fabric", "pytorch_metric_learning"}
EXTRAS |= {"av", "paho"}


def whole_commands() -> list[str]:
    """Return the words of every command, and of every group of them."""
    root = typer.main.get_command(build())

    def below(group: Any, words: str) -> Iterator[str]:
        yield words
        for name, one in getattr(group, "commands", {}).items():
            yield from below(one, f"{words} {name}".strip())

    return list(below(root, ""))


@pytest.mark.parametrize(
    "words",
    [["no-such-command"], ["verify", "only-one"], ["detect", "--no-such-flag"], ["sort"]],
    ids=" ".join,
)
def test_wrong_words_are_usage_errors(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == Exit.USAGE
    assert "Error" in capsys.readouterr().err


def test_nothing_is_imported_that_is_not_declared() -> None:
    found: dict[str, str] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            found |= {name.split(".")[0]: str(path.relative_to(SOURCE)) for name in names}
    allowed = {*sys.stdlib_module_names, "facelign", *INSTALLED, *EXTRAS}
    assert {name: where for name, where in found.items() if name not in allowed} == {}


def test_the_list_of_commands_is_that_of_the_whole_command_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["--help"]) == Exit.DONE
    shown = capsys.readouterr().out
    build()(["--help"], standalone_mode=False, prog_name="facelign")
    assert shown == capsys.readouterr().out
    assert "identify" in shown


@pytest.mark.parametrize("words", sorted(whole_commands()), ids=lambda words: words or "facelign")
def test_every_help_can_be_read(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """To its end: a bracket in a help is markup for the terminal, and one that closes is a bug."""
    assert run([*words.split(), "--help"]) == Exit.DONE
    assert "Usage:" in capsys.readouterr().out
