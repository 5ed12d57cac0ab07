"""``facelign evaluate compare``: several chains over one set, or two saved runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import building, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command, only
from facelign.cli.output import emit, line, note, progress
from facelign.errors import ConfigError, DatasetMalformed
from facelign.recognition.options import ChainOptions
from facelign.types.options import Option, OptionSet
from facelign.wire.options import ChainFlags, OutputFlags

if TYPE_CHECKING:
    from facelign.lab.comparison.run import ChainChoice, ComparisonRun
    from facelign.lab.comparison.saved_runs import RunsCompared
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.page import Report
    from facelign.types.specs import Task

Reports = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Two saved runs (JSON of evaluate verification); exit 1 if the second is worse.",
        show_default=False,
    ),
]
Images = Annotated[
    Path | None, typer.Option("--images", help="Folder of the photos.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class ContenderFlags(OptionSet):
    """Which chains are compared."""

    presets: Annotated[str, Option("Presets, by commas.")] = ""
    models: Annotated[str, Option("Embedding models, by id.")] = ""
    detectors: Annotated[str, Option("Each with each of these detectors.")] = ""
    layouts: Annotated[str, Option("Each with each of these layouts.")] = ""


@command
def compare(
    reports: Reports = None,
    images: Images = None,
    *,
    listed: trials.PairFlags,
    chains: ContenderFlags,
    paired: trials.PairedFlags,
    pages: inputs.PageFlags,
    output: JsonFlag,
    chain: Annotated[ChainFlags, only("workers")],
) -> int:
    """Say which preset, detector, layout or model is best for your photos, or that none is.

    With two saved runs: what became worse from the first to the second (exit 1).
    """
    trials.needs("evaluate", "sklearn scipy")
    if reports:
        if images is not None:
            raise ConfigError("Either two saved runs or --images, not both.")
        return _runs(reports, paired.fmr, output)
    if images is None:
        raise ConfigError("What is to be compared?", "Give --images DIR, or two saved runs.")
    pages.check()
    from facelign.lab.comparison.run import crossed, run
    from facelign.lab.statistics.paired import PairedOptions

    heads = trials.words(chains.presets)
    if not heads and not chains.models:
        bare = chains.detectors or chains.layouts
        heads = ["default"] if bare else ["default", "fast", "accurate"]
    choices = crossed(
        heads,
        trials.words(chains.detectors),
        trials.words(chains.layouts),
        trials.words(chains.models),
    )
    _known(choices)
    compared = trials.trials(images, listed.pairs, listed.all_pairs)
    models: dict[tuple[Task, str], None] = {}

    def opened(one: ChainChoice, cached: bool) -> Recognizer:
        recognizer = _recognizer(one, cached, chain.workers)
        models.update(dict.fromkeys(recognizer.chain.preset.models))
        return recognizer

    options = PairedOptions(paired.fmr, paired.draws, paired.seed)
    with progress("comparing", len(compared.photos) * len(choices)) as done:
        measured = run(compared, choices, opened, options, timed=paired.timed, done=done)
    for name, why in measured.refused.items():
        note(f"{name} could not run: {why}")
    page = partial(_report, measured, compared.digest(), models)
    pages.finish(page, measured.to_dict, partial(_say, measured), json=output.json)
    return Exit.DONE


def _known(choices: Iterable[ChainChoice]) -> None:
    """Raise UnknownModel for a name that there is not: that is no contender which cannot run."""
    from facelign import models
    from facelign.recognition.presets import preset
    from facelign.types.specs import Task

    registry = models.default()
    for one in choices:
        preset(one.preset)
        for task, name in ((Task.DETECT, one.detector), (Task.EMBED, one.model)):
            if name:
                registry.spec(task, name)
        if one.layout:
            registry.layout(one.layout)


def _recognizer(one: ChainChoice, cached: bool, workers: int | None) -> Recognizer:
    flags = ChainFlags(
        preset=one.preset,
        detector=one.detector or None,
        model=one.model or None,
        options=ChainOptions(layout=one.layout or None),
        workers=workers if cached else 1,
    )
    return building.recognizer(flags, cached=cached)


def _report(found: ComparisonRun, digest: str, models: Iterable[tuple[Task, str]]) -> Report:
    from facelign.lab.comparison.report import report

    more = {
        "set": found.trials.name,
        "digest of the set": digest,
        "spaces": "; ".join(f"{c.name}: {c.space}" for c in found.contenders),
        "draws, seed": f"{found.draws}, {found.seed}",
    }
    return report(found, inputs.provenance(None, more, models))


def _say(found: ComparisonRun) -> None:
    from facelign.lab.statistics.rates import percent, tar_label

    width = max(len(c.name) for c in found.contenders)
    line(
        f"{'':{width}} {'accuracy (95 %)':>26} {'AUC':>7} {'TAR (95 %)':>26} "
        f"{'lost':>5} {'ms':>5} {'MB':>5}"
    )
    for one in found.ranking:
        told = one.result
        spreads = (told.intervals.get("accuracy"), told.tar_interval(found.rate))
        accuracy, tar = (f"({s.percent.ends(2)})" if s else "" for s in spreads)
        reached = percent(told.tar_at_fmr[found.rate].tar)
        ms = "-" if one.ms is None else f"{one.ms:.0f}"
        line(
            f"{one.name:{width}} {percent(told.accuracy):>8} {accuracy:>17} {told.auc:7.4f} "
            f"{reached:>8} {tar:>17} {one.failed_photos:>5} {ms:>5} {one.megabytes:>5.0f}"
        )
    line(f"{tar_label(found.rate)}; lost: photos without a face, whose pairs count as errors")
    line("")
    for duel in found.duels:
        spread = duel.difference.figures.get("accuracy")
        if spread:
            line(
                f"{duel.second} against {duel.first}: accuracy {spread.points}: "
                f"{duel.difference.verdict}"
            )
    line("")
    line(found.verdict)


def _runs(reports: list[Path], fmr: float, output: OutputFlags) -> int:
    from facelign.lab.comparison.saved_runs import compare_runs

    if len(reports) != 2:
        raise ConfigError(f"Two saved runs are compared, not {len(reports)}.")
    found = compare_runs(read_run(reports[0]), read_run(reports[1]), fmr=fmr)
    if output.json:
        emit(found.to_dict())
    else:
        _say_runs(found)
    return Exit.NO if found.worse else Exit.DONE


def read_run(path: Path) -> dict[str, Any]:
    """Return the record of a saved run; raises DatasetMalformed."""
    from facelign.datasets.records import list_text

    try:
        found = json.loads(list_text(path))
    except (ValueError, RecursionError) as error:
        raise DatasetMalformed(f"{path} is no JSON: {error}.", "Save a run with --json.") from error
    if not isinstance(found, dict):
        raise DatasetMalformed(f"{path} is no record of a run.", "Save a run with --json.")
    return found


def _say_runs(found: RunsCompared) -> None:
    from facelign.lab.statistics.rates import number, percent

    for change in found.changes:
        gap = change.difference
        plain = change.figure == "auc"
        tell, moved = (number, gap.change()) if plain else (percent, gap.points)
        line(
            f"{change.figure:22} {tell(change.before)} -> {tell(change.after)}  {moved}  "
            f"{change.verdict}"
        )
    for text in found.notes:
        line(f"note: {text}")
    worse = [change.figure for change in found.changes if change.verdict == "worse"]
    line(f"worse: {', '.join(worse)}" if worse else "nothing is significantly worse")
