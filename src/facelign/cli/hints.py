"""What helps, in the words of the command line: the one place that names flags in a hint.

The library says what would help (``errors.Remedy``); which flag does that, only this table knows.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from facelign.errors import Remedy
from facelign.wire.records import Record

#: remedy -> the sentence that a user of the command line reads
HINTS: Mapping[Remedy, str] = MappingProxyType(
    {
        Remedy.LARGEST_FACE: (
            "Use --largest (or --face largest) to take the largest, or crop the photo."
        ),
        Remedy.OTHER_POINTS: (
            "Choose a detector with five points (yunet, mtcnn), add a landmarker "
            "(--landmarks mesh-468 or face-api-68), or use --layout crop."
        ),
        Remedy.THRESHOLD: "Give one with --threshold, or make one with 'facelign calibrate'.",
        Remedy.OTHER_GALLERY: ("Name another file with --gallery, or put a back-up in its place."),
        Remedy.REPLACE_FILE: "Name another file, or replace it with --replace.",
        Remedy.SPACE: "Name one of them with --space.",
        Remedy.WHOSE: (
            "Name the model whose vectors they are with --space, if facelign has it (facelign "
            "models list); else enroll the photos again."
        ),
        Remedy.REPLACE: "Replace it with --replace, or give this one another id.",
        Remedy.LABELS: "Name the file of the labels with --labels.",
        Remedy.PIXELS: "Make it smaller, or allow it with --max-pixels.",
        Remedy.RUN: "Save one with: facelign evaluate verification --json > run.json",
        Remedy.PAIR_SCORES: "Save both with: facelign evaluate verification --json --pair-scores",
        Remedy.TRUST: "Give --trust-first-use to take what comes as the right bytes for ever.",
        Remedy.PERSON: "use --name",
        Remedy.LOOSE: "use --name, or --flat where file names are names",
        Remedy.PEOPLE: "Give a folder that holds one folder a person, or say --name NAME.",
        Remedy.TWO_MODELS: "--models sface,dlib-resnet",
    }
)


#: a command in a sentence, of one word or two
_COMMAND = re.compile(r"\bfacelign ([a-z]+)(?: ([a-z]+))?")
_given: list[str] = []

OptionsOf = Callable[[str, str | None], tuple[int, Mapping[str, bool]]]
_asked: list[OptionsOf] = []


def remember(words: Sequence[str], options_of: OptionsOf) -> None:
    """Note the words of the command line, whose gallery and models a hint is about.

    options_of: tells of two words how many of them name a command, and which of its options say the
    gallery or the models: whether a value follows, by their names.
    """
    _given[:] = words
    _asked[:] = [options_of]


def flagged(text: str) -> str:
    """Return a sentence of the library with flags where it says what would help.

    A command in it gets the gallery and the models that were named, as far as it has such options.
    """
    for remedy, hint in HINTS.items():
        text = text.replace(remedy, hint)
    if any(word.startswith("--") for word in _given):
        text = _COMMAND.sub(_with_options, text)
    return text


def _with_options(found: re.Match[str]) -> str:
    end, takes = _asked[-1](found[1], found[2])
    if not end:
        return found[0]
    said = found[0] if end == 2 else f"facelign {found[1]}"
    rest = found[0].removeprefix(said)
    return f"{' '.join([said, *_kept(takes)])}{rest}"


def _kept(takes: Mapping[str, bool]) -> Iterator[str]:
    """Yield the options that were given and say which gallery and which models are meant."""
    words = iter(_given)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in takes:
            continue
        yield name
        if takes[name]:
            yield shlex.quote(value if equals else next(words, ""))


def spoken(record: Record) -> Record:
    """Return a record whose error or reason names flags."""
    words = {key: flagged(record[key]) for key in ("error", "reason") if record.get(key)}
    return {**record, **words}
