"""A classifier over the gallery: it names, the threshold checks, and removal takes it away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import Run

PEOPLE = 4
EACH = 5


@pytest.fixture(scope="module")
def halves(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """enrolled/ and searched/: every second photo of four people; strangers/: a fifth person."""
    root = tmp_path_factory.mktemp("halves")
    people = sorted((shared / "data" / "recognition" / "lfw_100" / "images").iterdir())
    for person in people[:PEOPLE]:
        for i, photo in enumerate(sorted(person.iterdir())[: 2 * EACH]):
            place = root / ("enrolled", "searched")[i % 2] / person.name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, place)
    (root / "strangers").mkdir()
    shutil.copy(sorted(people[PEOPLE].iterdir())[0], root / "strangers")
    return root


@pytest.mark.shared
def test_people_are_named_and_strangers_are_not(
    facelign: Run, halves: Path, tmp_path: Path
) -> None:
    gallery = ("--gallery", tmp_path / "some.db")
    enroll = facelign("enroll", halves / "enrolled", *gallery)
    assert enroll.code in (0, 3), enroll.err
    fit = ("people", "classifier", *gallery, "--rule")
    look = ("identify", halves, "--classifier", "--largest", *gallery, "--json")
    for rule in ("knn", "svm", "mean"):
        (row,) = facelign(*fit, rule, "--json").rows
        assert row["classifier"]["people"] == PEOPLE
        beside = Path(row["classifier"]["file"])
        assert beside.parent == tmp_path
        found = facelign(*look).rows
        faces = {Path(r["image"]).relative_to(halves): r["faces"][0] for r in found}
        searched = [path for path in faces if path.parts[0] == "searched"]
        right = [faces[path]["person"] == path.parent.name for path in searched]
        assert len(right) == PEOPLE * EACH
        assert sum(right) >= len(right) - 2  # a face below the threshold stays unknown
        assert all(faces[path]["person"] in (None, path.parent.name) for path in searched)
        (stranger,) = [face for path, face in faces.items() if path.parts[0] == "strangers"]
        assert stranger["person"] is None
        assert stranger["reason"] == "below the threshold"

    # a gallery that has changed makes it stale
    people = sorted(p.name for p in (halves / "enrolled").iterdir())
    facelign("people", "rename", people[0], "Somebody", *gallery)
    stale = facelign(*look)
    assert stale.code == 5
    assert "facelign people classifier" in stale.err
    facelign(*fit, "knn")

    # and a removal takes it away, since it holds vectors or sums of them
    removed = facelign("people", "remove", people[1], "--yes", *gallery)
    assert removed.code == 0, removed.err
    assert not beside.exists()
    none = facelign(*look)
    assert none.code == 5
    assert "has no classifier" in none.err
