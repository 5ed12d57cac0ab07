"""How long chains take for a photo, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facelign.recognition.recognizer import Recognizer, Stage


def medians(chains: Sequence[Recognizer], photos: Sequence[Path], count: int) -> list[float]:
    """Return the median ms of a photo, file to vectors, for each chain.

    count: photos, evenly spread over the set. Chains take turns photo by photo, so that a busy
    moment of the machine hits all of them; the first photo is only a warm-up. Give chains without
    a cache and with one worker.
    """
    there = [path for path in photos if path.is_file()]
    chosen = there[:: max(1, len(there) // max(count, 1))][:count]
    times: list[list[float]] = [[] for _ in chains]
    for path in [*chosen[:1], *chosen]:
        for place, chain in enumerate(chains):
            start = time.perf_counter()
            for _ in chain.stream([path], until=Stage.EMBED):
                pass
            times[place].append(time.perf_counter() - start)
    return [1000 * float(np.median(spent[1:])) if len(spent) > 1 else 0.0 for spent in times]
