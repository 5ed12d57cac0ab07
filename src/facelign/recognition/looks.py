"""What was read and found of a few photos, kept for several recognizers to share."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Looks:
    """Each thing is made once, until ``clear``; pixels are kept, so clear after a few photos.

    For recognizers that work one after another. Two threads that want the same thing at the same
    time may both make it.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made under ``key``; what ``make`` raises is not kept."""
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
