"""``facelign evaluate plan``: how much data a claim needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command
from facelign.cli.output import emit, line
from facelign.types.options import Option, OptionSet, share


@dataclass(frozen=True, slots=True)
class PlanFlags(OptionSet):
    """Which claim is to be made, on which photos."""

    fmr: Annotated[float, Option("The false match rate that is to be claimed.", check=share)]
    photos_per_person: Annotated[float, Option("Photos of each person, on average.", low=1)] = 1.0


@command
def plan(claim: PlanFlags, output: JsonFlag) -> int:
    """Say how many people and photos it takes to claim a false match rate."""
    from facelign.compare.planning import plan as planned

    fmr, photos_per_person = claim.fmr, claim.photos_per_person
    needs = planned(fmr, photos_per_person)
    if output.json:
        emit({"fmr": fmr, "photos_per_person": photos_per_person, **needs})
        return Exit.DONE
    line(f"To claim an FMR of {fmr:g} with {photos_per_person:g} photos of each person:")
    for name, why in (
        ("least", "no error may be seen (rule of 3)"),
        ("sound", "30 errors are seen: +-30 % at 90 % confidence (rule of 30)"),
    ):
        line(
            f"  {name:5}  {needs[f'{name}_comparisons']:>15,} non-mated comparisons, "
            f"{needs[f'{name}_people']:>9,} people, {needs[f'{name}_photos']:>9,} photos: {why}"
        )
    line("Comparisons that share a person are not independent: more people count, not more photos.")
    return Exit.DONE
