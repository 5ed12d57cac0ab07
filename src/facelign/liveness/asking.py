"""Requests: what somebody is asked to do before a camera, and when. No arrays are in here."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from facelign.errors import ConfigError
from facelign.types.options import Option, OptionSet
from facelign.types.reading import Misfit, record
from facelign.types.wording import counted

#: of a film, seconds: what shows the person at rest
REST_S = 1.0
#: prompts of one request
_MOST = 12


class Action(StrEnum):
    """What somebody is asked to do; left and right are the person's own."""

    BLINK = "blink"
    TURN_LEFT = "turn-left"
    TURN_RIGHT = "turn-right"
    OPEN_MOUTH = "open-mouth"

    @property
    def words(self) -> str:
        """What the person is told."""
        return _WORDS[self][0]

    @property
    def seen(self) -> str:
        """What is told of a face that did it."""
        return _WORDS[self][1]


_WORDS = {
    Action.BLINK: ("blink slowly: close both eyes, and open them", "closed the eyes"),
    Action.TURN_LEFT: ("turn your head to your left, and back", "turned to the left"),
    Action.TURN_RIGHT: ("turn your head to your right, and back", "turned to the right"),
    Action.OPEN_MOUTH: ("open your mouth wide, and close it", "opened the mouth"),
}
TURNS = (Action.TURN_LEFT, Action.TURN_RIGHT)


def _prompts(name: str, value: int) -> None:
    if not 1 <= value <= _MOST:
        raise ConfigError(
            f"{name} {value} is outside 1 to {_MOST}.",
            "Give a number in between; 4 ask for everything.",
        )


def _seconds(name: str, value: float) -> None:
    if not 0.5 <= value <= 600:
        raise ConfigError(f"{name} {value:g} is outside 0.5 to 600.", "Give seconds in between.")


@dataclass(frozen=True, slots=True)
class AskOptions(OptionSet):
    """How somebody is asked. pause: the shortest and the longest time before a prompt, s."""

    prompts: Annotated[int, Option("How many reactions are asked for.", check=_prompts)] = 4
    window: Annotated[
        float, Option("Seconds in which a reaction must begin.", check=_seconds, metavar="SECONDS")
    ] = 3.0
    valid: Annotated[
        float,
        Option("Seconds for which the request may be used.", check=_seconds, metavar="SECONDS"),
    ] = 120.0
    pause: tuple[float, float] = (0.5, 2.5)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing that is asked. at_s, until_s: of the film, when it is told and until when the
    reaction must have begun.
    """

    action: Action
    at_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody is asked to do. It stays with whoever asks: a person is shown one prompt after
    another, when it is due. id: good for one film. made, expires: times with a zone.
    """

    id: str
    made: datetime
    expires: datetime
    prompts: tuple[Prompt, ...]

    def __post_init__(self) -> None:
        times = [REST_S, *(s for prompt in self.prompts for s in (prompt.at_s, prompt.until_s))]
        if not self.prompts or len(self.prompts) > _MOST:
            raise ConfigError(f"The request has {counted(len(self.prompts), 'prompt')}.", _AGAIN)
        if any(late <= early for early, late in itertools.pairwise(times)):
            raise ConfigError("The prompts of the request overlap.", _AGAIN)
        if self.made.tzinfo is None or self.expires.tzinfo is None:
            raise ConfigError("The times of the request have no zone.", _AGAIN)

    @property
    def length_s(self) -> float:
        """How long a film of it must be at most, s."""
        return self.prompts[-1].until_s

    def expired(self, now: datetime | None = None) -> bool:
        """Say whether it is too old to be used; now: with a zone."""
        return (now or datetime.now(UTC)) > self.expires

    def record(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "id": self.id,
            "made": self.made.isoformat(),
            "expires": self.expires.isoformat(),
            "rest_s": REST_S,
            "prompts": [
                {
                    "action": prompt.action.value,
                    "words": prompt.action.words,
                    "at_s": prompt.at_s,
                    "until_s": prompt.until_s,
                }
                for prompt in self.prompts
            ],
        }

    @classmethod
    def of_record(cls, table: object) -> Request:
        """Return the request that ``record`` gave; raises ConfigError for anything else."""
        try:
            read = record(_RequestRecord, table, "the request")
            made, expires = (datetime.fromisoformat(text) for text in (read.made, read.expires))
        except KeyError as missing:
            raise ConfigError(f"The request has no {missing}.", _AGAIN) from None
        except (Misfit, ValueError) as wrong:
            raise ConfigError(f"The request cannot be read: {wrong}.", _AGAIN) from None
        prompts = tuple(Prompt(Action(p.action), p.at_s, p.until_s) for p in read.prompts)
        return cls(read.id, made, expires, prompts)


_AGAIN = "Give the file that was written when it was asked, unchanged."


@dataclass(frozen=True, slots=True)
class _PromptRecord:
    action: Literal["blink", "turn-left", "turn-right", "open-mouth"]
    at_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class _RequestRecord:
    id: str
    made: str
    expires: str
    prompts: tuple[_PromptRecord, ...]


def ask(options: AskOptions | None = None, *, now: datetime | None = None) -> Request:
    """Return a request: reactions in random order at random times, from the system's own random
    numbers, so that none tells the next.

    Up to four prompts ask for different things, a turn among them; more go on with anything but
    what was asked last. now: the time of asking, with a zone.
    """
    options, now = options or AskOptions(), now or datetime.now(UTC)
    random = secrets.SystemRandom()
    actions = list(Action)
    random.shuffle(actions)
    if options.prompts == 1:
        actions = [random.choice(TURNS)]
    while len(actions) < options.prompts:
        actions.append(random.choice([a for a in Action if a is not actions[-1]]))
    del actions[options.prompts :]
    if not set(actions) & set(TURNS):
        actions[random.randrange(len(actions))] = random.choice(TURNS)
    prompts, time = [], REST_S
    for action in actions:
        start = round(time + random.uniform(*options.pause), 2)
        time = round(start + options.window, 2)
        prompts.append(Prompt(action, start, time))
    ends = now + timedelta(seconds=options.valid)
    return Request(secrets.token_urlsafe(12), now, ends, tuple(prompts))
