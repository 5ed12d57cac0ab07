"""Numbers and lists in words."""

from __future__ import annotations

import pytest

from facelign.types.wording import counted, some


@pytest.mark.parametrize(
    ("number", "words", "told"),
    [
        (0, ("photo",), "0 photos"),
        (1, ("photo",), "1 photo"),
        (1162, ("photo",), "1,162 photos"),
        (1, ("person", "people"), "1 person"),
        (13000, ("person", "people"), "13,000 people"),
    ],
)
def test_a_number_of_things(number: int, words: tuple[str, ...], told: str) -> None:
    assert counted(number, *words) == told


def test_a_list_says_how_many_more_there_are() -> None:
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c, and 2 more"
    assert some(["a", "b"], limit=1) == "a, and 1 more"
    assert some(["a", "b", "c"], count=40) == "a, b, c, and 37 more"
    assert some([]) == ""
