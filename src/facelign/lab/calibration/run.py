"""A calibration with everything that earns it: the record, its support, the held-out check."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from facelign.compare.curves import ScoreSet
from facelign.compare.pairs import PairScores
from facelign.compare.planning import more_people, needed_comparisons, support
from facelign.errors import Refused
from facelign.lab.calibration import held_out
from facelign.lab.calibration.figures import CalibrationRequest, Evidence, calibrate
from facelign.lab.calibration.held_out import HeldOut
from facelign.lab.calibration.probabilities import platt
from facelign.lab.material.named import Named, pair_counts
from facelign.recognition.presets import PRESETS, Preset
from facelign.types.calibrations import Calibration, OperatingPoint
from facelign.types.wording import counted


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationRun:
    """A record that the data supports. scores: those behind it."""

    record: Calibration
    held_out: HeldOut
    scores: ScoreSet

    @property
    def point(self) -> OperatingPoint:
        """The operating point at the false match rate that was asked for."""
        record = self.record
        return min(record.points, key=lambda point: abs(math.log(point.fmr / record.target)))


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
    joined = "-".join([*words, preprocessing, set_name.replace("_", "-")])
    return re.sub(r"[^A-Za-z0-9.]+", "-", joined).strip("-.") or "calibration"


def run(
    named: Named,
    request: CalibrationRequest,
    *,
    pairs: PairScores | None = None,
    digest: str = "",
) -> CalibrationRun:
    """Return the calibration of all pairs of ``named`` people, or of listed ``pairs`` of them.

    digest: names the list. Raises Refused, saying what is missing, where the data does not carry
    the target.
    """
    draws, seed, target = request.draws, request.seed, request.target
    if pairs is None:
        _both_kinds(named, target)
        evidence = Evidence.of_people(named, draws, seed)
        record = calibrate(evidence, named, request)
        support(record)
        checked = held_out.of_people(named, target, draws=draws, seed=seed)
    else:
        _both_kinds_listed(pairs)
        evidence = Evidence.of_pairs(pairs, draws, seed)
        record = calibrate(evidence, named, request, listed=digest)
        support(record, every_pair=pair_counts(named)[1])
        checked = held_out.of_pairs(pairs, target, draws=draws, seed=seed)
    sigmoid = platt(evidence.scores)
    notes = {
        **record.notes,
        "held_out": checked.to_dict(),
        "platt": {
            "slope": round(sigmoid.slope, 6),
            "offset": round(sigmoid.offset, 6),
            "prior": round(sigmoid.prior, 9),
        },
        **request.notes,
    }
    return CalibrationRun(replace(record, notes=notes), checked, evidence.scores)


def _both_kinds(named: Named, target: float) -> None:
    """Raise Refused unless there are mated and non-mated pairs, with how many people are missing.

    One photo a person, or one person only, is what a first folder often holds.
    """
    mated, non_mated = pair_counts(named)
    if mated and non_mated:
        return
    people, photos = len(set(named.people)), len(named.people)
    needed = needed_comparisons(target)
    hint = more_people(needed, people, photos) if non_mated < needed else ""
    second = "" if mated else "Give a second photo of some of them."
    raise Refused(
        f"{counted(photos, 'photo')} of "
        f"{counted(people, 'person', 'people')} give {mated} mated and {non_mated} non-mated "
        f"comparisons, and an FMR of {target:g} needs mated ones and {needed:,} non-mated ones.",
        " ".join(filter(None, (hint, second))),
    )


def _both_kinds_listed(pairs: PairScores) -> None:
    """Raise Refused unless mated and non-mated pairs of a list have scores."""
    same = pairs.same[~pairs.failed]
    mated = int(same.sum())
    if not mated or mated == len(same):
        raise Refused(
            f"The list gives {mated} mated and {len(same) - mated} non-mated comparisons, and both "
            "kinds are needed.",
            "List pairs of one person and pairs of two people.",
        )
