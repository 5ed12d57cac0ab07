"""Calibration records as JSON: shipped with the package, beside a gallery, or the user's own."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from facelign.errors import BadArray, ConfigError, InputError, NoCalibration
from facelign.files.home import expanded
from facelign.types.arrays import Float64Array
from facelign.types.calibrations import Calibration, OperatingPoint
from facelign.types.embeddings import Metric

#: what the first field of a record says; raised when a field changes its meaning
FORMAT = "facelign-calibration-1"
#: a record of five million kept scores; anything larger is no calibration
MAX_BYTES = 64 * 1024 * 1024

#: counts above this lose their last digits as floats (IEEE 754 doubles)
_LARGEST_COUNT = 2**53
#: scores are kept in millionths, so one may lie this far beyond the end of its scale
_SLACK = 2e-6
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")

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
        "points": [asdict(point) for point in calibration.points],
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
            f"{source} is no calibration record: {said.removesuffix('.')}.",
            "Records are made by facelign calibrate.",
        ) from error


def load(source: str | Path) -> Calibration:
    """Return a calibration by path, or by the id of one that ships with facelign."""
    path = expanded(source)
    if path.is_file():
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is too large for a calibration.", "Give another file.")
        return from_json(path.read_bytes(), source=str(path))
    if str(source) in _shipped_files():
        return _shipped(str(source))
    if path.suffix or len(path.parts) > 1:  # ids have neither
        raise InputError(f"There is no file {path}.", "Check the path of the calibration.")
    raise NoCalibration(
        f"There is no calibration '{source}'.",
        f"Give the path of a record, or one of: {', '.join(shipped_ids()) or 'none is shipped'}.",
    )


@cache
def _shipped_files() -> Mapping[str, bytes]:
    """Return the bytes of every record in the package, by file name without its ending."""
    folder = Path(__file__).with_name("calibrations")
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
        raise ValueError(f"wanted format {FORMAT!r}, got {_shown(record.get('format'))}")
    unknown = sorted(set(record) - _KEYS)
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")
    texts: dict[str, Any] = {name: _text(record, name) for name in _TEXTS}
    counts: dict[str, Any] = {name: _count(record[name], name) for name in _COUNTS}
    chain = _typed(record, "chain", dict)
    if not all(isinstance(v, str) for v in chain.values()):
        raise TypeError("chain: wanted text")
    tail, ratios = _typed(record, "tail", dict), _typed(record, "llr", dict)
    errors = _errors(tail["errors"], counts["non_mated"])
    found = Calibration(
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
        target=_rate(record["fmr"], "fmr"),
    )
    _check_identity(found)
    _check_scores(found)
    _check_points(found, errors)
    _check_target(found, record)
    return found


def _check_identity(found: Calibration) -> None:
    """Raise ValueError unless texts and counts can be those of a calibration."""
    if found.metric not in list(Metric):
        known = ", ".join(str(metric) for metric in Metric)
        raise ValueError(f"metric: wanted one of {known}, got {_shown(found.metric)}")
    if not all(found.space.split("/")):
        raise ValueError(f"space: wanted model/layout/points, got {_shown(found.space)}")
    if not _SHA256.match(found.digest):
        raise ValueError(f"digest: wanted a SHA-256, got {_shown(found.digest)}")
    try:
        datetime.date.fromisoformat(found.date)
    except ValueError:
        raise ValueError(f"date: wanted YYYY-MM-DD, got {_shown(found.date)}") from None
    if not 2 <= found.subjects <= found.photos:
        raise ValueError(
            f"subjects, photos: wanted at least two people and a photo each, got "
            f"{found.subjects} and {found.photos}"
        )
    if found.non_mated_std < 0:
        raise ValueError(f"non_mated_std: wanted 0 or more, got {found.non_mated_std:g}")


def _check_scores(found: Calibration) -> None:
    """Raise ValueError unless scores are such as the metric gives."""
    cosine = found.metric == Metric.COSINE
    low, high = (-1.0, 1.0) if cosine else (-np.inf, 0.0)
    for name, scores in (("tail", found.scores), ("llr", found.llr_scores)):
        beyond = scores[(scores < low - _SLACK) | (scores > high + _SLACK)]
        if len(beyond):
            raise ValueError(
                f"{name} scores: {beyond[0]:g} is no score of metric {found.metric} "
                f"({'-1 to 1' if cosine else '0 and less: a distance with its sign turned'})"
            )


def _check_points(found: Calibration, errors: Float64Array) -> None:
    """Raise ValueError unless the operating points are those of the tail."""
    points = found.points
    if not _falling([p.fmr for p in points], strictly=True):
        raise ValueError("points: FMR must fall")
    if not _falling([-p.threshold for p in points]):
        raise ValueError("points: thresholds must rise as FMR falls")
    if not _falling([p.tar for p in points]):
        raise ValueError("points: tar must fall with FMR")
    for p in points:
        at = int(np.searchsorted(found.scores, p.threshold))
        if at == len(found.scores) or found.scores[at] != p.threshold:
            raise ValueError(f"points: threshold {p.threshold:g} is no score of the tail")
        if p.errors != errors[at]:
            raise ValueError(
                f"points: {p.errors} errors at {p.threshold:g}, where the tail has {errors[at]:.0f}"
            )
        share = p.errors / found.non_mated
        if share > p.fmr * (1 + 1e-9):
            raise ValueError(f"points: {p.errors} errors are more than an FMR of {p.fmr:g}")
        if not p.interval[0] <= share <= p.interval[1]:
            raise ValueError(
                f"interval: {p.interval[0]:g} to {p.interval[1]:g} does not hold the FMR of "
                f"{share:.3g} at {p.threshold:g}"
            )


def _check_target(found: Calibration, record: Mapping[str, Any]) -> None:
    """Raise ValueError unless threshold and interval repeat the point of the target.

    Readers of the file take them from there; a number changed in one place only would mean two
    thresholds.
    """
    point = next((p for p in found.points if math.isclose(p.fmr, found.target)), None)
    wanted = (point.threshold, list(point.interval)) if point else (None, None)
    for name, value in zip(("threshold", "interval"), wanted, strict=True):
        if record[name] != value:
            raise ValueError(
                f"{name}: {_shown(record[name])} is not that of the point at FMR "
                f"{found.target:g}, {value}"
            )


def _falling(values: Sequence[float], *, strictly: bool = False) -> bool:
    steps = np.diff(np.asarray(values, np.float64))
    return bool((steps < 0).all() if strictly else (steps <= 0).all())


def _shown(value: object) -> str:
    """Return a value of the file as it may be quoted: short and printable."""
    return repr(str(value)[:40])


def _typed(record: Mapping[str, Any], name: str, kind: type) -> Any:
    value: Any = record[name]
    if not isinstance(value, kind):
        wanted = {"str": "text", "dict": "an object", "list": "a list"}[kind.__name__]
        raise TypeError(f"{name}: wanted {wanted}, got {_shown(value)}")
    return value


def _text(record: Mapping[str, Any], name: str) -> str:
    value: str = _typed(record, name, str)
    if not value.strip() or not value.isprintable():
        raise ValueError(f"{name}: wanted printable text, got {_shown(value)}")
    return value


def _count(value: object, name: str) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST_COUNT:
        raise TypeError(f"{name}: wanted a count, got {_shown(value)}")
    return value


def _number(value: object, name: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise TypeError(f"{name}: wanted a number, got {_shown(value)}")
    return float(value)  # type: ignore[arg-type]


def _rate(value: object, name: str) -> float:
    rate = _number(value, name)
    if not 0 < rate <= 1:
        raise ValueError(f"{name}: wanted a share above 0 and up to 1, got {rate:g}")
    return rate


def _numbers(values: object, name: str) -> Float64Array:
    if not isinstance(values, list) or not all(type(v) in (int, float) for v in values):
        raise TypeError(f"{name}: wanted a list of numbers")
    return np.asarray(values, np.float64)


def _errors(values: object, non_mated: int) -> Float64Array:
    errors = _numbers(values, "tail errors")
    if (errors != np.rint(errors)).any() or (errors < 0).any():
        raise ValueError("tail errors: wanted counts of comparisons")
    if errors.max(initial=0) > non_mated:
        raise ValueError(f"tail errors: more than the {non_mated} non-mated comparisons")
    return errors


def _point(record: object) -> OperatingPoint:
    if not isinstance(record, dict):
        raise TypeError("points: wanted objects")
    unknown = sorted(set(record) - set(OperatingPoint.__slots__))
    if unknown:
        raise ValueError(f"points: unknown field {unknown[0]!r}")
    interval = record["interval"]
    if not isinstance(interval, list) or len(interval) != 2:
        raise TypeError("interval: wanted two numbers")
    tar = _number(record["tar"], "points, tar")
    if not 0 <= tar <= 1:
        raise ValueError(f"points, tar: wanted a share, got {tar:g}")
    return OperatingPoint(
        fmr=_rate(record["fmr"], "points, fmr"),
        threshold=_number(record["threshold"], "points, threshold"),
        interval=(_number(interval[0], "interval"), _number(interval[1], "interval")),
        tar=tar,
        errors=_count(record["errors"], "points, errors"),
    )
