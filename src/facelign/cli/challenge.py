"""``facelign challenge``: ask somebody to do things before a camera, and judge the film of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli.exits import Exit
from facelign.cli.flags import Commands, JsonFlag
from facelign.cli.output import answer, note
from facelign.errors import ConfigError
from facelign.liveness.asking import AskOptions, Request
from facelign.liveness.asking import ask as asked
from facelign.types.wording import counted

if TYPE_CHECKING:
    from facelign.liveness.challenge import Outcome

app = Commands("Ask somebody to blink, turn and open the mouth, and judge the film of it.")

Asked = Annotated[Path, typer.Argument(help="What ask wrote.", show_default=False)]
FilmOf = Annotated[str, typer.Argument(help="The film that was taken.", show_default=False)]
OutRequest = Annotated[
    Path | None, typer.Option("--out", help="Also write the request to this file, for judge.")
]


@app.add("ask")
def ask(options: AskOptions, out: OutRequest = None, *, output: JsonFlag) -> None:
    """Make a request: what to do and when, in an order that nobody knows beforehand.

    The film begins when the request does; each prompt is shown when it is due, and not before.
    """
    request = asked(options)
    record = request.record()
    if out is not None:
        from facelign.files import disk

        disk.write(out, (json.dumps(record, indent=2) + "\n").encode(), private=True)
    answer(record, *_lines(request), json=output.json)


def _lines(request: Request) -> Iterator[str]:
    yield f"request {request.id}, good for one film until {request.expires:%H:%M:%S %Z}"
    yield "       0.0 s  look into the camera and keep still"
    for prompt in request.prompts:
        yield f"    {prompt.at_s:6.1f} s  {prompt.action.words} (begin by {prompt.until_s:.1f} s)"


@app.add("judge")
def judge(request: Asked, film: FilmOf, *, output: JsonFlag) -> int:
    """Judge a film of a request: exit 0 where all was done as asked, 1 where not.

    One face throughout, in the first second at rest; each reaction once, inside its window.
    """
    from facelign.recognition.options import ChainOptions
    from facelign.recognition.recognizer import Recognizer
    from facelign.types.policies import Attempts
    from facelign.video import challenge
    from facelign.video.sources import opened

    wanted = _read(request)
    # a face that is not upright, or cut off, is none that looks into the camera
    recognizer = Recognizer(options=ChainOptions(attempts=Attempts(padded=False, turned=False)))
    with opened(film) as frames:
        outcome = challenge.judge(wanted, frames, recognizer)
        broke = frames.broke
    if broke:
        note(broke)
    record = {"request": wanted.id, "film": film, **outcome.record(), "broke": broke}
    answer(record, *_told(film, wanted, outcome), json=output.json)
    return Exit.DONE if outcome.passed else Exit.NO


def _read(path: Path) -> Request:
    try:
        table = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ConfigError(
            f"{path} is no request.", "Give the file that 'challenge ask --out' wrote."
        ) from None
    return Request.of_record(table)


def _told(film: str, request: Request, outcome: Outcome) -> Iterator[str]:
    done = f"{outcome.answered} of {counted(len(request.prompts), 'prompt')}"
    yield f"{film}: {outcome.decision}, {done} answered"
    for reason in outcome.reasons:
        yield f"    {reason}"
    for reaction in outcome.reactions:
        yield f"    {reaction.start_s:.1f} to {reaction.end_s:.1f} s: {reaction.action.seen}"
    if outcome.score is not None:
        yield f"    likeness to the face at rest {outcome.score:.2f} at least"
