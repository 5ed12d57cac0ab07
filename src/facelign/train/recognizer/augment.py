"""What is changed at random in a chip that teaches: never in one that is measured."""

from __future__ import annotations

import numpy as np

from facelign.imaging.resize import resized
from facelign.train.recognizer.config import ChipChangeOptions
from facelign.types.arrays import ByteArray

#: made coarse by up to this factor
_COARSEST = 4.0


def augmented(
    chip: ByteArray, options: ChipChangeOptions, random: np.random.Generator
) -> ByteArray:
    """Return a changed copy of a chip (h, w, 3) uint8; every draw is made, used or not."""
    mirror, coarse, factor = random.random(3)
    dx, dy = random.uniform(-1, 1, 2) * options.shift
    gain, offset = random.uniform(-1, 1, 2) * options.light
    height, width = chip.shape[:2]
    if mirror < 0.5 and options.mirror:
        chip = chip[:, ::-1]
    if coarse < options.blur:
        by = 1 + factor * (_COARSEST - 1)
        small = resized(np.ascontiguousarray(chip), (round(width / by), round(height / by)))
        chip = resized(small, (width, height))
    chip = _moved(chip, round(dx * width), round(dy * height))
    if options.light:
        mean = float(chip.mean())
        lit = (chip.astype(np.float32) - mean) * np.float32(1 + gain)
        lit += np.float32(mean * (1 + offset))
        chip = lit.clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(chip)


def _moved(chip: ByteArray, dx: int, dy: int) -> ByteArray:
    """Return the chip moved by whole pixels; what comes in repeats the edge."""
    height, width = chip.shape[:2]
    rows = np.clip(np.arange(height) - dy, 0, height - 1)
    columns = np.clip(np.arange(width) - dx, 0, width - 1)
    return chip[rows[:, None], columns]
