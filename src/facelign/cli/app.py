"""The root of the command line: sub-commands, global options, errors to exit codes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Annotated

import typer

from facelign._version import __version__
from facelign.cli import completion, drawing, hints, output, settings
from facelign.cli.exits import Exit, code_of, say
from facelign.cli.flags import spellings
from facelign.errors import FacelignError
from facelign.wire.options import ChainFlags, GalleryFlags

#: commands in the order of --help, with their titles. Each lies in the file of its name, a group
#: as ``app``. The title is as the module says it, told again so that the list of commands loads
#: none of them (a test holds both together).
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "detect": "Find every face: box, score and points, in pixels of the upright photo.",
        "align": "Write one aligned face a photo (the largest, unless --face says otherwise).",
        "liveness": (
            "Tell living faces from photos of faces: exit 0 when all are live; never the only gate."
        ),
        "embed": "Turn every face into a vector. Vectors are biometric data: keep them as such.",
        "verify": "Compare two photos: exit 0 for the same person, 1 for different people.",
        "enroll": "Enroll a folder of folders (one a person), or photos of one person with --name.",
        "identify": "Name every face of every photo, or say Unknown; exit 1 when nobody is known.",
        "challenge": "Ask somebody to blink, turn and open the mouth, and judge the film of it.",
        "sort": (
            "Copy (or link) photos into a folder per person; unknown and no-face have folders too."
        ),
        "video": "Tell who is in a film and when: a line a visit, names by a vote over many looks.",
        "watch": (
            "Watch cameras: who appears, is recognized or unknown, and leaves, one event a line."
        ),
        "events": "Ask logs of events who was where when, and take a person out of them.",
        "background": (
            "Blur or replace what is behind the people of a photo or film; edges stay soft."
        ),
        "evaluate": "Measure error rates, with intervals, on photos whose truth is known.",
        "calibrate": (
            "Make a threshold from photos of people you know, with interval, counts and "
            "held-out check."
        ),
        "study": "Experiments that answer one question.",
        "train": "Train models of your own: landmarks and embeddings.",
        "plot": (
            "Pictures that explain: barcodes, similarity, t-SNE, scores, chain, detectors, HOG, "
            "timeline."
        ),
        "people": "List, correct, remove, export and import the people of a gallery.",
        "gallery": "Look a gallery through for damage, back it up, show its calibration.",
        "models": "Models and their weights.",
        "cache": "Look at or clear the cache of vectors.",
        "config": "The file of settings: show, set or unset defaults of the commands.",
        "doctor": (
            "Print versions, processor, providers, cache and models here, and run a self-test."
        ),
        "demo": "Enroll and identify people, and write a page that shows every stage.",
    }
)
GROUPS = frozenset(
    {
        *("challenge", "evaluate", "study", "train", "plot", "people", "gallery", "models"),
        *("cache", "config", "events"),
    }
)

#: what refusals of the command line (a wrong word, option or value) derive from. Newer versions
#: of typer carry their own click, so it is reached through a class that typer makes public.
_REFUSAL: type[typer.BadParameter] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


_INTERRUPTED = "facelign: interrupted; what was done is kept."


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facelign {__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and log messages on standard error.")
    ] = False,
) -> None:
    """From photo to name: detect, align, embed, verify, enroll and identify faces."""
    if debug:
        import logging  # a start without it is 3 percent shorter

        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)


def build(names: Sequence[str] = tuple(COMMANDS), *, titles: bool = False) -> typer.Typer:
    """Return the command line with the commands ``names``.

    typer looks at every parameter of every command that it is told of, so that a command line
    with one of them starts 50 ms sooner, and so does one with their titles only, which is enough
    for the list of commands.
    """
    app = typer.Typer(
        name="facelign",
        help="From photo to name: detect, align, embed, verify, enroll and identify faces.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(root)
    for name in names:
        if titles and name in GROUPS:
            app.add_typer(typer.Typer(help=COMMANDS[name]), name=name)
        elif titles:
            app.command(name, help=COMMANDS[name])(_never_called)
        elif name in GROUPS:
            app.add_typer(import_module(f"facelign.cli.{name}").app, name=name)
        else:
            app.command(name)(getattr(import_module(f"facelign.cli.{name}"), name))
    return app


def _never_called() -> None:
    """Stand in for a command of which only the title is wanted."""


def _settings(
    app: typer.Typer, word: str, words: Sequence[str]
) -> tuple[dict[str, object] | None, str]:
    """Return the defaults that the file of settings gives a command, and what it says in words.

    A help tells facelign's own; what mends the file and a shell that completes a word do without.
    """
    if word == "config" or {"--help", "-h"} & set(words):
        return None, ""
    try:
        found = settings.load(tuple(COMMANDS))
        settings.apply_environment(found)
        return settings.defaults(app, word, found, words), found.told(word)
    except FacelignError:
        if completion.words() is None:
            raise
        return None, ""


def _log_failure() -> None:
    import logging

    logging.getLogger(__name__).exception("failed")


def options_of(first: str, second: str | None = None) -> tuple[int, Mapping[str, bool]]:
    """Return how many of two words name a command, and its options of gallery and models.

    Options: whether a value follows, by name; see ``hints.remember``.
    """
    if first not in COMMANDS:
        return 0, {}
    module, groups = import_module(f"facelign.cli.{first}"), (GalleryFlags, ChainFlags)
    if first not in GROUPS:
        return 1, spellings(getattr(module, first), groups)
    for one in module.app.registered_commands:
        if one.name == second:
            return 2, spellings(one.callback, groups)
    return 0, {}


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; a traceback is shown with --debug only."""
    try:
        return _ended(arguments)
    finally:
        hints.remember((), options_of)  # what is said after it is about another one


