"""``facelign study``: experiments that answer one question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import options, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.lab.defaults import PAIRED_DRAWS, SEED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from facelign.lab.alignment.figures import Study
    from facelign.lab.alignment.run import Bench
    from facelign.report.page import Report
    from facelign.report.plot import Plot
    from facelign.types.specs import Task

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


@app.callback()
def root() -> None:
    """Experiments that answer one question."""


@app.command("alignment")
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
    fmr: Annotated[float, typer.Option("--fmr", help="FMR at which TAR is told.")] = 1e-3,
    draws: trials.Draws = PAIRED_DRAWS,
    seed: trials.Seed = SEED,
    report: inputs.ReportFile = None,
    no_photos: inputs.NoPhotos = False,
    figures: inputs.Figures = None,
    csv: inputs.Csv = None,
    json: options.Json = False,
    workers: options.Workers = None,
) -> int:
    """Measure what alignment is worth: the same photos, cut in every way, through a model.

    Leans and degradations are made from your photos and are relative to the face.
    """
    trials.needs("evaluate", "sklearn scipy")
    if report or figures or csv:
        trials.needs("report", "matplotlib")
    from facelign.cli.output import emit, note, progress
    from facelign.errors import ConfigError
    from facelign.lab.alignment import figures as study
    from facelign.lab.alignment.run import Bench

    try:
        leans = [float(text) for text in trials.words(rotations)]
    except ValueError as error:
        raise ConfigError(f"--rotations {rotations}: {error}.", "Such as 0,15,30.") from error
    conditions = study.conditions(leans, trials.words(degradations), cross=cross)
    compared = trials.trials(images, pairs, all_pairs)
    cuts = trials.named("--layouts", layouts)
    study.check_layouts(cuts)
    bench = Bench(
        trials.named("--models", models),
        trials.named("--detectors", detectors),
        cuts,
        cache=trials.cache(),
        workers=workers or 2,
    )
    photos = [photo.path for photo in compared.photos]
    arms = bench.arms(conditions)
    note(f"{len(photos)} photos, {len(conditions)} conditions, {len(arms)} arms")
    with progress("study", len(photos)) as done:
        vectors = bench.run(photos, conditions, done)
    found = study.summarize(compared, vectors, wanted=fmr, draws=draws, seed=seed)
    if report or figures or csv:
        from facelign.types.specs import Task

        measured = [(Task.DETECT, name) for name in trials.words(detectors)]
        measured += [(Task.EMBED, name) for name in trials.words(models)]
        built = _report(found, bench, compared.digest(), measured)
        inputs.write(built, report, figures, csv, photos=not no_photos)
    if json:
        emit(found.to_dict() | {"seed": seed})
    else:
        _say(found)
    return Exit.DONE


def _report(found: Study, bench: Bench, digest: str, models: Iterable[tuple[Task, str]]) -> Report:
    from facelign.cli.output import note
    from facelign.errors import ConfigError
    from facelign.lab.alignment import report as page

    _, aligned = found.best
    try:
        paths = [photo.path for photo in found.trials.photos]
        theory = page.Theory(*bench.theory(paths, aligned.arm.detector))
    except ConfigError as error:
        note(f"note: {error.message}")
        theory = None
    drawn = _pathways(found, bench)
    more = {
        "set": found.trials.name,
        "digest of the set": digest,
        "draws, seed": f"{found.draws}, {found.seed}",
    }
    told = inputs.provenance(None, more, models)
    caveats = [
        "Leans, degradations and glasses are made from the same photos: they stand in for people "
        "who do not cooperate, they are no photos of such people."
    ]
    if found.trials.subjects < 100:
        caveats.append(
            f"{found.trials.subjects} people: the direction is safe where the interval says so, "
            "the size belongs to these people."
        )
    return page.report(found, told, theory, caveats, drawn)


def _pathways(found: Study, bench: Bench) -> list[Plot]:
    """Return the steps of each arm, drawn with the first pair of one person that all arms can."""
    import numpy as np

    from facelign.errors import FacelignError
    from facelign.imaging.read import read
    from facelign.lab.alignment import report as page

    _, aligned = found.best
    model, detector = aligned.arm.model, aligned.arm.detector
    compared = found.trials
    for pair in np.flatnonzero(compared.same)[:5]:
        paths = [compared.photos[int(side[pair])].path for side in (compared.a, compared.b)]
        try:
            shown = bench.shown(paths, model, detector)
            pixels = [read(path).full().pixels for path in paths]
        except FacelignError:
            continue
        return page.pathways_of(pixels, shown, model)
    return []


def _say(found: Study) -> None:
    from facelign.cli.output import line
    from facelign.lab.statistics.rates import tar_label

    line(found.verdict)
    line("")
    line(
        f"{'photos':22} {'model':14} {'detector':9} {'layout':7} {'accuracy':>9} {'AUC':>7} "
        f"{'TAR':>6} {'gain in TAR (95 %)':>27} {'lost':>5}"
    )
    for r in found.results:
        tar = r.gain.figures.get("tar") if r.gain else None
        gain = f"{tar.value:+.3f} ({tar.low:+.3f} to {tar.high:+.3f})" if tar else ""
        main = r.main
        line(
            f"{r.arm.condition.told:22} {r.arm.model:14} {r.arm.detector:9} {r.arm.layout:7} "
            f"{_number(main.accuracy, 4):>9} {_number(main.auc, 4):>7} {_number(main.tar, 3):>6} "
            f"{gain:>27} {r.failed_photos:>5}"
        )
    line("")
    for step in found.steps:
        tar = step.difference.figures.get("tar") or step.difference.figures.get("auc")
        if tar and step.condition == found.results[0].arm.condition:
            line(
                f"{step.model}, {step.detector}: {step.name} {tar.value:+.3f} "
                f"({tar.low:+.3f} to {tar.high:+.3f})"
            )
    line(f"{tar_label(found.rate)}; a face that is not found counts as an error. The trained part")
    line("(train on unaligned, test on aligned, and the reverse) comes with the training issue.")


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
