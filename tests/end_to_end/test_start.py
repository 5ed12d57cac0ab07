"""Starting is cheap: nothing heavy is loaded before it is needed."""

from __future__ import annotations

import subprocess
import sys

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
    assert loaded_by(code) & set(HEAVY) == set()


def test_public_names_are_all_there() -> None:
    import facelign

    for name in facelign.__all__:
        assert getattr(facelign, name) is not None
    assert set(facelign.__all__) <= set(dir(facelign))
