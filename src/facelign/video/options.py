"""How films and cameras are followed: the options with their defaults, each once.

Reading a default loads no array library: command lines and services show them in their help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from facelign.errors import ConfigError
from facelign.recognition.options import IdentifyOptions
from facelign.types.options import Option, OptionSet, seconds

#: containers of films that are written, by the suffix of their file
FILM_FORMATS: Mapping[str, str] = MappingProxyType(
    {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
)


def rate(name: str, value: float) -> None:
    """Refuse what is no rate: above 0, in frames a second."""
    if not 0 < value <= 1000:
        raise ConfigError(f"{name} {value:g} is no rate.", "Give frames a second, above 0.")


@dataclass(frozen=True, slots=True)
class ByteTrackOptions(OptionSet):
    """How faces are followed. begin_score: score of the detector from which a face begins a track;
    weaker ones go on with one that is there. None: every face begins one, as a detector by default
    tells none that it doubts.
    """

    patience_s: Annotated[
        float, Option("Seconds that a face may be out of sight and keep its track.", check=seconds)
    ] = 1.0
    begin_score: float | None = None


@dataclass(frozen=True, slots=True)
class LookOptions(OptionSet):
    """How often a track is looked at. looks: at most, over its whole life. spacing_s: between the
    first two looks that are no better than what is there; growth: by how much it grows from look to
    look. wait_s: how long the first look waits for a good view.
    """

    looks: Annotated[int, Option("Embeddings that one track may ask for, at most.", low=1)] = 16
    spacing_s: float = 0.2
    growth: float = 1.3
    wait_s: float = 0.25


@dataclass(frozen=True, slots=True)
class VoteOptions(OptionSet):
    """confirm: looks that must have voted before a track is told to be somebody. doubt: looks
    before it is told to be nobody who is enrolled: a good view may still come.
    """

    confirm: Annotated[int, Option("Looks that must have voted before a name is told.", low=1)] = 2
    doubt: Annotated[
        int, Option("Looks that must have voted before somebody is told unknown.", low=1)
    ] = 5


@dataclass(frozen=True, slots=True)
class FollowOptions(OptionSet):
    """naming: how each look is named. looks: how often a track is looked at. votes: how looks
    become a name.
    """

    naming: IdentifyOptions = field(default_factory=IdentifyOptions)
    looks: LookOptions = field(default_factory=LookOptions)
    votes: VoteOptions = field(default_factory=VoteOptions)


@dataclass(frozen=True, slots=True)
class FilmOptions(OptionSet):
    """rate: key frames a second; where two of them show the same, what lies between is not looked
    at. least_s: a face in view for less is no visit, unless it got a name.
    """

    rate: Annotated[
        float, Option("Frames looked at in a second of film where nothing changes.", check=rate)
    ] = 8.0
    least_s: Annotated[
        float,
        Option("Seconds in view below which a face without a name is no visit.", word="least"),
    ] = 0.2


@dataclass(frozen=True, slots=True)
class WatchOptions(OptionSet):
    """rate: frames of each camera that are decided on in a second, at most; the others are let go
    unseen.
    """

    rate: Annotated[
        float, Option("Frames of each camera that are looked at in a second, at most.", check=rate)
    ] = 10.0
