"""The notebook of Krasser's article runs from top to bottom on a folder of people (A3-21).

Its code cells are executed one after another in one namespace, as a kernel would, without a
kernel: that spares the tests a server and some seconds.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "third_article.ipynb"
PEOPLE = ("Ariel_Sharon", "Colin_Powell", "Hugo_Chavez", "Tony_Blair")
PHOTOS = 4


@pytest.fixture(scope="module")
def cells() -> list[dict]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def code_of(cells: list[dict]) -> list[tuple[str, list[str]]]:
    """Return (source, tags) of the code cells."""
    return [
        ("".join(cell["source"]), cell["metadata"].get("tags", []))
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def test_it_is_kept_without_outputs(cells):
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None
        for cell in cells
        if cell["cell_type"] == "code"
    )


def test_it_has_one_cell_of_parameters(cells):
    tagged = [source for source, tags in code_of(cells) if "parameters" in tags]
    assert len(tagged) == 1
    assert "FOLDER = " in tagged[0]


@pytest.mark.shared
@pytest.mark.weights
def test_it_runs_from_top_to_bottom(cells, recognition, desk, tmp_path, capsys):
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    folder = tmp_path / "four people"
    for person in PEOPLE:
        photos = sorted((recognition / "lfw_100" / "images" / person).glob("*.jpg"))[:PHOTOS]
        (folder / person).mkdir(parents=True)
        for photo in photos:
            shutil.copy(photo, folder / person)
    (folder / PEOPLE[0] / "notes.txt").write_text("no photo")
    names: dict[str, object] = {"__name__": "__notebook__"}
    drawn = 0
    for number, (source, tags) in enumerate(code_of(cells)):
        exec(compile(source, f"{NOTEBOOK.name}, code cell {number}", "exec"), names)
        if "parameters" in tags:
            names["FOLDER"] = str(folder)
        drawn += len(plt.get_fignums())
        plt.close("all")
    said = capsys.readouterr().out
    count = len(PEOPLE) * PHOTOS
    assert f"{count} photos of {len(PEOPLE)} people" in said
    assert "notes.txt" in said
    assert names["X"].shape == (count, 128)
    assert int(names["same"].sum()) == len(PEOPLE) * PHOTOS * (PHOTOS - 1) // 2
    near, far = names["triplet"]
    assert near < far
    assert names["best_accuracy"] >= 0.98 > names["baseline"]
    assert names["knn_accuracy"] == names["svm_accuracy"] == 1
    assert names["named_rightly"] >= count // 2 - 1
    assert names["named_strangers"] == 0
    assert names["recognized"] == "Recognized as Ariel_Sharon"
    assert drawn >= 6
