"""``facelign evaluate compare``: several chains over one set, or two saved runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import options, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.lab.defaults import PAIRED_DRAWS, SEED

if TYPE_CHECKING:
    from collections.abc import Iterable

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
Presets = Annotated[str, typer.Option("--presets", help="Presets, by commas.")]
Models = Annotated[str, typer.Option("--models", help="Embedding models, by id.")]
Detectors = Annotated[str, typer.Option("--detectors", help="Each with each of these detectors.")]
Layouts = Annotated[str, typer.Option("--layouts", help="Each with each of these layouts.")]
Timed = Annotated[int, typer.Option("--timed", min=0, help="Photos that are timed; 0 for none.")]


def compare(
    reports: Reports = None,
    images: Images = None,
    pairs: trials.PairsFile = None,
    all_pairs: trials.AllPairs = False,
    presets: Presets = "",
    models: Models = "",
    detectors: Detectors = "",
    layouts: Layouts = "",
    fmr: Annotated[float, typer.Option("--fmr", help="FMR at which TAR is told.")] = 1e-3,
    timed: Timed = 15,
    draws: trials.Draws = PAIRED_DRAWS,
    seed: trials.Seed = SEED,
    report: inputs.ReportFile = None,
    no_photos: inputs.NoPhotos = False,
    figures: inputs.Figures = None,
    csv: inputs.Csv = None,
    json: options.Json = False,
    workers: options.Workers = None,
) -> int:
    """Say which preset, detector, layout or model is best for your photos, or that none is.

    With two saved runs: what became worse from the first to the second (exit 1).
    """
    trials.needs("evaluate", "sklearn scipy")
    from facelign.errors import ConfigError

    if reports:
        if images is not None:
            raise ConfigError("Either two saved runs or --images, not both.")
        return _runs(reports, fmr, json)
    if images is None:
        raise ConfigError("What is to be compared?", "Give --images DIR, or two saved runs.")
    if report or figures or csv:
        trials.needs("report", "matplotlib")
    from facelign.cli.output import emit, note, progress
    from facelign.lab.comparison import run as comparison
    from facelign.lab.statistics.paired import PairedOptions

    heads = trials.words(presets)
    if not heads and not models:
        heads = ["default"] if detectors or layouts else ["default", "fast", "accurate"]
    wanted = comparison.crossed(
        heads, trials.words(detectors), trials.words(layouts), trials.words(models)
    )
    compared = trials.trials(images, pairs, all_pairs)
    measured: dict[tuple[Task, str], None] = {}

    def opened(one: ChainChoice, cached: bool) -> Recognizer:
        made = _recognizer(one, cached, workers)
        measured.update(dict.fromkeys(made.chain.preset.models))
        return made

    with progress("comparing", len(compared.photos) * len(wanted)) as done:
        found = comparison.run(
            compared,
            wanted,
            opened,
            PairedOptions(fmr, draws, seed),
            timed=timed,
            done=done,
        )
    for name, why in found.refused.items():
        note(f"{name} could not run: {why}")
    if report or figures or csv:
        built = _report(found, compared.digest(), measured)
        inputs.write(built, report, figures, csv, photos=not no_photos)
    if json:
        emit(found.to_dict())
    else:
        _say(found)
    return Exit.DONE


def _recognizer(one: ChainChoice, cached: bool, workers: int | None) -> Recognizer:
    from facelign.cli import building

    return building.recognizer(
        preset=one.preset,
        detector=one.detector or None,
        model=one.model or None,
        layout=one.layout or None,
        workers=workers if cached else 1,
        cached=cached,
    )


def _report(found: ComparisonRun, digest: str, models: Iterable[tuple[Task, str]]) -> Report:
    from facelign.lab.comparison import report as page

    more = {
        "set": found.trials.name,
        "digest of the set": digest,
        "spaces": "; ".join(f"{c.name}: {c.space}" for c in found.contenders),
        "draws, seed": f"{found.draws}, {found.seed}",
    }
    return page.report(found, inputs.provenance(None, more, models))


def _say(found: ComparisonRun) -> None:
    from facelign.cli.output import line
    from facelign.lab.statistics.rates import tar_label

    width = max(len(c.name) for c in found.contenders)
    line(
        f"{'':{width}} {'accuracy (95 %)':>26} {'AUC':>7} {'TAR (95 %)':>24} "
        f"{'lost':>5} {'ms':>5} {'MB':>5}"
    )
    for one in found.ranking:
        told = one.result
        spreads = (told.intervals.get("accuracy"), told.tar_interval(found.rate))
        accuracy, tar = (f"({s.low:.3f} to {s.high:.3f})" if s else "" for s in spreads)
        value = told.tar_at_fmr[found.rate].tar
        reached = "-" if value is None else f"{value:.3f}"
        ms = "-" if one.ms is None else f"{one.ms:.0f}"
        line(
            f"{one.name:{width}} {told.accuracy:.4f} {accuracy:>19} {told.auc:7.4f} "
            f"{reached} {tar:>18} {one.failed_photos:>5} {ms:>5} {one.megabytes:>5.0f}"
        )
    line(f"{tar_label(found.rate)}; lost: photos without a face, whose pairs count as errors")
    line("")
    for duel in found.duels:
        spread = duel.difference.figures.get("accuracy")
        if spread:
            line(
                f"{duel.second} against {duel.first}: accuracy {spread.value:+.4f} "
                f"({spread.low:+.4f} to {spread.high:+.4f}): {duel.difference.verdict}"
            )
    line("")
    line(found.verdict)


def _runs(reports: list[Path], fmr: float, json: bool) -> int:
    from facelign.cli.output import emit
    from facelign.errors import ConfigError
    from facelign.lab.comparison.saved_runs import compare_runs

    if len(reports) != 2:
        raise ConfigError(f"Two saved runs are compared, not {len(reports)}.")
    found = compare_runs(read_run(reports[0]), read_run(reports[1]), fmr=fmr)
    if json:
        emit(found.to_dict())
    else:
        _say_runs(found)
    return Exit.NO if found.worse else Exit.DONE


def read_run(path: Path) -> dict[str, Any]:
    """Return the record of a saved run; raises DatasetMalformed."""
    import json

    from facelign.datasets.records import list_text
    from facelign.errors import DatasetMalformed

    try:
        found = json.loads(list_text(path))
    except (ValueError, RecursionError) as error:
        raise DatasetMalformed(f"{path} is no JSON: {error}.", "Save a run with --json.") from error
    if not isinstance(found, dict):
        raise DatasetMalformed(f"{path} is no record of a run.", "Save a run with --json.")
    return found


def _say_runs(found: RunsCompared) -> None:
    from facelign.cli.output import line

    for change in found.changes:
        gap = change.difference
        line(
            f"{change.figure:22} {change.before:.4f} -> {change.after:.4f}  {gap.value:+.4f} "
            f"({gap.low:+.4f} to {gap.high:+.4f})  {change.verdict}"
        )
    for text in found.notes:
        line(f"note: {text}")
    worse = [change.figure for change in found.changes if change.verdict == "worse"]
    line(f"worse: {', '.join(worse)}" if worse else "nothing is significantly worse")
