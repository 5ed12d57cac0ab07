"""A calibration with everything that earns it: the record, its support, the held-out check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from facelign.compare.curves import ScoreSet
from facelign.compare.thresholds import VERIFY_FMR
from facelign.errors import Refused
from facelign.lab.calibration import figures as calibration
from facelign.lab.calibration import held_out
from facelign.lab.calibration.figures import Platt
from facelign.lab.calibration.held_out import HeldOut
from facelign.lab.material.named import Named, all_scores, pair_counts
from facelign.lab.statistics.resampling import DRAWS, SEED
from facelign.lab.verification.figures import PairScores
from facelign.recognition.presets import PRESETS, Preset
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


def record_id(chosen: Preset, set_name: str, preprocessing: str = "") -> str:
    """Return the id of a record: what differs from the preset is named, and the set.

    ``default-lfw-dev``; ``accurate-yunet-n-lfw-dev`` behind another detector; ``mobilefacenet-...``
    for another model.
    """
    usual = PRESETS.get(chosen.id)
    words = [chosen.id]
    if usual is not None and chosen.parts != usual.parts:
        models = [part.model for part in chosen.parts]
        if models != [part.model for part in usual.parts]:
            words = models
        if any(part.flip for part in chosen.parts) != any(part.flip for part in usual.parts):
            words.append("flip" if chosen.parts[0].flip else "no-flip")
    if usual is not None and chosen.detector != usual.detector:
        words.append(chosen.detector)
    if usual is not None and chosen.landmarker != usual.landmarker:
        words.append(chosen.landmarker or "no-landmarker")
    told = "-".join([*words, preprocessing, set_name.replace("_", "-")])
    return re.sub(r"[^A-Za-z0-9.]+", "-", told).strip("-.") or "calibration"


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
    _both_kinds(named, target)
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
    held = pairs.where(~pairs.failed)
    mated = int(held.same.sum())
    if not mated or mated == len(held):
        raise Refused(
            f"The list gives {mated} mated and {len(held) - mated} non-mated comparisons, and both "
            "kinds are needed.",
            "List pairs of one person and pairs of two people.",
        )
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
    calibration.support(record, every_pair=pair_counts(named)[1])
    checked = held_out.of_pairs(pairs, target, draws=draws, seed=seed)
    return _with_notes(record, about, checked, pairs.where(~pairs.failed).set)


def _both_kinds(named: Named, target: float) -> None:
    """Raise Refused unless there are mated and non-mated pairs, with how many people are missing.

    One photo a person, or one person only, is what a first folder often holds.
    """
    mated, non_mated = pair_counts(named)
    if mated and non_mated:
        return
    people, photos = len(set(named.people)), len(named.people)
    needed = calibration.needed_comparisons(target)
    hint = calibration.more_people(needed, people, photos) if non_mated < needed else ""
    second = "" if mated else "Give a second photo of some of them."
    raise Refused(
        f"{photos} {'photo' if photos == 1 else 'photos'} of {people} "
        f"{'person' if people == 1 else 'people'} give {mated} mated and {non_mated} non-mated "
        f"comparisons, and an FMR of {target:g} needs mated ones and {needed:,} non-mated ones.",
        " ".join(filter(None, (hint, second))),
    )


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
