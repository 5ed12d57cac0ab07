"""People who are patterns: pictures that a small network tells apart in a minute, and no faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facelign.train.recognizer.config import (
    ChipChangeOptions,
    EmbeddingLossOptions,
    PeopleDataOptions,
    RecognizerConfig,
)

#: nothing is changed at random, no face is looked for, nobody judges
PLAIN = ChipChangeOptions(mirror=False, shift=0.0, light=0.0, blur=0.0)


def folder(root: Path, people: int = 8, photos: int = 6, side: int = 32) -> Path:
    """A folder of people: a coarse pattern each, in another light in every picture."""
    for person in range(people):
        random = np.random.default_rng(person)
        pattern = random.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        large = cv2.resize(pattern, (side, side), interpolation=cv2.INTER_NEAREST)
        place = root / f"person_{person:02d}"
        place.mkdir(parents=True)
        for photo in range(photos):
            random = np.random.default_rng((person, photo))
            # another light in every picture: an untrained network looks at that
            light = random.normal(0, 45, 3) + random.normal(0, 15, large.shape)
            picture = (128 + 0.5 * (large - 128.0) + light).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(place / f"{photo}.png"), picture)
    return root


def config(source: Path, **changes) -> RecognizerConfig:
    """A configuration of such pictures; data, loss and so on may be changed."""
    data = {"source": str(source), "align": False, "judge": "", "people": 4, "photos": 3}
    given = {
        "data": PeopleDataOptions(**{**data, **changes.pop("data", {})}),
        "loss": EmbeddingLossOptions(**{"name": "softmax", **changes.pop("loss", {})}),
        "augment": PLAIN,
        "batch": 16,
    }
    return RecognizerConfig(kind="recognizer", **{**given, **changes})
