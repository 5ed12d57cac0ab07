"""What is closed when its ``with`` block ends."""

from __future__ import annotations

from typing import Protocol, Self


class Closing(Protocol):
    """Something with ``close``, which the end of a ``with`` block calls."""

    def close(self) -> None:
        """Let go of what is held; closing twice does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
