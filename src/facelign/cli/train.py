"""``facelign train``: models of one's own, from annotated photos to an id like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import signals
from facelign.cli.exits import Exit
from facelign.cli.flags import Commands, JsonFlag
from facelign.cli.output import answer, emit, line, note, progress
from facelign.errors import ConfigError
from facelign.types.options import Option, OptionSet
from facelign.types.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from facelign.train.run_folder import RunFolder
    from facelign.train.task import DataFinding, TrainingTask
    from facelign.train.told import Told

app = Commands("Train models of your own: landmarks and embeddings.")

ConfigFile = Annotated[
    Path, typer.Argument(help="The configuration (facelign train init).", show_default=False)
]
RunPlace = Annotated[Path, typer.Argument(help="The folder of a run.", show_default=False)]


@app.callback()
def root() -> None:
    """Train models of your own: landmarks and embeddings."""


@dataclass(frozen=True, slots=True)
class TrainFlags(OptionSet):
    """Where a run is kept, and what it changes of its configuration."""

    out: Annotated[Path | None, Option("Folder of the run; it must be new.", once=True)] = None
    set: Annotated[
        list[str] | None,
        Option("Change of the configuration, such as data.limit=200; may be repeated.", once=True),
    ] = None
    strict: Annotated[
        bool, Option("End with status 1 where the check of the data finds something.", once=True)
    ] = False
    plan: Annotated[
        bool, Option("Say what would be trained, measured on a few steps, and end.", once=True)
    ] = False

    @property
    def changes(self) -> list[str]:
        """All changes of the configuration."""
        return list(self.set or ())


@dataclass(frozen=True, slots=True)
class ResumeFlags(OptionSet):
    """What a run changes of its configuration from here on."""

    set: Annotated[
        list[str] | None,
        Option(
            "Change that leaves data and network as they are, such as "
            "optimizer.learning_rate=0.0001; may be repeated.",
            once=True,
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class NetworkDrawFlags(OptionSet):
    """What is another in the configuration whose network is drawn."""

    set: Annotated[
        list[str] | None,
        Option("Change of it, such as model.blocks=4; may be repeated.", once=True),
    ] = None


@dataclass(frozen=True, slots=True)
class EmbedderTrainFlags(TrainFlags):
    """The same, and what an embedder begins with or learns from."""

    init: Annotated[
        str | None,
        Option("Embedder to go on from (model.init), by id.", names="embedder"),
    ] = None
    teacher: Annotated[
        str | None,
        Option(
            "Embedders to learn from without names (teacher.ids): ID, or ID,ID.",
            names="embedder",
        ),
    ] = None

    @property
    def changes(self) -> list[str]:
        """All changes of the configuration."""
        told = {"model.init": self.init, "teacher.ids": self.teacher}
        return [*(self.set or ()), *(f"{key}={value}" for key, value in told.items() if value)]


@app.add("landmarks")
def landmarks(config: ConfigFile, flags: TrainFlags, output: JsonFlag) -> int:
    """Train a model that places landmarks."""
    return _train("landmarks", config, flags, json=output.json)


@app.add("recognizer")
def recognizer(config: ConfigFile, flags: EmbedderTrainFlags, output: JsonFlag) -> int:
    """Train a model that turns faces into vectors."""
    return _train("recognizer", config, flags, json=output.json)


@app.add("resume")
def resume(run: RunPlace, flags: ResumeFlags, output: JsonFlag) -> int:
    """Go on with a run that was ended; one that has ended says its last line again.

    With more epochs a run that has ended goes on too.
    """
    from facelign import train

    train.needs()
    from facelign.train.config import gone_on
    from facelign.train.loop import longer, where
    from facelign.train.run_folder import RunFolder
    from facelign.train.task import task_of

    folder = RunFolder(run)
    config, other = gone_on(folder.read(), flags.set or ())
    ended = folder.finished()
    if ended is not None and not other:
        _say(ended, json=output.json)
        return Exit.DONE
    at, task = where(folder), task_of(config)
    if ended is not None:
        told = longer(config, at, task.steps_per_epoch())
        if told:
            note(f"note: {told}")
    folder.same_data(task.data())
    if other:
        folder.change(config, other, at.epoch + 1, at.step + 1)
    note(
        f"goes on with step {at.step + 1} of epoch {at.epoch + 1}; so far "
        f"{counted(at.epoch, 'epoch')}, {counted(at.done, 'step')}"
    )
    return _fitted(task, config, folder, json=output.json)


@app.add("export")
def export(
    run: RunPlace,
    model_id: Annotated[str, typer.Option("--id", help="Id of the new model.")] = "",
    replace: Annotated[
        str,
        typer.Option(
            "--replace",
            help="Your model of this id is replaced, unless the new one is worse (a paired test).",
        ),
    ] = "",
    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces", help="Photos to try an embedder on (default: scikit-image's portrait)."
        ),
    ] = None,
    *,
    output: JsonFlag,
) -> int:
    """Make the best network of a run a model of your own: ONNX, record and model card."""
    if bool(model_id) == bool(replace):
        raise ConfigError("A model has one id.", "Give --id for a new one, or --replace.")
    from facelign import train

    train.needs()
    from facelign.cli import adding
    from facelign.cli.models import registry_and_store
    from facelign.models import own
    from facelign.recognition.presets import PRESETS
    from facelign.train.export import export as exported
    from facelign.train.run_folder import RunFolder
    from facelign.train.task import task_of

    folder = RunFolder(run)
    task = task_of(folder.read())
    registry, store = registry_and_store()
    known = model_id in own.ids(store.home)
    spec = exported(
        task,
        folder,
        model_id or replace,
        registry,
        store,
        lambda record: own.add(
            record,
            registry,
            store,
            replace=bool(replace),
            reserved=PRESETS,
            seen=adding.OnFaces(registry, faces, known=True),
        ),
        replace=bool(replace),
    )
    _warn(task, folder.finished() or {})
    done = "replaced" if replace else "the same as before" if known else "added"
    card = str(folder.path / "model-card.md")
    record = {"id": spec.id, "task": spec.task.value, "card": card, "done": done}
    answer(record, f"{spec.id}: {done}; its card is {card}", json=output.json)
    return Exit.DONE


@app.add("draw")
def draw(
    config: Annotated[
        Path,
        typer.Argument(help="A configuration, or the folder of a run.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="The picture: .png, .svg, or .csv for its numbers.", show_default=False
        ),
    ],
    flags: NetworkDrawFlags,
    output: JsonFlag,
) -> int:
    """Draw the network of a configuration, the blocks that are trained marked."""
    from facelign import train
    from facelign.train import config as configuration
    from facelign.train.run_folder import RunFolder

    changes = flags.set or ()
    if config.is_dir():
        made = configuration.changed(RunFolder(config).read(), changes)
    else:
        made = configuration.read(config, "", changes)
    train.needs()
    from facelign.train.drawing import drawn
    from facelign.train.task import network_of

    plot = drawn(*network_of(made), getattr(made.model, "init", "") or made.model.name)
    plot.save(out)
    columns = zip(*plot.numbers.values(), strict=True)
    layers = [dict(zip(plot.numbers, row, strict=True)) for row in columns]
    answer({"out": str(out), "layers": layers}, f"{out}: {plot.alt}", json=output.json)
    return Exit.DONE


@app.add("init")
def init(
    kind: Annotated[str, typer.Argument(help="landmarks or recognizer.", show_default=False)],
    data: Annotated[
        Path, typer.Option("--data", help="Folder or table of photos.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", help="The configuration to write.", show_default=False)
    ],
) -> int:
    """Write a configuration with a comment for each key, which runs as it is."""
    from importlib import import_module

    from facelign.files import disk
    from facelign.train import config

    config.kind_of(kind)
    if out.exists():
        raise ConfigError(f"{out} is there already.", "Name another file, or remove it.")
    if not data.exists():
        raise ConfigError(f"There is nothing at {data}.", "Name a folder or table of photos.")
    started: Callable[[str], Any] = import_module(f"facelign.train.{kind}.config").started
    disk.write(out, config.written(started(str(data.absolute()))).encode())
    note(f"configuration: {out}")
    return Exit.DONE


def _train(kind: str, file: Path, flags: TrainFlags, *, json: bool) -> int:
    from facelign import train
    from facelign.train import config as configuration

    config = configuration.read(file, kind, flags.changes)
    if flags.out is None and not flags.plan:
        raise ConfigError("The run has no folder.", "Name one: --out run")
    train.needs()
    from facelign.train.loop import steps_of
    from facelign.train.run_folder import RunFolder
    from facelign.train.task import task_of

    folder = RunFolder(flags.out or Path())
    if not flags.plan:
        folder.check_new()
    task = task_of(config)
    findings = told_findings(task)
    if flags.strict and any(finding.severity != "note" for finding in findings):
        return Exit.NO
    steps, _ = steps_of(config, task.steps_per_epoch())
    if config.schedule.warm_up >= steps:
        note(
            f"warning: the learning rate rises for {config.schedule.warm_up} steps "
            f"(schedule.warm_up), and the run has {steps}."
        )
    if flags.plan:
        _say_plan(task, config, json=json)
        return Exit.DONE
    folder.begin(config, task.data(), [asdict(finding) for finding in findings])
    return _fitted(task, config, folder, json=json)


def told_findings(task: TrainingTask) -> list[DataFinding]:
    """Tell what the check of the data finds, and return it."""
    findings = task.findings()
    for finding in findings:
        note(f"{finding.severity}: {finding.text}")
    return findings


def _say_plan(task: TrainingTask, config: Any, *, json: bool) -> None:
    from facelign.train import words
    from facelign.train.plan import plan

    told = plan(task, config)
    sizes = {name: value for name, value in told.items() if name not in ("data", "kind")}
    lines = (f"{name}: {value}" for name, value in words.rows(sizes))
    data = (f"data, {name}: {value}" for name, value in words.rows(told["data"]))
    answer(told, f"a model that {words.KINDS[task.kind]}", *lines, *data, json=json)


def _fitted(task: TrainingTask, config: Any, folder: RunFolder, *, json: bool) -> int:
    from facelign.train.loop import fit

    with _told(task, config, json=json) as told, signals.postponed() as stopped:
        try:
            result = fit(task, config, folder, told(stopped))
            _warn(task, result)
            _say(result, json=json)
        except KeyboardInterrupt:
            note(f"facelign: the run is kept; go on with: facelign train resume {folder.path}")
            raise
    return Exit.DONE


def _warn(task: TrainingTask, result: Mapping[str, Any]) -> None:
    for test in task.doubts(result.get("test", {})):
        if not test.passed:
            note(f"warning: it does not hold that {test.name}.")


@contextmanager
def _told(
    task: TrainingTask, config: Any, *, json: bool
) -> Iterator[Callable[[Callable[[], bool]], Told]]:
    """Yield what makes the one who is told how the run goes."""
    from facelign.train import words
    from facelign.train.loop import steps_of
    from facelign.train.told import Told

    steps, epochs = steps_of(config, task.steps_per_epoch())

    def said(row: Mapping[str, float]) -> None:
        if json:
            emit(row)
        else:
            told = {name: value for name, value in row.items() if name != "epoch"}
            line(f"epoch {row['epoch']:.0f} of {epochs}: {words.sentence(told)}")

    with progress("images", steps * config.batch) as done:
        yield lambda stopped: Told(said, done, stopped)


def _say(result: Mapping[str, Any], *, json: bool) -> None:
    from facelign.train import words

    best = result["best"]
    answer(
        result,
        f"best of {counted(result['epochs'], 'epoch')}: {best['epoch']:.0f}, validation loss "
        f"{best['val_loss']:.5g}",
        f"test: {words.sentence(result['test'])}",
        json=json,
    )
