"""The one mechanism of jobs: order, look-ahead, claims, ends."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.jobs.stream import CHUNK, processors, stream


def doubled(items: Sequence[int]) -> list[int]:
    return [2 * item for item in items]


class Odd:
    """A ledger that gives odd numbers only, and remembers what is out."""

    def __init__(self) -> None:
        self.out: list[int] = []

    def claim(self, item: int) -> bool:
        if item % 2:
            self.out.append(item)
        return bool(item % 2)

    def release(self, item: int) -> None:
        self.out.remove(item)


@settings(max_examples=30)
@given(items=st.lists(st.integers(), max_size=40), workers=st.integers(1, 4))
def test_results_come_in_the_order_of_the_items(items: list[int], workers: int) -> None:
    assert list(stream(items, doubled, workers=workers)) == [(i, 2 * i) for i in items]


@pytest.mark.parametrize("workers", [1, 3])
def test_what_a_ledger_keeps_is_left_out_and_counted_as_done(workers: int) -> None:
    ledger, counts = Odd(), []
    found = list(stream(range(20), doubled, workers=workers, ledger=ledger, done=counts.append))
    assert [item for item, _ in found] == list(range(1, 20, 2))
    assert sum(counts) == 20
    assert ledger.out == []


@pytest.mark.parametrize("workers", [1, 3])
def test_a_claim_is_held_until_its_result_was_taken(workers: int) -> None:
    ledger = Odd()
    results = stream(range(40), doubled, workers=workers, ledger=ledger)
    item, _ = next(results)
    assert item in ledger.out
    next(results)
    assert item not in ledger.out
    results.close()  # an interrupted run takes its other claims back
    assert ledger.out == []


def test_little_is_read_ahead_of_what_is_taken() -> None:
    read = []

    def source() -> Iterator[int]:
        for item in range(10_000):
            read.append(item)
            yield item

    results = stream(source(), doubled, workers=2)
    for _ in range(10):
        next(results)
    results.close()
    assert len(read) <= CHUNK * (2 * 2 + 2) + 10 + CHUNK * 2


def test_work_gets_few_items_at_a_time_in_several_threads() -> None:
    sizes, names = [], set()
    both = threading.Barrier(2, timeout=10)

    def work(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        names.add(threading.current_thread().name)
        if 0 in items or CHUNK in items:
            both.wait()  # ends only when two threads are at work
        return list(items)

    assert len(list(stream(range(4 * CHUNK + 1), work, workers=2))) == 4 * CHUNK + 1
    assert max(sizes) == CHUNK
    assert len(names) == 2


@pytest.mark.parametrize(("count", "workers"), [(0, 2), (1, 2), (7, 2), (8, 2), (100, 2), (101, 3)])
def test_the_last_pieces_are_small_so_that_all_workers_end_together(
    count: int, workers: int
) -> None:
    sizes: dict[int, int] = {}

    def work(items: Sequence[int]) -> list[int]:
        sizes[items[0]] = len(items)
        return list(items)

    found = [item for item, _ in stream(range(count), work, workers=workers)]
    assert found == list(range(count))
    in_order = [sizes[first] for first in sorted(sizes)]
    assert in_order == sorted(in_order, reverse=True)
    assert set(in_order[-workers:]) <= {1}
    whole = max(0, count - workers * CHUNK) // CHUNK
    assert in_order[:whole] == [CHUNK] * whole


def test_one_worker_takes_whole_pieces_to_the_end() -> None:
    sizes: list[int] = []
    list(stream(range(CHUNK + 3), lambda items: [sizes.append(len(items)) or 0] * len(items)))
    assert sizes == [CHUNK, 3]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_work_ends_the_stream_and_frees_all_claims(workers: int) -> None:
    def work(items: Sequence[int]) -> list[int]:
        if 9 in items:
            raise ValueError("nine")
        return list(items)

    ledger = Odd()
    with pytest.raises(ValueError, match="nine"):
        list(stream(range(100), work, workers=workers, ledger=ledger))
    assert ledger.out == []


def test_there_is_at_least_one_processor() -> None:
    assert processors() >= 1


def test_a_ledger_of_files_and_one_of_lines_fit_the_stream(tmp_path: Path) -> None:
    from facelign.jobs.claims import Claims
    from facelign.jobs.journal import Journal

    jobs = [(tmp_path / f"{n}.png", n) for n in range(3)]
    jobs[1][0].write_bytes(b"1")
    made = [job[1] for job, _ in stream(jobs, list, ledger=Claims())]
    assert made == [0, 2]
    photos = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for photo in photos:
        photo.write_bytes(b"1")
    with Journal(tmp_path / "journal") as journal:
        journal.write(photos[0], ["Ada"])
    with Journal(tmp_path / "journal") as journal:
        assert [p for p, _ in stream(photos, list, ledger=journal)] == [photos[1]]


def test_threads_take_short_turns_while_there_are_workers_and_no_longer() -> None:
    before = sys.getswitchinterval()
    first, second = (stream(range(99), doubled, workers=2) for _ in range(2))
    assert sys.getswitchinterval() == before
    next(first), next(second)
    assert sys.getswitchinterval() < before
    list(first)
    assert sys.getswitchinterval() < before
    second.close()
    assert sys.getswitchinterval() == before
    list(stream(range(9), doubled))
    assert sys.getswitchinterval() == before


def test_an_interval_that_is_shorter_already_stays() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        running = stream(range(99), doubled, workers=2)
        next(running)
        assert sys.getswitchinterval() == pytest.approx(1e-5)
        running.close()
    finally:
        sys.setswitchinterval(before)
