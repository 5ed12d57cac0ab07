"""A disk that takes no more: one sentence, an exit status, and no file that is cut off.

The disk is one that takes no file of more than some kilobytes (RLIMIT_FSIZE), for each command
that writes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL import ImageOps

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(os.name == "nt", reason="limits of POSIX"),
]


@pytest.fixture(scope="module")
def people(
    portraits: Path, plain_weights: object, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A gallery, its home with all weights, and photos of more than one person's worth."""
    root = tmp_path_factory.mktemp("full")
    shutil.copytree(portraits / "people", root / "people")
    other = root / "people" / "Negative"
    other.mkdir()
    for photo in (root / "people" / "Eileen").iterdir():
        with Pillow.open(photo) as picture:
            ImageOps.invert(picture.convert("RGB")).save(other / photo.name)
    done = run(["enroll", root / "people", "--gallery", root / "g.db"], None)
    assert done.returncode == 0, done.stderr
    done = run(["people", "export", root / "e.npz", "--gallery", root / "g.db"], None)
    assert done.returncode == 0, done.stderr
    return root


def run(words: list[Any], limit: int | None, **more: Any) -> subprocess.CompletedProcess[str]:
    def bounded() -> None:
        import resource

        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "facelign", *map(str, words)],
        capture_output=True, text=True, check=False, timeout=300, preexec_fn=bounded, **more,
    )  # fmt: skip


def whole(path: Path) -> bool:
    """Say whether a file is one that was written to its end."""
    data = path.read_bytes()
    kind = path.suffix
    if kind in (".png", ".jpg"):
        with Pillow.open(path) as picture:
            picture.load()
        return True
    if kind == ".npz":
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    if kind == ".json":
        return bool(json.loads(data))
    if kind == ".html":
        return data.rstrip().endswith(b"</html>")
    if kind == ".svg":
        return data.rstrip().endswith(b"</svg>")
    return data == b"" or data.endswith(b"\n")  # tables, journals


#: bytes of the largest file
LIMIT = 1000
COMMANDS = {
    "detect": "detect {photos} --out {to}/t.csv --draw {to}/drawn",
    "detect to JSON lines": "detect {photos} --out {to}/t.jsonl",
    "embed": "embed {photos} --out {to}/t.csv",
    "embed to JSON lines": "embed {photos} --out {to}/t.jsonl",
    "align": "align {photos} {to}/faces --size 400 --layout crop",
    "enroll": "enroll {people} --gallery {to}/g.db",
    "identify": "identify {photos} --gallery {gallery} --out {to}/t.csv --draw {to}/drawn",
    "sort": "sort {photos} {to}/sorted --gallery {gallery}",
    "verify": "verify {one} {one} --draw {to}/pair.png",
    "export": "people export {to}/e.npz --gallery {gallery}",
    "classifier": "people classifier --gallery {copy}",
    "import": "people import {export} --gallery {to}/g.db",
    "backup": "gallery backup {to}/b.db --gallery {gallery}",
    "bundle": "models bundle {to}/b.tar yunet",
    "plot": "plot hog {one} --out {to}/hog.png",
    "pairs": "evaluate verification --images {people} --all-pairs --report {to}/r.html",
    "figures": "evaluate verification --images {people} --all-pairs --figures {to} --csv {to}",
    "demo": "demo --out {to}/demo",
}


@pytest.mark.parametrize("which", COMMANDS)
def test_a_disk_without_room_leaves_nothing_that_is_cut_off(
    people: Path, portraits: Path, tmp_path: Path, which: str
) -> None:
    gallery, copy, export = people / "g.db", tmp_path / "c.db", people / "e.npz"
    shutil.copyfile(gallery, copy)
    to = tmp_path / "to"
    to.mkdir()
    filled = COMMANDS[which].format(
        photos=portraits / "probes", people=people / "people", to=to, gallery=gallery,
        one=portraits / "people" / "Eileen" / "two.jpg", copy=copy, export=export,
    )  # fmt: skip
    done = run(filled.split(), LIMIT)
    assert done.returncode in (3, 4, 5), (done.returncode, done.stderr)
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    left = [path for path in to.rglob("*") if path.is_file()]
    assert [path for path in left if not whole(path)] == []
    assert [
        path for path in left if path.suffix in (".part", ".lock") and path.stat().st_size
    ] == []
    assert [path for path in left if path.name.startswith(".") and path.suffix == ".part"] == []
