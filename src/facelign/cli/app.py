"""The root of the command line: sub-commands, global options, errors to exit codes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from facelign._version import __version__
from facelign.cli import (
    align,
    cache,
    demo,
    detect,
    doctor,
    embed,
    enroll,
    identify,
    models,
    people,
    sort,
    verify,
)
from facelign.cli.exits import Exit, code_of, say
from facelign.errors import FacelignError

app = typer.Typer(
    name="facelign",
    help="From photo to name: detect, align, embed, verify, enroll and identify faces.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facelign {__version__}")
        raise typer.Exit


@app.callback()
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
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)


#: what refusals of the command line (a wrong word, option or value) derive from. Newer versions
#: of typer carry their own click, so it is reached through a class that typer makes public.
_REFUSAL: type[typer.BadParameter] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


app.command("detect")(detect.detect)
app.command("align")(align.align)
app.command("embed")(embed.embed)
app.command("verify")(verify.verify)
app.command("enroll")(enroll.enroll)
app.command("identify")(identify.identify)
app.command("sort")(sort.sort)
app.add_typer(people.app, name="people")
app.add_typer(models.app, name="models")
app.add_typer(cache.app, name="cache")
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; a traceback is shown with --debug only."""
    words = [word for word in arguments if word != "--debug"]
    debug = len(words) != len(arguments)
    if debug:
        words.insert(0, "--debug")  # the flag works wherever it stands
    try:
        result = app(words, standalone_mode=False, prog_name="facelign")
        return int(result) if isinstance(result, int) else Exit.DONE
    except typer.Abort:
        return Exit.INTERRUPTED
    except _REFUSAL as error:
        error.show()
        return Exit.USAGE
    except FacelignError as error:
        if debug:
            logging.getLogger(__name__).exception("failed")
        say(error)
        return code_of(error)
    except KeyboardInterrupt:
        sys.stderr.write("facelign: interrupted; what was done is kept.\n")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader went away (facelign ... | head): not an error of ours.
        sys.stderr.close()
        return Exit.DONE
    except Exception as error:
        if debug:
            raise
        sys.stderr.write(
            f"facelign: a bug: {type(error).__name__}: {error}. "
            "Run again with --debug and report what it prints.\n"
        )
        return Exit.BUG
