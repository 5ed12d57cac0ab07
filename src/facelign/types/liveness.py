"""What is said of a face before the camera: a living person, an attack, or not checked.

The terms are those of ISO/IEC 30107-3: a bona fide presentation is a person who shows their own
face, an attack presentation a print, a screen or a mask that is held out instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: what every answer says of itself
NEVER_ALONE = (
    "One photo is never the only gate: how many attacks of yours pass is not known until you "
    "measure them (facelign evaluate pad)."
)


class LiveDecision(StrEnum):
    """What is decided of a face. ``not-checked`` is neither of the others."""

    LIVE = "live"
    ATTACK = "attack"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """The answer for one face. It has no truth value: ask ``decision``.

    score: in [0, 1], larger is more likely a person before the camera; None where it was not
    checked. reason: why it is not taken for live, in words, or "".
    """

    score: float | None
    decision: LiveDecision
    reason: str = ""

    def __bool__(self) -> bool:
        raise TypeError("a LiveAnswer is neither true nor false: ask answer.decision")

    @classmethod
    def not_checked(cls, reason: str) -> LiveAnswer:
        """Return the answer for a face that cannot be judged."""
        return cls(None, LiveDecision.NOT_CHECKED, reason)

    @property
    def refusal(self) -> str:
        """Why a gate that requires a living face stays shut, or "" where it opens."""
        told = {
            LiveDecision.LIVE: "",
            LiveDecision.ATTACK: "taken for an attack, not a living face",
            LiveDecision.NOT_CHECKED: "not checked for being a living face",
        }[self.decision]
        return f"{told}: {self.reason}" if told else ""


@dataclass(frozen=True, slots=True)
class LiveThreshold:
    """From which score on a face is taken for live. source: what stands behind it, in words."""

    score: float
    source: str
