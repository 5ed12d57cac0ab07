"""Batches that are prepared while the network works, in their order, a few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def ahead(make: Callable[[int], T], steps: Iterable[int], threads: int) -> Iterator[T]:
    """Yield ``make(step)`` of each step, made by so many threads while the one before is used.

    Decoding and warping of photos let other threads work meanwhile. As each batch depends on its
    step alone, their number changes nothing; at most ``threads`` + 1 batches are kept.
    """
    left = iter(steps)
    with ThreadPoolExecutor(threads, "batches") as pool:
        waiting: deque[Future[T]] = deque(
            pool.submit(make, step) for step in islice(left, threads + 1)
        )
        try:
            while waiting:
                made = waiting.popleft().result()
                for step in islice(left, 1):
                    waiting.append(pool.submit(make, step))
                yield made
        finally:  # whoever asked for them may want no more
            for future in waiting:
                future.cancel()
