"""``facelign evaluate pad``: how many attacks pass, and how many people are refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command, completed_option, without
from facelign.cli.output import line, note, progress
from facelign.errors import ConfigError, Refused
from facelign.recognition.options import DEFAULT_LIVENESS, LiveOptions
from facelign.types.policies import LiveMode
from facelign.types.wording import counted
from facelign.wire.options import ChainFlags

if TYPE_CHECKING:
    from facelign.lab.pad.run import Judged, PadRun
    from facelign.recognition.judging import LiveCheck
    from facelign.report.page import Report

Folder = Annotated[
    Path,
    typer.Argument(
        help="bona-fide/SUBJECT and attack/TYPE/SUBJECT (a folder a device in them), or a folder "
        "with presentations.csv.",
        metavar="DIR",
        show_default=False,
    ),
]
ModelId = Annotated[
    str,
    completed_option("--model", "The liveness model, by id (minifasnet, minifas-98).", "liveness"),
]
ThresholdOf = Annotated[
    str | None,
    typer.Option(
        "--threshold", help="A score, or a file of calibrate --liveness (default: the model's own)."
    ),
]
Claim = Annotated[
    float | None,
    typer.Option(
        "--apcer",
        help="An APCER that is to be shown for every species: exit 1 where it is not, exit 3 with "
        "what is missing where the data cannot show it.",
    ),
]


@command
def pad(
    folder: Folder,
    model: ModelId = DEFAULT_LIVENESS,
    threshold: ThresholdOf = None,
    apcer: Claim = None,
    *,
    drawing: inputs.DrawFlags,
    pages: inputs.PageFlags,
    output: JsonFlag,
    chain: Annotated[ChainFlags, without("model", "layout", "flip")],
) -> int:
    """Measure presentation attack detection: APCER by attack species, BPCER, ACER, DET.

    As ISO/IEC 30107-3 names them, with intervals over people and devices.
    """
    if apcer is not None and not 0 < apcer < 1:
        raise ConfigError(f"--apcer {apcer:g} is no share.", "Give one between 0 and 1.")
    pages.check()
    from facelign.lab.pad.run import measure

    judged, check = judge(folder, model, threshold, chain)
    limit = check.threshold
    run = measure(
        judged, limit.score, limit.source, target=apcer, draws=drawing.draws, seed=drawing.seed
    )
    pages.finish(
        partial(_report, run, drawing),
        run.to_dict,
        partial(_say, run),
        json=output.json,
    )
    for path, reason in list(judged.unread.items())[:10]:
        note(f"{path}: {reason}")
    if run.lacking:
        raise Refused(
            f"An APCER of {apcer:g} cannot be shown by {judged.name}.",
            f"Add {'; '.join(run.lacking)}.",
        )
    if judged.unread:
        return Exit.INPUT
    return Exit.NO if run.shown is False else Exit.DONE


def judge(
    folder: Path, model: str, threshold: str | None, chain: ChainFlags
) -> tuple[Judged, LiveCheck]:
    """Return the answer to every presentation of a folder, and who gave it."""
    from facelign.datasets.presentations import read_presentations
    from facelign.lab.pad import run as pad_run

    recognizer = building.finder(chain)
    asked = LiveOptions(
        liveness=LiveMode.OBSERVE, liveness_model=model, liveness_threshold=threshold
    )
    check = recognizer.live_check(asked)
    assert check is not None  # noqa: S101 - it was asked for
    found = read_presentations(folder)
    for path, why in [one for one in found.skipped if one[1] != "no picture"][:10]:
        note(f"note: {path} is left out: {why}")
    with progress("judging", len(found.shown)) as done:
        return pad_run.judge(recognizer, found, check, done), check


_ROW = "{:12} {:>8} {:>8} {:>7} {:>8} {:>7} {:>17} {:>20} {:>17}"


def _say(run: PadRun) -> None:
    from facelign.lab.pad import report as page
    from facelign.lab.statistics.rates import percent

    judged = run.judged
    line(
        f"{judged.name}: {counted(len(judged.answers.scores), 'presentation')}; {judged.model} at "
        f"{run.threshold:.3f} ({run.source})"
    )
    heads = ("", "shown", "people", "devices", "wrong", "rate", "over people", "over presentations")
    line(_ROW.format(*heads, "over devices"))
    for kind in [*run.attacks, *([run.bona_fide] if run.bona_fide else [])]:
        shown, _, people, devices, wrong, *rest = page.cells(kind)
        line(_ROW.format(kind.name, shown, people, devices, wrong, *rest))
    line(page.verdict(run))
    if run.acer is not None:
        line(f"ACER {percent(run.acer, 1)}: the mean of the largest APCER and the BPCER")
    for rate, at in run.at_bpcer.items():
        told = "too few bona fide presentations" if at is None else _at(at.apcer, at.species)
        line(f"  APCER at BPCER {percent(float(rate), 0)}: {told}")
    for reason, count in judged.silent.items():
        line(f"  not answered: {counted(count, 'photo')}, {reason}")
    for text in run.caveats:
        note(f"note: {text}")


def _at(apcer: float, species: str) -> str:
    from facelign.lab.statistics.rates import percent

    return f"{percent(apcer, 1)} ({species})" if species else "no attack was answered"


def _report(run: PadRun, drawing: inputs.DrawFlags) -> Report:
    from facelign.lab.pad import report as page
    from facelign.types.specs import Task

    more = {"set": run.judged.name, "digest of the set": run.judged.digest}
    more |= {"threshold": f"{run.threshold:.6g} ({run.source})"}
    more |= {"draws, seed": f"{drawing.draws}, {drawing.seed}"}
    models = [(Task.LIVENESS, run.judged.model), (Task.DETECT, run.judged.detector)]
    return page.report(run, inputs.provenance(None, more, models))
