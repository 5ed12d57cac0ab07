"""Many items through several workers: results in order, a few items at a time, memory flat.

The one mechanism of every job: what is aligned, embedded, enrolled, sorted or measured goes
through ``stream``. It knows neither photos nor models: the work is a function of a few items.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")
Contra = TypeVar("Contra", contravariant=True)

#: items that one worker takes at a time, at most: what they have in common is done as one batch
CHUNK = 4


class Ledger(Protocol[Contra]):
    """Says which items this run does: ``jobs.claims`` among processes, ``jobs.journal`` in time."""

    def claim(self, item: Contra) -> bool:
        """Return whether this run does the item: nobody did it before or does it now."""
        ...

    def release(self, item: Contra) -> None:
        """Let a claimed item go: it is done, or this run ends without it."""
        ...


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stream(
    items: Iterable[T],
    work: Callable[[Sequence[T]], Sequence[R]],
    *,
    workers: int = 1,
    ledger: Ledger[T] | None = None,
    done: Callable[[int], None] | None = None,
) -> Iterator[tuple[T, R]]:
    """Yield (item, result) in the order of the items, which are read a little ahead.

    work: a few items -> their results, in order; called by ``workers`` threads at a time. ledger:
    items that it does not give are left out; a claim is held until the result was taken. done:
    called with the number of further items that are done or left out. An error of ``work`` ends
    the stream.
    """
    claimed: deque[T] = deque()

    def mine() -> Iterator[T]:
        for item in items:
            if ledger is None or ledger.claim(item):
                claimed.append(item)
                yield item
            elif done:
                done(1)

    try:
        for results in _ordered(_chunks(mine(), workers), work, workers):
            for result in results:
                yield claimed[0], result
                _let_go(claimed, ledger)
                if done:
                    done(1)
    finally:
        while claimed:
            _let_go(claimed, ledger)


def _chunks(source: Iterator[T], workers: int) -> Iterator[list[T]]:
    """Cut items into pieces of CHUNK; with several workers the last pieces are smaller and smaller.

    Else one worker has a whole piece to do while the others have none left: of 20 photos that two
    work on, a tenth of the time.
    """
    most = CHUNK if workers == 1 else CHUNK * workers
    ahead: deque[T] = deque()
    while True:
        ahead.extend(islice(source, most - len(ahead)))
        if not ahead:
            return
        at_the_end = workers > 1 and len(ahead) < most
        size = -(-len(ahead) // (2 * workers)) if at_the_end else min(CHUNK, len(ahead))
        yield [ahead.popleft() for _ in range(size)]


def _let_go(claimed: deque[T], ledger: Ledger[T] | None) -> None:
    item = claimed.popleft()
    if ledger is not None:
        ledger.release(item)


def _ordered(
    chunks: Iterator[list[T]], work: Callable[[Sequence[T]], Sequence[R]], workers: int
) -> Iterator[Sequence[R]]:
    if workers == 1:
        yield from map(work, chunks)
        return
    from concurrent.futures import ThreadPoolExecutor  # one worker does without

    pool = ThreadPoolExecutor(workers, thread_name_prefix="facelign")
    waiting: deque[Future[Sequence[R]]] = deque()
    with _short_turns():
        try:
            for chunk in chunks:
                waiting.append(pool.submit(work, chunk))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            pool.shutdown(wait=True, cancel_futures=True)


#: how long a thread keeps the interpreter while another waits for it, s. A worker that comes back
#: from a network would wait for up to Python's 5 ms, a fourth of a photo.
_TURN_S = 0.0001
_turns = threading.Lock()
_streams, _before = 0, 0.0


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let threads take short turns while any stream has workers; then as it was before."""
    global _streams, _before  # the interpreter has one interval for all threads
    with _turns:
        if not _streams:
            _before = sys.getswitchinterval()
            sys.setswitchinterval(min(_before, _TURN_S))
        _streams += 1
    try:
        yield
    finally:
        with _turns:
            _streams -= 1
            if not _streams:
                sys.setswitchinterval(_before)
