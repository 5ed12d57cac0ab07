"""Starting is cheap: nothing heavy is loaded before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HEAVY = ("numpy", "cv2", "onnxruntime", "onnx", "PIL", "sqlite3", "httpx", "torch", "matplotlib")


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_import_loads_the_standard_library_only() -> None:
    before = loaded_by("pass")
    extra = loaded_by("import facelign") - before
    foreign = {name for name in extra if name not in sys.stdlib_module_names} - {"facelign"}
    assert foreign == set()


def test_help_loads_no_engine_and_no_array_library() -> None:
    code = (
        "import contextlib, io\n"
        "from facelign.cli.app import run\n"
        "with contextlib.redirect_stdout(io.StringIO()): run(['--help'])"
    )
    loaded = loaded_by(code)
    assert loaded & set(HEAVY) == set()
    assert loaded & {"markdown_it", "pygments"} == set(), "what no help of facelign is written in"
    assert "rich" in loaded, "the help was drawn"


def test_what_a_help_did_without_is_there_for_others() -> None:
    code = (
        "import contextlib, io\n"
        "from facelign.cli.app import run\n"
        "with contextlib.redirect_stdout(io.StringIO()): run(['--help'])\n"
        "from rich.markdown import Markdown\n"
        "from rich.traceback import Traceback, install\n"
        "import typer.rich_utils as drawn\n"
        "assert type(drawn.Markdown('a *word*')) is Markdown\n"
    )
    assert {"markdown_it", "pygments"} <= loaded_by(code)


def test_an_end_leaves_nothing_undone(tmp_path: Path) -> None:
    """The process ends without taking the interpreter apart: threads and callbacks come before."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, threading, time\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'facelign.cli.models':\n"
        "            atexit.register(print, 'called back')\n"
        "            threading.Timer(0.3, print, ['a thread']).start()\n"
        "import sys; sys.meta_path.insert(0, Finder())\n"
    )
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-m", "facelign", "models", "show", "no-such-model"],
        env={**kept, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["a thread", "called back"]
    assert done.returncode == 4
    assert "no-such-model" in done.stderr


def test_public_names_are_all_there() -> None:
    import facelign

    for name in facelign.__all__:
        assert getattr(facelign, name) is not None
    assert set(facelign.__all__) <= set(dir(facelign))
