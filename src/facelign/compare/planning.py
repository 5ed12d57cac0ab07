"""How many comparisons and people the claim of a false match rate takes."""

from __future__ import annotations

import math

from facelign.compare.thresholds import RULE_OF_THREE
from facelign.errors import BadArray, Refused
from facelign.types.calibrations import Calibration

#: errors that bound a rate to +-30 % at 90 % confidence, if comparisons were independent (the rule
#: of 30 of Doddington et al., 2000)
_RULE_OF_30 = 30


def support(calibration: Calibration, *, every_pair: int = 0) -> None:
    """Raise Refused, with what is missing, where the data does not carry the target.

    Three over the non-mated comparisons must not exceed it, nor may the upper bound of its
    interval exceed ten times the target. every_pair: non-mated comparisons of all pairs of the
    photos, where the record is one of listed pairs only.
    """
    needed = needed_comparisons(calibration.target)
    if calibration.non_mated < needed:
        raise Refused(
            f"An FMR of {calibration.target:g} needs {needed:,} non-mated comparisons, and there "
            f"{'is' if calibration.non_mated == 1 else 'are'} {calibration.non_mated:,} (3 over "
            "their number must not exceed it).",
            _more_pairs(calibration, needed, every_pair)
            if calibration.notes.get("pairs") == "listed"
            else more_people(needed, calibration.subjects, calibration.photos),
        )
    point = next(p for p in calibration.points if math.isclose(p.fmr, calibration.target))
    if point.interval[1] > 10 * calibration.target:
        # the width over people shrinks with the root of their number
        excess = point.interval[1] / (10 * calibration.target)
        missing = math.ceil(calibration.subjects * (excess**2 - 1))
        raise Refused(
            f"The FMR at this threshold may be {point.interval[1]:.2g} (95 % interval over "
            f"{calibration.subjects} people), over ten times the target of {calibration.target:g}.",
            f"Add photos of {_people(max(missing, 1))}.",
        )


def needed_comparisons(target: float) -> int:
    """Return how many non-mated comparisons an FMR takes, by the rule of 3."""
    return math.ceil(RULE_OF_THREE / target * (1 - 1e-12))


def more_people(needed: int, subjects: int, photos: int) -> str:
    """Return the hint of how many people are missing, with as many photos each as there are."""
    people = _people_of(needed, max(photos / max(subjects, 1), 1.0))
    return f"Add photos of {_people(max(people - subjects, 1))}."


def _more_pairs(calibration: Calibration, needed: int, every_pair: int) -> str:
    """Return the hint for a list: its pairs do not multiply with people, they are listed."""
    pairs = needed - calibration.non_mated
    people = math.ceil(calibration.subjects * pairs / calibration.non_mated)
    listed = f"list about {pairs:,} more non-mated pairs, of {_people(people)} at the same rate"
    if every_pair < needed:
        return f"{listed[0].upper()}{listed[1:]}."
    return (
        f"Leave the list of pairs out: all pairs of these photos give {every_pair:,} non-mated "
        f"comparisons, or {listed}."
    )


def _people(count: int) -> str:
    return f"about {count:,} more {'person' if count == 1 else 'people'}"


def plan(target: float, photos_per_person: float = 1.0) -> dict[str, int]:
    """Return how many comparisons, people and photos an FMR claim needs.

    "least": by the rule of 3, no error allowed for; "sound": by the rule of 30.
    """
    if not 0 < target <= 1 or photos_per_person < 1:
        raise BadArray("plan: wanted an FMR in (0, 1] and at least one photo a person.")
    figures: dict[str, int] = {}
    for name, errors in (("least", RULE_OF_THREE), ("sound", _RULE_OF_30)):
        pairs = math.ceil(errors / target - 1e-9)
        people = _people_of(pairs, photos_per_person)
        figures |= {
            f"{name}_comparisons": pairs,
            f"{name}_people": people,
            f"{name}_photos": math.ceil(people * photos_per_person),
        }
    return figures


def _people_of(non_mated: int, photos_per_person: float) -> int:
    """Return how many people give so many non-mated comparisons, all pairs of their photos."""
    return math.ceil((1 + math.sqrt(1 + 8 * non_mated / photos_per_person**2)) / 2)
