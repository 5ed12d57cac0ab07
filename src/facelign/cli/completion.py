"""What a shell is told when a word of the command line is to be completed.

typer does the work (``facelign --install-completion``); here is what it cannot know: which command
the words belong to, and which presets, models and people there are. What loads them is imported
when they are asked for.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import typer

from facelign.files.home import gallery_path

VARIABLE = "_FACELIGN_COMPLETE"


def words() -> list[str] | None:
    """Return the words that a shell wants completed, without the program; None: it wants none."""
    if VARIABLE not in os.environ:
        return None
    given = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return given.split()[1:]


@contextlib.contextmanager
def escaped() -> Iterator[None]:
    """Write the answers for bash, which takes them as they are, so that "Ann Lee" is one word."""
    line = os.environ.get("COMP_WORDS", "").split("\n")[-1].split(" ")[-1]
    if os.environ.get(VARIABLE) != "complete_bash" or line[:1] in ("'", '"'):
        yield
        return
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            yield
    finally:
        sys.stdout.write(said.getvalue().replace(" ", "\\ "))


def _presets() -> list[str]:
    from facelign.recognition.presets import PRESETS

    return list(PRESETS)


def _models(task: str | None = None) -> list[str]:
    from facelign import models

    return models.list(task=task)


def _layouts() -> list[str]:
    from facelign.models import default

    return list(default().layouts())


def _people(gallery: Path | None) -> list[str]:
    from facelign.gallery.gallery import Gallery

    with Gallery.open(gallery_path(gallery), readonly=True) as found:
        return [person.name for person in found.people()]


def _own_models() -> list[str]:
    from facelign.models.own import ids

    return ids()


_NAMES: dict[str, Callable[[], list[str]]] = {
    "preset": _presets,
    "model": _models,
    "own model": _own_models,
    "model or preset": lambda: [*_presets(), *_models()],
    "detector": partial(_models, "detect"),
    "landmarker": partial(_models, "landmark"),
    "embedder": partial(_models, "embed"),
    "quality": partial(_models, "quality"),
    "liveness": partial(_models, "liveness"),
    "layout": _layouts,
}


def known(kind: str) -> list[str]:
    """Return the names of a kind that is not "person": what ``names`` would offer."""
    return _NAMES[kind]()


def names(kind: str) -> Callable[[typer.Context, str], list[str]]:
    """Return what completes a name of that kind, as typer's ``autocompletion`` takes it.

    kind: "preset", "model", "own model", "model or preset", "detector", "landmarker", "embedder",
    "quality", "liveness", "layout", or "person": of the gallery that the words before name. What
    cannot be read completes nothing.
    """

    def found(ctx: typer.Context, incomplete: str) -> list[str]:
        with contextlib.suppress(Exception):  # a shell that waits for a word wants no error
            every = _people(ctx.params.get("gallery")) if kind == "person" else known(kind)
            return [name for name in every if name.startswith(incomplete)]
        return []

    return found