def _ended(arguments: Sequence[str]) -> int:  # noqa: C901 - one branch a kind of end
    output.prepare()
    words = [word for word in arguments if word != "--debug"]
    hints.remember(words, options_of)
    debug = len(words) != len(arguments)
    if debug:
        words.insert(0, "--debug")  # the flag works wherever it stands
    wanted = completion.words()
    given = words if wanted is None else wanted
    told = ""
    word = next((word for word in given if not word.startswith("-")), "")
    try:
        known = word in COMMANDS
        listed = words in ([], ["--help"], ["-h"]) and not (known and wanted)
        if listed or {"--help", "-h"} & set(words):
            drawing.prepare()
        app = build((word,) if known else tuple(COMMANDS), titles=listed)
        defaults, told = _settings(app, word, given) if known else (None, "")
        with contextlib.nullcontext() if wanted is None else completion.escaped():
            result = app(words, standalone_mode=False, prog_name="facelign", default_map=defaults)
        code = int(result) if isinstance(result, int) else Exit.DONE
        if code == Exit.INTERRUPTED:  # typer swallows the interruption and returns this
            output.note(_INTERRUPTED)
        return Exit.PIPE if output.unread() and code != Exit.INTERRUPTED else code
    except (KeyboardInterrupt, typer.Abort):
        output.note(_INTERRUPTED)
        return Exit.INTERRUPTED
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        output.abandon()  # typer itself ends a run whose reader went away
        return Exit.PIPE
    except _REFUSAL as error:
        error.show()
        return Exit.USAGE
    except FacelignError as error:
        if debug:
            _log_failure()
        say(error)
        code = code_of(error)
        if told and code in (Exit.USAGE, Exit.MODEL, Exit.GALLERY):
            output.note(f"  {settings.settings_path()} says: {told}.")
        return code
    except BrokenPipeError:
        # The reader went away (facelign ... | head): not an error of ours, and no answer.
        output.abandon()
        return Exit.PIPE
    except OSError as error:
        # A full disk, a folder without rights: a state of the machine, no bug.
        if debug:
            _log_failure()
        place = error.filename2 or error.filename
        output.note(f"facelign: {f'{place}: ' if place else ''}{error.strerror or error}.")
        output.note("  What was done until then is kept: mend it, then run the command again.")
        if not place:
            output.abandon()
        return Exit.INPUT
    except Exception as error:
        if debug:
            raise
        output.note(
            f"facelign: a bug: {type(error).__name__}: {error}. "
            "Run again with --debug and report what it prints."
        )
        return Exit.BUG
