"""The task: what it reads, what it says of the data, and that a network learns from it."""

import numpy as np
import pytest

import training

training.needed()

import tomllib

import torch

import pattern_people as patterns
from facelign.datasets.pairs_csv import read_pairs_csv
from facelign.errors import ConfigError
from facelign.train.config import of_table, written
from facelign.train.recognizer.augment import augmented
from facelign.train.recognizer.config import (
    ChipChangeOptions,
    PairTestOptions,
    PairValidationOptions,
)
from facelign.train.recognizer.task import RecognizerTask
from facelign.train.recognizer.validation import held_out_trials


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return patterns.folder(tmp_path_factory.mktemp("people"))


def learned(task, epochs):
    torch.manual_seed(task.config.seed)
    network = task.network()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    for epoch in range(epochs):
        network.train()
        for batch in task.batches(epoch, 0):
            optimizer.zero_grad()
            task.loss(network, batch)["loss"].backward()
            optimizer.step()
    return network.eval()


@pytest.mark.parametrize("loss", ["arcface", "triplet"])
def test_a_network_learns_to_tell_patterns_apart(source, loss):
    split = {"split": "photo"} if loss == "triplet" else {}
    task = RecognizerTask(patterns.config(source, loss={"name": loss}, data=split))
    network = learned(task, 10)
    found = task.validate(network)
    assert found["val_loss"] == pytest.approx(1 - found["val_auc"])
    assert "val_accuracy" not in found
    tested = task.test(network)
    assert tested["auc"] > max(0.9, tested["untrained_auc"])
    assert tested["auc_low"] <= tested["auc"] <= tested["auc_high"]


def test_a_resumed_epoch_has_the_same_batches(source):
    task = RecognizerTask(patterns.config(source, augment=ChipChangeOptions()))
    whole = list(task.batches(2, 0))
    assert len(whole) == task.steps_per_epoch() >= 2
    rest = list(RecognizerTask(patterns.config(source, augment=ChipChangeOptions())).batches(2, 1))
    for one, other in zip(whole[1:], rest, strict=True):
        assert torch.equal(one["pixels"], other["pixels"])
        assert torch.equal(one["people"], other["people"])
    assert not torch.equal(whole[0]["pixels"], next(task.batches(3, 0))["pixels"])


def test_classes_are_numbered_without_gaps_where_people_validate(source):
    task = RecognizerTask(
        patterns.config(source, loss={"name": "arcface"}, data={"split": "person"})
    )
    labels = np.concatenate([batch["people"] for batch in task.batches(0, 0)])
    assert set(labels.tolist()) <= set(range(task.split.people))
    assert task.split.people == 4
    task.validate(task.network().eval())


def test_few_people_copies_and_people_of_the_test_are_told(source, tmp_path):
    root = patterns.folder(tmp_path / "more", people=6)
    copied = (root / "person_00" / "0.png").read_bytes()
    (root / "person_01" / "9.png").write_bytes(copied)
    listed = tmp_path / "pairs.csv"
    listed.write_text(
        "a,b,same\nperson_02/0.png,person_02/1.png,yes\nperson_02/0.png,person_03/1.png,no\n",
        encoding="utf-8",
    )
    task = RecognizerTask(
        patterns.config(root, test=PairTestOptions(pairs=str(listed), images=str(root)))
    )
    told = {finding.text: finding.severity for finding in task.findings()}
    few = next(text for text in told if text.startswith("Only 6 people train"))
    assert told[few] == "warning"
    twice = next(text for text in told if "under two names" in text)
    assert told[twice] == "error"
    assert "person_01/9.png" in twice
    assert task.test(task.network().eval())["pairs"] == 2
    assert len(read_pairs_csv(listed, root)) == 2


def test_one_list_may_validate_and_another_test(source, tmp_path):
    listed = tmp_path / "pairs.csv"
    listed.write_text(
        "a,b,same\nperson_02/0.png,person_02/1.png,yes\nperson_02/0.png,person_03/1.png,no\n",
        encoding="utf-8",
    )
    lists = {"pairs": str(listed), "images": str(source)}
    task = RecognizerTask(
        patterns.config(
            source,
            validation=PairValidationOptions(**lists),
            test=PairTestOptions(**lists, each=True, leave_out=False),
        )
    )
    row = task.validate(task.network().eval())
    assert row["val_auc"] == row["test_auc"]
    assert len(task.split.validation) == len(task.split.test) == 0


def test_a_photo_that_gives_no_face_on_the_fly_is_replaced_by_the_persons_next(source, tmp_path):
    root = patterns.folder(tmp_path / "spoiled", people=4)
    (root / "person_00" / "0.png").write_bytes(b"none")
    task = RecognizerTask(patterns.config(root, data={"cache": False}))
    assert all(len(batch["pixels"]) for batch in task.batches(0, 0))
    assert np.array_equal(task._chip(0), task._chip(0))


def test_pairs_held_out_are_both_kinds_and_as_many_as_asked(source):
    task = RecognizerTask(patterns.config(source))
    photos = list(task.people.photos)
    trials = held_out_trials(photos, 40, 1, "these")
    assert len(trials) == 40
    assert trials.same.sum() == 20
    whole = held_out_trials(photos, 20_000, 1, "these")
    assert whole.same.sum() == 8 * 15
    assert (~whole.same).sum() == 48 * 47 // 2 - 8 * 15
    with pytest.raises(ConfigError, match="no pairs of both kinds"):
        held_out_trials(photos[:3], 40, 1, "these")


def test_what_is_changed_at_random_stays_a_picture(source):
    task = RecognizerTask(patterns.config(source))
    chip = task._chip(0)
    strong = ChipChangeOptions(mirror=True, shift=0.2, light=0.5, blur=0.9)
    several = [augmented(chip, strong, np.random.default_rng(n)) for n in range(20)]
    assert {one.shape for one in several} == {chip.shape}
    assert all(one.dtype == np.uint8 for one in several)
    assert len({one.tobytes() for one in several}) == 20
    assert np.array_equal(augmented(chip, patterns.PLAIN, np.random.default_rng(1)), chip)


def test_weights_of_the_same_network_are_taken_and_others_refused(source, tmp_path):
    task = RecognizerTask(patterns.config(source))
    torch.manual_seed(7)
    other = task.network().backbone
    torch.save({"state_dict": other.state_dict()}, tmp_path / "w.pt")
    config = of_table(
        {
            **tomllib.loads(written(patterns.config(source))),
            "model": {"weights": str(tmp_path / "w.pt")},
        }
    )
    begun = RecognizerTask(config).network().backbone
    assert torch.equal(begun.linear.weight, other.linear.weight)
    torch.save({"state_dict": {"a": torch.zeros(3)}}, tmp_path / "w.pt")
    with pytest.raises(ConfigError, match="holds 0 of the"):
        RecognizerTask(config).network()


def test_the_photos_of_a_batch_are_named(source):
    task = RecognizerTask(patterns.config(source))
    batch = next(task.batches(0, 0))
    assert len(task.named(batch)) == len(batch["pixels"])
    person = f"person_{int(batch['people'][3]):02d}"
    assert person in task.named(batch)[3]


def test_what_is_exported_leaves_the_loss_behind(source):
    task = RecognizerTask(patterns.config(source))
    made = task.exported(task.network().eval())
    assert not any("criterion" in name for name, _ in made.module.named_parameters())
    assert made.sections["output"] == {
        "dim": 128,
        "metric": "cosine",
        "unit": True,
        "layout": "arcface-112",
    }
    assert made.module(made.example).shape == (2, 128)
