"""``facelign study``: experiments that answer one question."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command, only, without
from facelign.cli.output import emit, line, note, progress
from facelign.cli.train import ConfigFile, told_findings
from facelign.errors import ConfigError, FacelignError
from facelign.lab.defaults import DEGRADATIONS, LAYOUTS, LEANS
from facelign.recognition.options import DEFAULT_DETECTOR
from facelign.types.options import Option, OptionSet
from facelign.types.wording import counted
from facelign.wire.options import ChainFlags

if TYPE_CHECKING:
    from facelign.lab.alignment.figures import Study
    from facelign.lab.alignment.run import Bench
    from facelign.report.page import Report
    from facelign.report.plot import Plot

app = typer.Typer(help="Experiments that answer one question.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class ArmFlags(OptionSet):
    """Which arms are compared, in which conditions."""

    layouts: Annotated[str, Option(f"{', '.join(LAYOUTS)}; by commas.")] = ",".join(LAYOUTS)
    detectors: Annotated[str, Option("Detectors, by id.")] = DEFAULT_DETECTOR
    rotations: Annotated[str, Option("Leans of the head, degrees, to either side.")] = ",".join(
        f"{lean:g}" for lean in LEANS
    )
    degradations: Annotated[
        str,
        Option(f"{', '.join(DEGRADATIONS)}; =AMOUNT may follow."),
    ] = ",".join(DEGRADATIONS)
    models: Annotated[str, Option("Embedding models, by id.")] = "sface"
    cross: Annotated[
        bool, Option("Every degradation at every rotation (default: one at a time).")
    ] = False


@dataclass(frozen=True, slots=True)
class TrainedFlags(OptionSet):
    """Arms whose network is trained here, in place of models that others trained."""

    train: Annotated[
        Path | None,
        Option("Train the arms: people (folder, CSV, .rec), or a configuration of an embedder."),
    ] = None
    runs: Annotated[Path | None, Option("Folder of their runs; what has ended is kept.")] = None
    seeds: Annotated[int, Option("Runs of each arm, each with a seed of its own.", low=2)] = 3
    set: Annotated[
        list[str] | None,
        Option("Change of their configuration, such as epochs=10; may be repeated."),
    ] = None


@app.callback()
def root() -> None:
    """Experiments that answer one question."""


@app.command("alignment")
@command
def alignment(
    images: trials.ImagesFolder,
    listed: trials.PairFlags,
    asked: ArmFlags,
    trained: TrainedFlags,
    paired: Annotated[trials.PairedFlags, without("timed")],
    pages: inputs.PageFlags,
    output: JsonFlag,
    chain: Annotated[ChainFlags, only("workers")],
) -> int:
    """Measure what alignment is worth: the same photos, cut in every way, through a model.

    Leans and degradations are made from your photos and are relative to the face. With --train
    networks are trained on unaligned photos, on boxes with a margin and on aligned faces, and each
    is tested on all three.
    """
    pages.check()
    if trained.train is not None:
        return _trained(images, listed, trained, paired, pages, json=output.json)
    from facelign.lab.alignment import figures
    from facelign.lab.alignment.run import Bench
    from facelign.lab.statistics.paired import PairedOptions

    try:
        leans = [float(text) for text in trials.words(asked.rotations)]
    except ValueError as error:
        raise ConfigError(f"--rotations {asked.rotations}: {error}.", "Such as 0,15,30.") from error
    conditions = figures.conditions(leans, trials.words(asked.degradations), cross=asked.cross)
    compared = trials.trials(images, listed.pairs, listed.all_pairs)
    cuts = trials.named("--layouts", asked.layouts)
    figures.check_layouts(cuts)
    bench = Bench(
        trials.named("--models", asked.models),
        trials.named("--detectors", asked.detectors),
        cuts,
        cache=building.cache(),
        workers=chain.workers or 2,
    )
    photos = [photo.path for photo in compared.photos]
    arms = bench.arms(conditions)
    note(
        f"{counted(len(photos), 'photo')}, {counted(len(conditions), 'condition')}, "
        f"{counted(len(arms), 'arm')}"
    )
    with progress("study", len(photos)) as done:
        vectors = bench.run(photos, conditions, done)
    options = PairedOptions(paired.fmr, paired.draws, paired.seed)
    study = figures.summarize(compared, vectors, options)
    page = partial(_report, study, bench)
    pages.finish(page, study.to_dict, partial(_say, study), json=output.json)
    return Exit.DONE


def _trained(
    images: Path,
    listed: trials.PairFlags,
    asked: TrainedFlags,
    paired: trials.PairedFlags,
    pages: inputs.PageFlags,
    *,
    json: bool,
) -> int:
    """Train the arms and say what came of them."""
    from facelign import train

    if listed.pairs is None or asked.train is None:
        raise ConfigError("Trained arms are tested on a list of pairs.", "Give --pairs FILE.")
    if asked.runs is None:
        raise ConfigError("Where are the runs kept?", "Give --runs FOLDER.")
    train.needs()
    from facelign.cli import signals
    from facelign.train import config as configuration
    from facelign.train.recognizer.config import started

    lists = [f"test.pairs={listed.pairs.absolute()}", f"test.images={images.absolute()}"]
    changes = (*(asked.set or ()), *lists)
    if asked.train.suffix == ".toml":
        config = configuration.read(asked.train, "recognizer", changes)
    else:
        config = configuration.changed(started(str(asked.train.absolute())), changes)
    from facelign.train.recognizer import study as arms

    seeds = [config.seed + number for number in range(asked.seeds)]
    with signals.postponed() as stopped:
        found = arms.study(
            config, asked.runs, seeds, told=note, stopped=stopped, draws=paired.draws
        )
    if pages.wanted:
        more = {"trained on": found.data["source"], "digest": found.data["digest"]}
        pages.write(arms.report(found, inputs.provenance(None, more)))
    if json:
        emit({"verdict": found.verdict, "trained": found.to_dict()})
        return Exit.DONE
    line(found.verdict)
    for row in found.to_dict()["arms"]:
        line(
            f"trained on {row['trained']:5} tested on {row['tested']:5} AUC {row['auc']:.4f}, "
            f"accuracy {100 * row.get('accuracy', 0):.2f} %, {row['failed_photos']} without a face"
        )
    return Exit.DONE


@dataclass(frozen=True, slots=True)
class LandmarkArmFlags(OptionSet):
    """Which landmark models are trained, and for how long."""

    runs: Annotated[Path, Option("Folder of the runs; those that have ended are kept.", once=True)]
    models: Annotated[
        str,
        Option(
            "heatmap, light, pip, scratch-6+3, inception-bottleneck, inception-2, resnet50-0; "
            "cascade: dlib's trees (extra dlib)."
        ),
    ] = "heatmap,light,pip"
    optimizers: Annotated[str, Option("adamw, adam, nadam, rmsprop, sgd; by commas.")] = "adamw"
    seeds: Annotated[int, Option("Runs of each, from other random weights.", low=1)] = 1
    search: Annotated[
        list[str] | None,
        Option(
            "Values of a key that are tried, such as 'optimizer.learning_rate=0.001|0.01'; may be "
            "repeated: all with all.",
            once=True,
        ),
    ] = None
    draws: Annotated[
        int, Option("So many of their combinations, by chance; 0 for all.", low=0, once=True)
    ] = 0
    set: Annotated[
        list[str] | None,
        Option("Change of the configuration, such as epochs=12; may be repeated.", once=True),
    ] = None


@app.command("landmarks")
@command
def landmarks(
    config: ConfigFile,
    asked: LandmarkArmFlags,
    pages: inputs.PageFlags,
    output: JsonFlag,
) -> int:
    """Train landmark models and optimizers under one budget and tell them side by side.

    All see the same faces in the same crops; what article A2 published stands beside.
    """
    pages.check()
    from facelign import train
    from facelign.cli import signals
    from facelign.train import config as configuration

    made = configuration.read(config, "landmarks", asked.set or ())
    train.needs()
    from facelign.train.landmarks.study import LandmarkStudy, arms_of, tries
    from facelign.train.loop import steps_of
    from facelign.train.told import Told

    optimizers = trials.named("--optimizers", asked.optimizers)
    tried = tries(asked.search or (), asked.draws, made.seed)
    models = trials.named("--models", asked.models)
    arms = list(arms_of(models, optimizers, asked.seeds, tried))
    for arm in arms:  # before the first step, so that no study ends half-way
        arm.changed(made)
    study = LandmarkStudy(made, asked.runs)
    told_findings(study.task)
    steps, _ = steps_of(made, study.task.steps_per_epoch())
    results = []
    with (
        progress("images", steps * made.batch * len(arms)) as done,
        signals.postponed() as stopped,
    ):
        for arm in arms:
            results.append(study.run(arm, Told(step=done, stopped=stopped)))
            note(f"{arm.name}: NME {results[-1].test['nme']:.4f}")
    if pages.wanted:
        from facelign.train.landmarks import study_report

        told = {"runs": str(asked.runs), "epochs": str(made.epochs)}
        pages.write(study_report.report(study, results, inputs.provenance(None, told, [])))
    if output.json:
        emit({"arms": [result.to_dict() for result in results]})
        return Exit.DONE
    line(_LANDMARK_ROW.format("model", "optimizer", "seed", "epochs", "NME", "AUC@0.08", "time"))
    for result in results:
        arm, test = result.arm, result.test
        middle = "  (all points in the middle)" if result.collapsed else ""
        figures = (f"{100 * test['nme']:.2f} %", f"{test['auc_0.08']:.3f}")
        row = (arm.model, arm.optimizer, arm.seed, len(result.rows), *figures)
        line(_LANDMARK_ROW.format(*row, f"{result.seconds:.0f} s") + middle)
        if arm.tried:
            interval = f"{100 * test['nme_low']:.2f} to {100 * test['nme_high']:.2f} %"
            line(f"  {', '.join(arm.tried)}: {interval} (95 %, over faces)")
    return Exit.DONE


_LANDMARK_ROW = "{:22} {:9} {:>4} {:>6} {:>8} {:>9} {:>8}"


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
        "draws, seed": f"{study.options.draws}, {study.options.seed}",
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
    plain = aligned.arm.condition
    thresholds = {
        one.arm.layout: one.main.threshold
        for one in study.results
        if one.arm.model == model
        and one.arm.detector in (detector, "-")
        and one.arm.condition == plain
    }
    for pair in np.flatnonzero(compared.same)[:5]:
        paths = [compared.photos[int(side[pair])].path for side in (compared.a, compared.b)]
        try:
            shown = bench.shown(paths, model, detector)
            pixels = [read(path).full().pixels for path in paths]
        except FacelignError:
            continue
        return page.pathways_of(pixels, shown, model, thresholds)
    return []


def _say(study: Study) -> None:
    from facelign.lab.statistics.rates import number, percent, tar_label

    line(study.verdict)
    line("")
    line(
        f"{'photos':22} {'model':14} {'detector':9} {'layout':7} {'accuracy':>9} {'AUC':>7} "
        f"{'TAR':>8} {'gain in TAR (95 %)':>32} {'lost':>5}"
    )
    for r in study.results:
        tar = r.gain.figures.get("tar") if r.gain else None
        gain = tar.points if tar else ""
        line(
            f"{r.arm.condition.words:22} {r.arm.model:14} {r.arm.detector:9} {r.arm.layout:7} "
            f"{percent(r.main.accuracy):>9} {number(r.main.auc):>7} {percent(r.main.tar):>8} "
            f"{gain:>32} {r.failed_photos:>5}"
        )
    line("")
    for step in study.steps:
        found = step.difference.figures
        gap = found["tar"].points if "tar" in found else found["auc"].change() if found else ""
        if gap and step.arm.condition == study.conditions[0]:
            line(f"{step.arm.model}, {step.arm.detector}: {step.name} {gap}")
    line(f"{tar_label(study.rate)}; a face that is not found counts as an error.")
    line("Models that were trained on unaligned photos are not measured.")
