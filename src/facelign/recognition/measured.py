"""What was measured of each model here: how right it is, with an interval, and what it costs.

Accuracy of embedders is that of the calibrations that ship; the rest was written by
``tools/collect_measured.py`` from the benchmarks (docs/benchmarks.md says how they are made).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from facelign.types.policies import VERIFY_FMR
from facelign.types.specs import EmbedderOutput, ModelSpec


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure. value: a share, 0 to 1; low, high: its 95 % interval (Wilson, over ``units``).

    source: the data, and where more about it is found.
    """

    what: str
    value: float
    low: float
    high: float
    units: int
    source: str


@dataclass(frozen=True, slots=True)
class Speed:
    """What one unit of work costs, ms on one core. what: the unit, and the machine."""

    ms: float
    what: str


def share(hits: int, of: int) -> tuple[float, float, float]:
    """Return hits / of and the ends of its 95 % interval (Wilson, JASA 22, 1927)."""
    z, p = 1.959964, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    reach = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return p, max(0.0, middle - reach), min(1.0, middle + reach)


def accuracy(spec: ModelSpec) -> tuple[Measured, ...]:
    """Return what was measured of how right the model is, what it is sorted by first."""
    if isinstance(spec.output, EmbedderOutput):
        return _calibrated(spec, spec.output)
    return tuple(Measured(**figure) for figure in _entry(spec).get("accuracy", ()))


def speed(spec: ModelSpec) -> Speed | None:
    """Return what the model costs, None where that was not measured."""
    found = _entry(spec).get("speed")
    return Speed(**found) if found else None


def _entry(spec: ModelSpec) -> dict[str, Any]:
    found: dict[str, Any] = _all().get(f"{spec.task.value} {spec.id}", {})
    return found


@cache
def _all() -> dict[str, Any]:
    text = Path(__file__).with_name("measured.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _calibrated(spec: ModelSpec, output: EmbedderOutput) -> tuple[Measured, ...]:
    """Return the true accept rates of shipped calibrations of the model's own space."""
    from facelign.compare import calibrations

    model = output.stands_for or spec.id
    found = []
    for record_id in calibrations.shipped_ids():
        record = calibrations.load(record_id)
        first, _, rest = record.space.partition("/")
        point = next((p for p in record.points if math.isclose(p.fmr, VERIFY_FMR)), None)
        if first != model or not rest.startswith(output.layout) or point is None:
            continue
        value, low, high = share(round(point.tar * record.mated), record.mated)
        chain = f"preset {record.chain.get('preset')}, detector {record.chain.get('detector')}"
        source = (
            f"calibration {record.id}, {chain}, space {record.space}: {record.subjects} people, "
            f"{record.non_mated} pairs of different ones"
        )
        what = f"share of same pairs accepted at FMR {VERIFY_FMR:g}, {record.set}"
        found.append(
            Measured(what, round(value, 4), round(low, 4), round(high, 4), record.mated, source)
        )
    return tuple(sorted(found, key=lambda figure: ("flip" in figure.source, -figure.value)))
