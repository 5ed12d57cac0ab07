"""Configurations are refused before anything is loaded, and read back as they are written."""

from __future__ import annotations

import dataclasses

import pytest

from facelign.errors import ConfigError, InputError
from facelign.train import config as configuration
from facelign.train.config import TrainConfig, keys, read, written
from facelign.train.landmarks.config import CONFIG, started


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(written(started("/photos/table.csv")), encoding="utf-8")
    return path


def test_what_is_written_is_read_back(file):
    assert read(file) == started("/photos/table.csv")


def test_every_key_is_written_with_its_comment(file):
    text = file.read_text(encoding="utf-8")
    for name, hint, _ in keys(CONFIG):
        assert f"# {configuration.option_of(hint).help}\n{name.rpartition('.')[2]} = " in text


def test_texts_survive(tmp_path):
    odd = 'C:\\data\\"ö" \U0001f600\x7f.csv'
    path = tmp_path / "c.toml"
    config = started("/x")
    odd_one = dataclasses.replace(config, data=dataclasses.replace(config.data, license=odd))
    path.write_text(written(odd_one), encoding="utf-8")
    assert read(path).data.license == odd


def test_changes_stand_in_the_place_of_the_file(file):
    made = read(file, "landmarks", ["epochs=3", "data.limit = 200", "optimizer.name=sgd"])
    assert (made.epochs, made.data.limit, made.optimizer.name) == (3, 200, "sgd")


def test_a_path_is_kept_whole(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read(file, changes=["data.source=t.csv"]).data.source == str(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("epoch=3", "'epochs'"),
        ("los.name=l1", "'loss'"),
        ("data.limits=3", "'data.limit'"),
        ("epochs=0", "epochs 0 is too small"),
        ("epochs=2.5", "epochs = 2.5 is no whole number"),
        ("epochs=many", "epochs = 'many' is no whole number"),
        ("epochs=true", "epochs = True is no whole number"),
        ("optimizer.learning_rate=0", "optimizer.learning_rate 0 is not above 0"),
        ("optimizer.learning_rate=nan", "not above 0"),
        ("optimizer.clip=-1", "optimizer.clip -1 is below 0"),
        ("optimizer.name=adamm", "is no 'adamw' or 'adam'"),
        ("schedule.factor=1", "schedule.factor 1 is no part of a whole"),
        ("average.decay=-0.1", "average.decay -0.1 is no part of a whole"),
        ("machine.precision=8", "machine.precision = 8 is no '32'"),
        ("model.side=1000", "model.side 1000 is no side"),
        ("data=7", "'data' is a section"),
        ("epochs.of=7", "'epochs' is no section"),
        ("epochs", "changes no key"),
        ("kind=faces", "not of 'landmarks'"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(file, change, told):
    with pytest.raises(ConfigError) as refused:
        read(file, "landmarks", [change])
    assert told in str(refused.value)


def test_files_that_are_no_configuration(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.toml")
    for name, text, told in (
        ("broken.toml", "epochs = ", "is no TOML"),
        ("empty.toml", "", "lacks the key 'kind'"),
        ("other.toml", "kind = 'houses'", "no kind of training 'houses'"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=told):
            read(tmp_path / name)


def test_every_section_says_what_it_is():
    for _, hint, default in keys(TrainConfig):
        assert configuration.option_of(hint).help.endswith(".")
        assert default is not None
