"""Thresholds of liveness with the presentations that earned them, as files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facelign.errors import ConfigError
from facelign.types import reading

_KIND, _VERSION = "facelign liveness threshold", 1


@dataclass(frozen=True, slots=True)
class SpeciesRate:
    """One kind of presentation at the threshold.

    species: of the attack instrument, or "bona fide". presentations: that were judged. wrong: taken
    for the other kind. low, high: 95 % interval of that share.
    """

    species: str
    presentations: int
    wrong: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The share that was taken for the other kind."""
        return self.wrong / self.presentations


@dataclass(frozen=True, slots=True)
class LiveCalibration:
    """A threshold of one model, and what it did on one set.

    target: the APCER that no species exceeds there. set, digest: name and SHA-256 of the list of
    presentations. subjects, devices: counts of people and of recording devices. not_checked: the
    presentations that could not be judged. bona_fide, attacks: what happened at ``threshold``.
    held_out: the largest APCER of a species among people who did not choose the threshold.
    """

    id: str
    model: str
    detector: str
    set: str
    digest: str
    date: str
    target: float
    threshold: float
    subjects: int
    devices: int
    not_checked: int
    bona_fide: SpeciesRate
    attacks: tuple[SpeciesRate, ...]
    held_out: float

    def __post_init__(self) -> None:
        shares = (self.target, self.threshold, self.held_out)
        kinds = (self.bona_fide, *self.attacks)
        sound = all(0 <= share <= 1 for share in shares) and all(
            0 <= kind.wrong <= kind.presentations > 0 and 0 <= kind.low <= kind.high <= 1
            for kind in kinds
        )
        if not sound or not self.attacks or min(self.subjects, self.devices) < 1:
            raise ValueError("its numbers cannot be meant")

    @property
    def worst(self) -> SpeciesRate:
        """The species that passes most often."""
        return max(self.attacks, key=lambda kind: kind.rate)

    @property
    def source(self) -> str:
        """What stands behind the threshold, in one sentence."""
        worst = self.worst
        return (
            f"{self.set}, {self.date}: APCER {100 * worst.rate:.1f} % "
            f"({worst.species}, at most {100 * worst.high:.1f} %), "
            f"BPCER {100 * self.bona_fide.rate:.1f} %, {self.subjects} people, {self.devices} "
            f"devices, {len(self.attacks)} species"
        )


def to_json(record: LiveCalibration) -> str:
    """Return a record as the text of its file."""
    return json.dumps({"kind": _KIND, "version": _VERSION} | asdict(record), indent=1) + "\n"


def load(path: Path) -> LiveCalibration:
    """Return the record of a file; raises ConfigError for one that is none."""
    try:
        return from_json(path.read_bytes(), path.name)
    except OSError as problem:
        raise ConfigError(
            f"{path} cannot be read: {problem.strerror}.", "Check the path."
        ) from None


def from_json(text: str | bytes, source: str = "the record") -> LiveCalibration:
    """Return the record of the text of a file; raises ConfigError, which calls it ``source``."""
    try:
        table: Any = json.loads(text)
        if not isinstance(table, dict) or table.get("kind") != _KIND:
            raise ValueError("it says another kind")
        if table.get("version") != _VERSION:
            raise ValueError(f"its version is {table.get('version')!r}, wanted {_VERSION}")
        return reading.record(LiveCalibration, table)
    except (ValueError, KeyError, RecursionError) as problem:
        why = f"{problem} is lacking" if isinstance(problem, KeyError) else str(problem)
        raise ConfigError(
            f"{source} is no threshold of liveness: {why}.",
            "Make one by the calibration of liveness.",
        ) from None
