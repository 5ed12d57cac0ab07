"""The model card: what it says for people and for programs, and what it may not leave out."""

from __future__ import annotations

import json

import pytest

from facelign.lab.statistics.resampling import Interval
from facelign.train.card import CardTest, card, errors_of, markdown

FINDINGS = [
    {"text": "9 faces are few.", "severity": "warning"},
    {"text": "3 people are in train and test.", "severity": "error"},
    {"text": "2 points are hidden.", "severity": "note"},
]
DATA = {"source": "faces.csv", "sha256": "ab" * 32, "license": "my own", "findings": FINDINGS}
RESULT = {"epochs": 3, "best": {"epoch": 2.0, "val_loss": 0.25}, "test": {"nme": 0.0512345}}
TESTS = [
    CardTest("ONNX Runtime and PyTorch give the same", passed=True),
    CardTest("the loss is small", passed=False, distrust="other faces"),
    CardTest("it is quick", passed=False),
]
ENVIRONMENT = {"facelign": "1.0", "seed": 4}
CHANGES = [
    {"epoch": 2, "step": 7, "key": "optimizer.learning_rate", "before": 0.01, "after": 0.001}
]


@pytest.fixture
def made():
    figures = {"error of the exported model": Interval(0.05, 0.04, 0.06).to_dict()}
    return card("mine", "landmarks", DATA, RESULT, figures, TESTS, ENVIRONMENT, CHANGES)


def test_it_is_plain_data(made):
    assert json.loads(json.dumps(made)) == made
    assert made["id"] == "mine"
    assert made["kind"] == "landmarks"
    assert made["environment"] == ENVIRONMENT


def test_findings_stand_beside_the_data_and_not_in_it(made):
    assert "findings" not in made["data"]
    assert made["data"]["license"] == "my own"
    assert made["findings"] == FINDINGS


def test_figures_of_the_run_and_of_the_export_stand_together(made):
    assert set(made["test"]) == {"nme", "error of the exported model"}
    assert made["best"] == RESULT["best"]


def test_what_failed_and_what_was_found_wrong_is_not_to_be_trusted(made):
    told = made["not_to_be_trusted_for"]
    assert {"other faces", "it is quick", "3 people are in train and test."} <= set(told)
    assert "9 faces are few." not in told
    assert "the loss is small" not in told  # what it is not good for says more
    assert any("decisions about people" in one for one in told)


def test_even_a_faultless_model_is_not_to_be_trusted_for_everything():
    clean = card("a", "recognizer", {}, RESULT, {}, TESTS[:1], {})
    assert len(clean["not_to_be_trusted_for"]) == 2


def test_people_read_all_of_it(made):
    text = markdown(made)
    for line in (
        "# mine",
        "A model that places landmarks, trained with facelign.",
        "| license | my own |",
        "| mean error (NME) | 5.12 % |",
        "| error of the exported model | 0.05 (95 %: 0.04 to 0.06) |",
        "- passed: ONNX Runtime and PyTorch give the same",
        "- FAILED: the loss is small",
        "- error: 3 people are in train and test.",
        "- optimizer.learning_rate: 0.001 from step 7 of epoch 2 on, 0.01 before",
        "- other faces",
        "| seed | 4 |",
    ):
        assert line in text.splitlines()


def test_parts_that_hold_nothing_are_left_out():
    text = markdown(card("a", "recognizer", {}, {}, {}, [], {}))
    assert "What the check of the data found" not in text
    assert "Changed while" not in text
    assert "The epoch was chosen" not in text
    assert "Not to be trusted for" in text


def test_an_embedder_is_told_by_what_it_does_and_its_sets_in_words():
    pairs = {"set": "pairs.csv", "photos": 9, "subjects": 3, "non_mated": 2000}
    told = markdown(card("a", "recognizer", {"test": pairs, "left out": []}, {}, {}, [], {}))
    assert "A model that turns faces into vectors, trained with facelign." in told
    assert "| tested on | set pairs.csv, photos 9, people 3, non-mated 2,000 |" in told
    assert "| left out | none |" in told
    assert "{" not in told


def test_an_interval_without_width_is_none():
    figures = {"auc": 0.75, "auc_low": 0.75, "auc_high": 0.75, "eer": 0.25, "eer_low": 0.2}
    result = {"test": {**figures, "eer_high": 0.3}, "best": {}}
    told = markdown(card("a", "recognizer", {}, result, {}, [], {}))
    assert "| AUC | 0.7500 (too few for an interval) |" in told
    assert "| EER | 25.00 % (95 %: 20.00 % to 30.00 %) |" in told


def test_words_do_not_break_the_table():
    odd = card("a", "landmarks", {"source": "a|b\nc"}, RESULT, {}, [], {})
    assert "| source | a\\|b c |" in markdown(odd)


def test_errors_are_told_from_other_findings():
    assert errors_of(FINDINGS) == ["3 people are in train and test."]
    assert errors_of([]) == []
    assert errors_of([{"text": "of an earlier version"}]) == []
