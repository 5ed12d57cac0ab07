"""One decision over the frames of a track: single frames flicker, a track need not."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from facelign.errors import ConfigError
from facelign.types.liveness import LiveAnswer, LiveDecision

#: a network's 0 and 1 count as this far from certain, so that one frame cannot outvote ten
_SUREST = 0.02


class TrackRule(StrEnum):
    """How the scores of several frames become one.

    median: half of the frames may be wrong. logits: the mean of the log-odds, in [0, 1] again: the
    sum of evidence, if frames were independent, which those of one second are not.
    """

    MEDIAN = "median"
    LOGITS = "logits"


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """threshold: from which score on a track is taken for live. least: frames that must have been
    judged before anything is decided. window: the newest frames that count, so that a print that is
    held out later is seen.
    """

    threshold: float = 0.5
    least: int = 5
    window: int = 15
    rule: TrackRule = TrackRule.MEDIAN

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1 or not 1 <= self.least <= self.window:
            raise ConfigError(
                f"Threshold {self.threshold:g}, least {self.least} and window {self.window} cannot "
                "be meant.",
                "Give a threshold between 0 and 1, and a window of at least 'least' frames.",
            )


def combined(scores: Sequence[float], rule: TrackRule = TrackRule.MEDIAN) -> float:
    """Return one score in [0, 1] for the scores of several frames; raises ValueError for none.

    >>> combined([0.9, 0.8, 0.1])
    0.8
    """
    if rule is TrackRule.MEDIAN:
        return float(statistics.median(scores))
    held = [min(max(score, _SUREST), 1 - _SUREST) for score in scores]
    odds = statistics.fmean(math.log(score / (1 - score)) for score in held)
    return 1 / (1 + math.exp(-odds))


class LiveTrack:
    """The frames of one track, as they come.

    Example:
        >>> track = LiveTrack(TrackOptions(least=3))
        >>> [str(track.add(score)) for score in (0.9, 0.2, 0.8, None)]
        ['not-checked', 'not-checked', 'live', 'live']
    """

    def __init__(self, options: TrackOptions | None = None) -> None:
        self.options = options or TrackOptions()
        self._scores: deque[float] = deque(maxlen=self.options.window)
        self._passed = 0

    def add(self, score: float | None) -> LiveDecision:
        """Take the score of the next frame, None for one that was not checked; return what holds.

        As many frames in a row as the window has that could not be checked empty it: what was seen
        long ago says nothing of who is there now. Raises ValueError for a score outside [0, 1].
        """
        if score is None:
            self._passed += 1
            if self._passed >= self.options.window:
                self._scores.clear()
            return self.decision
        if not 0 <= score <= 1:
            raise ValueError(f"score {score}: wanted 0 to 1")
        self._passed = 0
        self._scores.append(float(score))
        return self.decision

    @property
    def looks(self) -> int:
        """How many frames count now."""
        return len(self._scores)

    @property
    def score(self) -> float | None:
        """The score of the track, or None before enough frames were judged."""
        if len(self._scores) < self.options.least:
            return None
        return combined(self._scores, self.options.rule)

    @property
    def decision(self) -> LiveDecision:
        """What holds of the track now."""
        return self.answer.decision

    @property
    def answer(self) -> LiveAnswer:
        """What holds of the track now, with score and reason."""
        score, limit = self.score, self.options.threshold
        if score is None:
            return LiveAnswer.not_checked(
                f"{len(self._scores)} of {self.options.least} frames could be judged"
            )
        if score >= limit:
            return LiveAnswer(score, LiveDecision.LIVE)
        reason = f"liveness {score:.3f} over {len(self._scores)} frames, below {limit:.3g}"
        return LiveAnswer(score, LiveDecision.ATTACK, reason)
