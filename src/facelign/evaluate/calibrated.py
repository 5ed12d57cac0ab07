"""A calibration with everything that earns it: the record, its support, the held-out check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from facelign.compare.curves import ScoreSet
from facelign.compare.thresholds import VERIFY_FMR
from facelign.evaluate import calibration, held_out
from facelign.evaluate.calibration import Platt
from facelign.evaluate.held_out import HeldOut
from facelign.evaluate.named import Named, all_scores
from facelign.evaluate.resampling import DRAWS, SEED
from facelign.evaluate.verification import PairScores
from facelign.types.calibrations import Calibration


@dataclass(frozen=True, slots=True)
class Subject:
    """What is calibrated, for the record. more: plain data that joins its notes."""

    record_id: str
    chain: Mapping[str, str]
    set_name: str
    date: str
    more: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A record that the data supports. scores: those behind it. platt: the logistic map."""

    record: Calibration
    held_out: HeldOut
    platt: Platt
    scores: ScoreSet


def of_people(
    named: Named,
    about: Subject,
    *,
    target: float = VERIFY_FMR,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Calibrated:
    """Return the calibration of all pairs of ``named`` people.

    Raises Refused, saying what is missing, where the data does not carry the target.
    """
    record = calibration.calibrate(
        named,
        record_id=about.record_id,
        chain=about.chain,
        set_name=about.set_name,
        date=about.date,
        target=target,
        draws=draws,
        seed=seed,
    )
    calibration.support(record)
    checked = held_out.of_people(named, target, draws=draws, seed=seed)
    return _with_notes(record, about, checked, all_scores(named))


def of_pairs(
    pairs: PairScores,
    named: Named,
    about: Subject,
    *,
    digest: str,
    target: float = VERIFY_FMR,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Calibrated:
    """Return the calibration of listed pairs; ``digest`` names the list.

    Raises as ``of_people``.
    """
    record = calibration.calibrate_pairs(
        pairs,
        named,
        digest=digest,
        record_id=about.record_id,
        chain=about.chain,
        set_name=about.set_name,
        date=about.date,
        target=target,
        draws=draws,
        seed=seed,
    )
    calibration.support(record)
    checked = held_out.of_pairs(pairs, target, draws=draws, seed=seed)
    return _with_notes(record, about, checked, pairs.where(~pairs.failed).set)


def _with_notes(
    record: Calibration, about: Subject, checked: HeldOut, scores: ScoreSet
) -> Calibrated:
    sigmoid = calibration.platt(scores)
    notes = {
        **record.notes,
        "held_out": checked.to_dict(),
        "platt": {
            "slope": round(sigmoid.slope, 6),
            "offset": round(sigmoid.offset, 6),
            "prior": round(sigmoid.prior, 9),
        },
        **about.more,
    }
    return Calibrated(replace(record, notes=notes), checked, sigmoid, scores)
