"""``facelign study``: experiments that answer one question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command, only
from facelign.cli.output import emit, line, note, progress
from facelign.errors import ConfigError, FacelignError
from facelign.lab.defaults import PAIRED_DRAWS, SEED
from facelign.types.policies import VERIFY_FMR
from facelign.wire.options import ChainFlags

if TYPE_CHECKING:
    from facelign.lab.alignment.figures import Study
    from facelign.lab.alignment.run import Bench
    from facelign.report.page import Report
    from facelign.report.plot import Plot

app = typer.Typer(help="Experiments that answer one question.", no_args_is_help=True)

Layouts = Annotated[
    str, typer.Option("--layouts", help="none, crop, square, eyes, five, native; by commas.")
]
Detectors = Annotated[str, typer.Option("--detectors", help="Detectors, by id.")]
Models = Annotated[str, typer.Option("--models", help="Embedding models, by id.")]
Rotations = Annotated[
    str, typer.Option("--rotations", help="Leans of the head, degrees, to either side.")
]
Changes = Annotated[
    str,
    typer.Option(
        "--degradations", help="none, low-resolution, blur, dark, glasses; =AMOUNT may follow."
    ),
]
Cross = Annotated[
    bool,
    typer.Option("--cross", help="Every degradation at every rotation (default: one at a time)."),
]
Rate = Annotated[float, typer.Option("--fmr", help="FMR at which TAR is told.")]


@app.callback()
def root() -> None:
    """Experiments that answer one question."""


@app.command("alignment")
@command
def alignment(
    images: trials.ImagesFolder,
    pairs: trials.PairsFile = None,
    all_pairs: trials.AllPairs = False,
    layouts: Layouts = "none,crop,square,eyes,five,native",
    detectors: Detectors = "yunet",
    rotations: Rotations = "0,15,30,45",
    degradations: Changes = "none,low-resolution,blur,dark,glasses",
    models: Models = "sface",
    cross: Cross = False,
    fmr: Rate = VERIFY_FMR,
    draws: trials.Draws = PAIRED_DRAWS,
    seed: trials.Seed = SEED,
    *,
    pages: inputs.PageFlags,
    output: JsonFlag,
    chain: Annotated[ChainFlags, only("workers")],
) -> int:
    """Measure what alignment is worth: the same photos, cut in every way, through a model.

    Leans and degradations are made from your photos and are relative to the face.
    """
    pages.check()
    from facelign.lab.alignment import figures
    from facelign.lab.alignment.run import Bench

    try:
        leans = [float(text) for text in trials.words(rotations)]
    except ValueError as error:
        raise ConfigError(f"--rotations {rotations}: {error}.", "Such as 0,15,30.") from error
    conditions = figures.conditions(leans, trials.words(degradations), cross=cross)
    compared = trials.trials(images, pairs, all_pairs)
    cuts = trials.named("--layouts", layouts)
    figures.check_layouts(cuts)
    bench = Bench(
        trials.named("--models", models),
        trials.named("--detectors", detectors),
        cuts,
        cache=building.cache(),
        workers=chain.workers or 2,
    )
    photos = [photo.path for photo in compared.photos]
    arms = bench.arms(conditions)
    note(f"{len(photos)} photos, {len(conditions)} conditions, {len(arms)} arms")
    with progress("study", len(photos)) as done:
        vectors = bench.run(photos, conditions, done)
    study = figures.summarize(compared, vectors, wanted=fmr, draws=draws, seed=seed)
    if pages.wanted:
        pages.write(_report(study, bench))
    if output.json:
        emit(study.to_dict() | {"seed": seed})
    else:
        _say(study)
    return Exit.DONE


def _report(study: Study, bench: Bench) -> Report:
    from facelign.lab.alignment import report as page
    from facelign.types.specs import Task

    _, aligned = study.best
    try:
        paths = [photo.path for photo in study.trials.photos]
        theory = page.Theory(*bench.theory(paths, aligned.arm.detector))
    except ConfigError as error:
        note(f"note: {error.message}")
        theory = None
    more = {
        "set": study.trials.name,
        "digest of the set": study.trials.digest(),
        "draws, seed": f"{study.draws}, {study.seed}",
    }
    models = [(Task.DETECT, name) for name in bench.detectors]
    models += [(Task.EMBED, name) for name in bench.models]
    caveats = [
        "Leans, degradations and glasses are made from the same photos: they stand in for people "
        "who do not cooperate, they are no photos of such people."
    ]
    if study.trials.subjects < 100:
        caveats.append(
            f"{study.trials.subjects} people: the direction is safe where the interval says so, "
            "the size belongs to these people."
        )
    provenance = inputs.provenance(None, more, models)
    return page.report(study, provenance, theory, caveats, _pathways(study, bench))


def _pathways(study: Study, bench: Bench) -> list[Plot]:
    """Return the steps of each arm, drawn with the first pair of one person that all arms can."""
    import numpy as np

    from facelign.imaging.read import read
    from facelign.lab.alignment import report as page

    _, aligned = study.best
    model, detector = aligned.arm.model, aligned.arm.detector
    compared = study.trials
    for pair in np.flatnonzero(compared.same)[:5]:
        paths = [compared.photos[int(side[pair])].path for side in (compared.a, compared.b)]
        try:
            shown = bench.shown(paths, model, detector)
            pixels = [read(path).full().pixels for path in paths]
        except FacelignError:
            continue
        return page.pathways_of(pixels, shown, model)
    return []


def _say(study: Study) -> None:
    from facelign.lab.statistics.rates import tar_label

    line(study.verdict)
    line("")
    line(
        f"{'photos':22} {'model':14} {'detector':9} {'layout':7} {'accuracy':>9} {'AUC':>7} "
        f"{'TAR':>6} {'gain in TAR (95 %)':>27} {'lost':>5}"
    )
    for r in study.results:
        tar = r.gain.figures.get("tar") if r.gain else None
        gain = f"{tar.value:+.3f} ({tar.low:+.3f} to {tar.high:+.3f})" if tar else ""
        main = r.main
        line(
            f"{r.arm.condition.words:22} {r.arm.model:14} {r.arm.detector:9} {r.arm.layout:7} "
            f"{_number(main.accuracy, 4):>9} {_number(main.auc, 4):>7} {_number(main.tar, 3):>6} "
            f"{gain:>27} {r.failed_photos:>5}"
        )
    line("")
    for step in study.steps:
        tar = step.difference.figures.get("tar") or step.difference.figures.get("auc")
        if tar and step.condition == study.results[0].arm.condition:
            line(
                f"{step.model}, {step.detector}: {step.name} {tar.value:+.3f} "
                f"({tar.low:+.3f} to {tar.high:+.3f})"
            )
    line(f"{tar_label(study.rate)}; a face that is not found counts as an error.")
    line("Models that were trained on unaligned photos are not measured.")


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
