"""Entries of a history: every change in words, and whom it is about."""

from __future__ import annotations

from typing import get_args

import pytest

from facelign.types import changes
from facelign.types.changes import Change, Entry, PersonRef

ADA, BOB = PersonRef(1, "Ada"), PersonRef(2, "Bob")
NEW = PersonRef(0, "Cleo")

TOLD: list[tuple[Change, int, str, str, tuple[PersonRef, ...]]] = [
    (changes.Enroll(ADA, (1, 3), (1, 2)), 2, "enroll", "2 templates of Ada", (ADA,)),
    (changes.Enroll(None, (1, 3), (1, 3)), 2, "enroll", "2 templates of several people", ()),
    (changes.Import(None, (1, 2), (1, 2)), 1, "import", "1 template", ()),
    (
        changes.Rename(ADA, "Ada L."),
        3,
        "rename",
        "Ada is now Ada L.",
        (ADA, PersonRef(1, "Ada L.")),
    ),
    (changes.Merge(BOB, ADA), 1, "merge", "Bob went into Ada, with 1 template", (BOB, ADA)),
    (changes.Split(ADA, (4, 5), NEW), 2, "split", "2 templates of Ada became Cleo", (ADA, NEW)),
    (changes.Reject(ADA, "d1"), 0, "reject", "a photo is not Ada", (ADA,)),
    (changes.Reject(ADA, "d1"), 1, "reject", "a photo is not Ada, 1 template set aside", (ADA,)),
    (changes.Remove(), 4, "remove", "one person with 4 templates", ()),
]


@pytest.mark.parametrize(("change", "templates", "action", "text", "people"), TOLD)
def test_a_change_is_told_in_words_and_by_whom_it_is_about(
    change: Change, templates: int, action: str, text: str, people: tuple[PersonRef, ...]
) -> None:
    entry = Entry("2026-11-28T05:00:00.000+00:00", change, templates)
    assert (entry.action, entry.text, entry.people) == (action, text, people)
    assert (entry.number, entry.inverse, entry.undone) == (0, None, None)


def test_every_change_that_stands_in_a_history_has_a_word() -> None:
    applied = {changes.Accept, changes.Withdraw}  # what undoes others is no entry of its own
    assert set(changes.ACTIONS) - {changes.Import} == set(get_args(Change)) - applied
    assert {type(change) for change, *_ in TOLD} == set(changes.ACTIONS)
    assert len(set(changes.ACTIONS.values())) == len(changes.ACTIONS)
