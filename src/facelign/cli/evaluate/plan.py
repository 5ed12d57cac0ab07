"""``facelign evaluate plan``: how much data a claim needs."""

from __future__ import annotations

from typing import Annotated

import typer

from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command
from facelign.cli.output import emit, line
from facelign.errors import ConfigError

Fmr = Annotated[float, typer.Option("--fmr", help="The false match rate that is to be claimed.")]
PerPerson = Annotated[
    float, typer.Option("--photos-per-person", min=1.0, help="Photos of each person, on average.")
]


@command
def plan(fmr: Fmr, photos_per_person: PerPerson = 1.0, *, output: JsonFlag) -> int:
    """Say how many people and photos it takes to claim a false match rate."""
    from facelign.compare.planning import plan as planned

    if not 0 < fmr <= 1:
        raise ConfigError(f"--fmr {fmr:g} is no rate.", "Give a share above 0 and up to 1.")
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
