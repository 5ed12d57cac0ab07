"""The folder of a run: what is written is read back, and what is not a run is said to be none."""

from __future__ import annotations

import csv
import json

import pytest

from facelign.errors import ConfigError, InputError, Refused
from facelign.report.provenance import installed
from facelign.train.landmarks.config import started
from facelign.train.run_folder import RunFolder, environment

DATA = {"name": "faces", "files": {"a.csv": "ab"}, "splits": {"train": 6, "test": 2}}
CONFIG = started("/photos.csv")


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "deep" / "run")
    folder.begin(CONFIG, DATA, [{"text": "few", "severity": "warning"}])
    return folder


def test_what_was_asked_is_read_back(run):
    assert run.read() == CONFIG
    assert run.finished() is None
    assert run.changes() == []


def test_data_are_kept_with_what_was_found(run):
    assert run.data() == {**DATA, "findings": [{"text": "few", "severity": "warning"}]}
    run.same_data(DATA)


def test_tuples_are_the_lists_that_a_file_makes_of_them(tmp_path):
    run = RunFolder(tmp_path)
    run.begin(CONFIG, {"files": ("a", "b")})
    run.same_data({"files": ("a", "b")})


@pytest.mark.parametrize(
    "other",
    [
        {**DATA, "name": "houses"},
        {**DATA, "splits": {"train": 7, "test": 2}},
        {"name": "faces"},
    ],
)
def test_other_data_are_refused_with_what_is_another(run, other):
    with pytest.raises(Refused, match="not those that the run") as refused:
        run.same_data(other)
    name = next(key for key in {**DATA, **other} if DATA.get(key) != other.get(key))
    assert f"{name} was {DATA.get(name)}, and is {other.get(name)}" in str(refused.value)


def test_what_an_earlier_version_did_not_keep_is_not_compared(run):
    run.same_data({**DATA, "labels_outside": 0})
    with pytest.raises(Refused, match="name was faces, and is houses"):
        run.same_data({**DATA, "labels_outside": 0, "name": "houses"})


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be made"):
        RunFolder(tmp_path / "file" / "run").begin(CONFIG, DATA)


def test_a_used_folder_is_not_begun_again(run):
    before = run.config.read_bytes()
    with pytest.raises(ConfigError, match="already"):
        run.begin(started("/other.csv"), {})
    assert run.config.read_bytes() == before
    assert run.data()["name"] == "faces"


def test_a_folder_without_a_configuration_holds_no_run(tmp_path):
    folder = RunFolder(tmp_path)
    folder.check_new()
    for read in (folder.read, folder.data):
        with pytest.raises((ConfigError, InputError)):
            read()


@pytest.mark.parametrize("text", ["", "{", "\udcff"])
def test_a_damaged_record_names_its_file(run, text):
    (run.path / "data.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"data\.json cannot be read"):
        run.data()


def test_a_number_that_no_reader_takes_is_not_written(run):
    with pytest.raises(ValueError, match="JSON"):
        run.write("result.json", {"loss": float("nan")})
    assert not run.result.exists()


def test_the_end_is_what_was_written_last(run):
    run.write("result.json", {"epochs": 3, "name": "Jürgen"})
    assert run.finished() == {"epochs": 3, "name": "Jürgen"}
    assert "Jürgen" in run.result.read_text(encoding="utf-8")


def test_figures_that_come_later_have_a_column_too(run):
    run.write_metrics([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "cost": 3.0}])
    with (run.path / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [row["cost"] for row in rows] == ["", "3.0"]


def test_one_at_a_time_and_free_afterwards(run):
    with run.held():
        with pytest.raises(ConfigError, match="Another process"), run.held():
            pass
        assert not run.result.exists()
    with pytest.raises(MemoryError), run.held():
        raise MemoryError
    with run.held():
        pass


def test_what_a_run_stands_on_is_told(run):
    found = run.environment()
    assert found == json.loads(json.dumps(environment(CONFIG.seed)))
    assert found["seed"] == CONFIG.seed
    assert found["numpy"] == dict(installed(["numpy"]))["numpy"]
    assert dict(installed(["no-such-package"])) == {}


def test_nothing_but_the_run_lies_in_its_folder(run):
    assert sorted(path.name for path in run.path.iterdir()) == [
        "config.toml",
        "data.json",
        "environment.json",
    ]
    assert {run.last.name, run.best.name, run.tensorboard.name} == {
        "last.pt",
        "best.pt",
        "tensorboard",
    }
