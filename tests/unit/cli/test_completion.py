"""What a shell is offered, asked as the shells ask: commands, options, presets, models, people."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from facelign.cli.app import COMMANDS
from facelign.gallery.gallery import Gallery
from facelign.types.embeddings import Metric, Space
from facelign.types.templates import PhotoRef, Row

PEOPLE = ("Ada Lovelace", "Ann", "Zoë")


@pytest.fixture(scope="module")
def galleries(tmp_path_factory):
    """A home whose gallery holds three people, and another gallery with one."""
    home = tmp_path_factory.mktemp("home")
    space = Space("made/up/five", 4, Metric.COSINE, True)
    for file, people in (("gallery.db", PEOPLE), ("other.db", ("Somebody else",))):
        with Gallery.open(home / file) as gallery:
            for i, person in enumerate(people):
                row = Row(person, np.eye(4, dtype=np.float32)[i], PhotoRef(f"{i}.jpg", f"{i:064}"))
                gallery.enroll_many([row], space)
    return home


def asked(home, line, shell="bash"):
    """Return what is offered at the end of the line."""
    words = line.split(" ")
    told = (
        {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
        if shell == "bash"
        else {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    )
    done = subprocess.run(
        [sys.executable, "-m", "facelign"],
        env={
            **os.environ,
            "FACELIGN_HOME": str(home),
            "_FACELIGN_COMPLETE": f"complete_{shell}",
            "PYTHONIOENCODING": "utf-8",
            **told,
        },
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.stderr == ""
    return [word for word in done.stdout.splitlines() if word]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("facelign peo", ["people"]),
        ("facelign people re", ["rename", "reject", "remove", "redo"]),
        ("facelign detect --pr", ["--preset", "--preprocess"]),
        ("facelign identify --templates ", ["best", "mean", "robust"]),
        ("facelign identify a.jpg --face ", ["only", "largest", "central", "best"]),
        ("facelign detect --preset ", ["default", "fast", "accurate", "dlib"]),
        ("facelign embed --detector ha", ["haar"]),
        ("facelign models pull accu", ["accurate"]),
        ("facelign evaluate veri", ["verification"]),
    ],
)
def test_commands_options_and_their_values(galleries, line, offered):
    found = asked(galleries, line)
    assert set(offered) <= set(found)
    assert all(word.startswith(line.split(" ")[-1]) for word in found)


def test_all_commands_are_offered_without_loading_them(galleries):
    assert set(asked(galleries, "facelign ")) == set(COMMANDS)


def test_people_of_the_gallery_that_the_words_before_name(galleries):
    assert asked(galleries, "facelign people show ") == [r"Ada\ Lovelace", "Ann", "Zoë"]
    assert asked(galleries, "facelign people rename A") == [r"Ada\ Lovelace", "Ann"]
    other = f"--gallery {galleries / 'other.db'}"
    assert asked(galleries, f"facelign people show {other} ") == [r"Somebody\ else"]
    assert asked(galleries, "facelign enroll x --name Z") == ["Zoë"]


def test_a_name_with_a_space_is_one_word_in_every_shell(galleries):
    assert asked(galleries, 'facelign people show "Ad') == ["Ada Lovelace"]  # bash closes it
    assert asked(galleries, "facelign people show Ad", "fish") == ["Ada Lovelace"]


def test_a_gallery_that_is_not_there_offers_nobody_and_is_not_made(galleries):
    assert asked(galleries, "facelign people show --gallery nowhere.db ") == []
    assert not (galleries / "nowhere.db").exists()


def test_the_gallery_of_the_file_of_settings_is_asked(galleries, monkeypatch, tmp_path):
    file = tmp_path / "settings.toml"
    monkeypatch.setenv("FACELIGN_CONFIG", str(file))
    file.write_text(f"gallery = '{galleries / 'other.db'}'\n", encoding="utf-8")
    assert asked(galleries, "facelign people show Some") == ["Somebody\\ else"]
    assert "preset" in asked(galleries, "facelign config set pre")
    file.write_text("gallery = \n", encoding="utf-8")
    assert asked(galleries, "facelign people show Zo") == ["Zoë"], "a broken file says nothing here"
