"""Calibration records as JSON: shipped with the package, beside a gallery, or the user's own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from facelign.errors import BadArray, ConfigError, NoCalibration
from facelign.types.calibrations import Calibration, OperatingPoint

#: what the first field of a record says; raised when a field changes its meaning
FORMAT = "facelign-calibration-1"
#: a record of five million kept scores; anything larger is no calibration
MAX_BYTES = 64 * 1024 * 1024

_TEXTS = ("id", "space", "metric", "set", "digest", "date")
_COUNTS = ("subjects", "photos", "mated", "non_mated")
_KEYS = {
    *("format", "fmr", "threshold", "interval", "chain", "points", "tail", "llr"),
    *("non_mated_std", "notes", *_TEXTS, *_COUNTS),
}


def to_json(calibration: Calibration) -> str:
    """Return the record as JSON text; ``from_json`` gives an equal one back.

    ``fmr``, ``threshold`` and ``interval`` are those of the target; ``tail`` keeps scores with
    counts of non-mated comparisons at or above them, so that no rate is rounded.
    """
    counts = np.rint(calibration.fmr * calibration.non_mated)
    if not np.allclose(counts, calibration.fmr * calibration.non_mated, rtol=0, atol=1e-3):
        raise BadArray("calibration: FMR is no count over the non-mated comparisons.")
    target = [p for p in calibration.points if math.isclose(p.fmr, calibration.target)]
    record: dict[str, Any] = {"format": FORMAT}
    record |= {name: getattr(calibration, name) for name in _TEXTS}
    record |= {
        "fmr": calibration.target,
        "threshold": target[0].threshold if target else None,
        "interval": list(target[0].interval) if target else None,
        "chain": dict(calibration.chain),
    }
    record |= {name: getattr(calibration, name) for name in _COUNTS}
    record |= {
        "points": [
            {
                "fmr": p.fmr,
                "threshold": p.threshold,
                "interval": list(p.interval),
                "tar": p.tar,
                "errors": p.errors,
            }
            for p in calibration.points
        ],
        "tail": {"scores": calibration.scores.tolist(), "errors": counts.astype(int).tolist()},
        "llr": {"scores": calibration.llr_scores.tolist(), "values": calibration.llr.tolist()},
        "non_mated_std": calibration.non_mated_std,
        "notes": dict(calibration.notes),
    }
    return _told(record) + "\n"


def from_json(text: str | bytes, *, source: str = "the calibration") -> Calibration:
    """Return the calibration in ``text``; raises ConfigError, which says what is wrong with it."""
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{source} is larger than {MAX_BYTES >> 20} MB.", "It is no calibration.")
    try:
        record = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source} is no JSON: {error}.", "Make it again.") from error
    try:
        return _calibration(record)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        said = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(
            f"{source} is no calibration record: {said}.",
            "Records are made by facelign calibrate.",
        ) from error


def load(source: str | Path) -> Calibration:
    """Return a calibration by path, or by the id of one that ships with facelign."""
    path = Path(source)
    if path.is_file():
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is too large for a calibration.", "Give another file.")
        return from_json(path.read_bytes(), source=str(path))
    if str(source) in _shipped_files():
        return _shipped(str(source))
    raise NoCalibration(
        f"There is no calibration '{source}'.",
        f"Give the path of a record, or one of: {', '.join(shipped_ids()) or 'none is shipped'}.",
    )


@cache
def _shipped_files() -> Mapping[str, bytes]:
    """Return the bytes of every record in the package, by file name without its ending."""
    folder = resources.files("facelign.compare") / "calibrations"
    if not folder.is_dir():
        return {}
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return {e.name[:-5]: e.read_bytes() for e in entries if e.name.endswith(".json")}


@cache
def _shipped(record_id: str) -> Calibration:
    return from_json(_shipped_files()[record_id], source=f"{record_id}.json")


def shipped_ids() -> tuple[str, ...]:
    """Return the ids of the calibrations that ship with facelign: names of their files."""
    return tuple(_shipped_files())


def shipped(space_id: str, chain: Mapping[str, str] | None = None) -> Calibration | None:
    """Return the shipped calibration of a space, or None: then a threshold is uncalibrated.

    chain: what else moved the pixels, such as ``{"detector": "yunet"}``; where it is given, every
    pair in it must be in the record. The same space behind another detector has other scores.
    """
    named = json.dumps(space_id, ensure_ascii=False).encode()
    wanted = dict(chain or {}).items()
    for record_id, data in _shipped_files().items():
        if named not in data:  # only what may be meant is parsed: a start-up waits for it
            continue
        record = _shipped(record_id)
        if record.space == space_id and all(record.chain.get(k) == v for k, v in wanted):
            return record
    return None


def _told(record: Mapping[str, Any]) -> str:
    """Return JSON with a line per field: a changed record can be read in a diff."""
    lines = (
        f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False, ensure_ascii=False)}"
        for key, value in record.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


def _calibration(record: object) -> Calibration:
    if not isinstance(record, dict):
        raise TypeError("wanted an object")
    if record.get("format") != FORMAT:
        raise ValueError(f"wanted format {FORMAT!r}, got {str(record.get('format'))[:40]!r}")
    unknown = sorted(set(record) - _KEYS)
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")
    texts = {name: _typed(record, name, str) for name in _TEXTS}
    counts = {name: _typed(record, name, int) for name in _COUNTS}
    chain = _typed(record, "chain", dict)
    if not all(isinstance(v, str) for v in chain.values()):
        raise TypeError("chain: wanted text")
    tail, ratios = _typed(record, "tail", dict), _typed(record, "llr", dict)
    errors = _numbers(tail["errors"], "tail errors")
    return Calibration(
        **texts,
        **counts,
        chain=chain,
        points=tuple(_point(p) for p in _typed(record, "points", list)),
        scores=_numbers(tail["scores"], "tail scores"),
        fmr=errors / max(counts["non_mated"], 1),
        llr_scores=_numbers(ratios["scores"], "llr scores"),
        llr=_numbers(ratios["values"], "llr values"),
        non_mated_std=_number(record["non_mated_std"], "non_mated_std"),
        notes=_typed(record, "notes", dict),
        target=_number(record["fmr"], "fmr"),
    )


def _typed(record: Mapping[str, Any], name: str, kind: type) -> Any:
    value: Any = record[name]
    fits = isinstance(value, kind) and not isinstance(value, bool)
    if not fits or (kind is int and value < 0):
        raise TypeError(f"{name}: wanted {kind.__name__}, got {str(value)[:40]!r}")
    return value


def _number(value: object, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError(f"{name}: wanted a number, got {str(value)[:40]!r}")
    return float(value)


def _numbers(values: object, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if not isinstance(values, list) or not all(type(v) in (int, float) for v in values):
        raise TypeError(f"{name}: wanted a list of numbers")
    return np.asarray(values, np.float64)


def _point(record: object) -> OperatingPoint:
    if not isinstance(record, dict):
        raise TypeError("points: wanted objects")
    interval = record["interval"]
    if not isinstance(interval, list) or len(interval) != 2:
        raise TypeError("interval: wanted two numbers")
    return OperatingPoint(
        fmr=_number(record["fmr"], "fmr"),
        threshold=_number(record["threshold"], "threshold"),
        interval=(_number(interval[0], "interval"), _number(interval[1], "interval")),
        tar=_number(record["tar"], "tar"),
        errors=int(_number(record["errors"], "errors")),
    )
