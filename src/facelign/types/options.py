"""What people may choose: an option is said once, beside the field that it is.

The options of the library and the groups of a command line or a service are frozen dataclasses
whose fields say an ``Option``; a new one is one such field::

    class IdentifyOptions(OptionSet):
        fpir: Annotated[float, Option("Share of strangers ...", check=share)] = SEARCH_FPIR

``cli.flags`` makes flags of them. No arrays are in here.
"""

from __future__ import annotations

import builtins
import math
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, get_args, get_type_hints

from facelign.errors import ConfigError


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of a model that has none."""


@dataclass(frozen=True, slots=True)
class Option:
    """How a field is said, beside its type.

    help: one sentence. low: the smallest number. check: raises ConfigError for a value that cannot
    be meant (never None); it is told the option's name. word: what people call it, where that is
    not the name of the field. metavar: the word for its value. unread: a file that is refused by
    what opens it, with a better sentence. names: what its value is the name of: "preset",
    "detector", "landmarker", "embedder", "quality", "liveness" or "layout". once: said each
    time; no file of settings holds it.
    """

    help: str
    low: int | None = None
    check: Callable[[str, Any], object] | None = None
    word: str | None = None
    metavar: str | None = None
    unread: bool = False
    names: str | None = None
    once: bool = False

    def refuse(self, name: str, value: Any) -> None:
        """Raise ConfigError for a value that cannot be meant; name: what the option is called."""
        if value is None:
            return
        if self.low is not None and not value >= self.low:
            raise ConfigError(f"{name} {value} is too small.", f"Give {self.low} or more.")
        if self.check is not None:
            self.check(name, value)


class OptionSet:
    """What every set of options is: it refuses values that cannot be meant (ConfigError).

    panel: the part of a help that lists them.
    """

    __slots__ = ()
    panel: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        for name, hint in hints(type(self)).items():  # type: ignore[arg-type] # a class has a hash
            option = option_of(hint)
            if option is not None:
                option.refuse(name, getattr(self, name))


@cache
def hints(kind: type) -> dict[str, Any]:
    """Return the types of a dataclass's fields; one that is imported for checks only is object."""
    known: defaultdict[str, Any] = defaultdict(lambda: object, vars(builtins))
    for base in reversed(kind.__mro__):
        known |= vars(sys.modules[base.__module__])
    return get_type_hints(kind, localns=known, include_extras=True)


def option_of(hint: Any) -> Option | None:
    """Return the option that a field is, if it is one."""
    return next((note for note in get_args(hint) if isinstance(note, Option)), None)


def share(name: str, value: float) -> None:
    """Refuse what is no share: above 0, at most 1."""
    if not 0 < value <= 1:
        raise ConfigError(f"{name} {value:g} is no share.", "Give one above 0 and up to 1.")


def seconds(name: str, value: float) -> None:
    """Refuse what is no length of time, s."""
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"{name} {value:g} is no time.", "Give seconds, 0 or more.")


def height(name: str, value: float) -> None:
    """Refuse what is no height of faces, px."""
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"{name} {value:g} is no height.", "Give pixels, 0 or more.")


def factor(name: str, value: float) -> None:
    """Refuse what nothing can be reduced by."""
    if not 0.05 <= value <= 32:
        raise ConfigError(f"{name} {value:g} is outside 0.05 to 32.")
