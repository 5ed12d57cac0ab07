"""Numbers and lists of things, as a sentence says them."""

from __future__ import annotations

from collections.abc import Sequence


def some(parts: Sequence[str], limit: int = 3, count: int | None = None) -> str:
    """Return the first parts, and how many more of the ``count`` there are.

    >>> some(["Ada", "Bo", "Cy", "Di"])
    'Ada, Bo, Cy, and 1 more'
    """
    count = len(parts) if count is None else count
    more = [f"and {count - limit} more"] if count > limit else []
    return ", ".join([*parts[:limit], *more])


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number of things in words.

    >>> counted(1, "photo"), counted(2000, "photo"), counted(3, "person", "people")
    ('1 photo', '2,000 photos', '3 people')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
