"""Active liveness: somebody is asked to do things in an order that nobody knows beforehand.

A request asks for reactions at random times: to blink slowly, to turn the head to either side, to
open the mouth. A film of it passes when the same face, never lost, does each of them inside its
window and nothing else, and turns as a head does and not as a picture. The first second shows the
person at rest, against which everything is told.

What it keeps out: a photo, one that is moved and tilted, a film that was made before, a film that
repeats itself, cuts and a change of faces. What it does not: a film made for this request, such as
a face that a program draws while it is asked, or a person behind a mask that moves.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from facelign.liveness.asking import REST_S, TURNS, Action, Prompt, Request
from facelign.liveness.expressions import Expression, Rest, Signs, expression, resting
from facelign.types.arrays import Float32Array, Float64Array
from facelign.types.wording import counted


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """When something counts as done.

    turn_deg: least turn from rest. parallax, parallax_five: how far the nose must run ahead of the
    plane of the face in such a turn, see ``Expression``. turn_slant: a face that is seen narrower
    than that in one direction begins no turn: real heads that turned by 30 to 50 degrees gave up to
    1.56. One of the four alone would let some poses of a print through. eyes: share of their
    opening at rest beneath which eyes are closed. mouth: how much farther than at rest the lips are
    apart, in distances of the outer corners of the eyes. blink_s: how long eyes stay closed at
    least, which those of a blink that nobody asked for rarely do; hold_s: the same of turns and
    mouths. early_s: what begins sooner after a prompt was begun before it. lost_s: the longest time
    without the face. frames: how many the resting state needs. slant: a face that is seen narrower
    than that in one direction tells nothing of eyes and mouth. flat: where the bend of nine of ten
    frames stays beneath it, a picture could have shown them. jump: in widths of the face, from
    frame to frame.
    """

    turn_deg: float = 30.0
    parallax: float = 0.15
    parallax_five: float = 0.15
    turn_slant: float = 1.6
    eyes: float = 0.6
    mouth: float = 0.1
    blink_s: float = 0.2
    hold_s: float = 0.15
    early_s: float = 0.1
    lost_s: float = 0.5
    frames: int = 5
    slant: float = 1.4
    flat: float = 0.03
    jump: float = 0.5


@dataclass(frozen=True, slots=True)
class Reaction:
    """What was seen. strength: degrees of a turn, share of the opening of eyes that stayed,
    distance of the lips. parallax, parallax_five: of a turn, at its height. over: whether it has
    ended.
    """

    action: Action
    start_s: float
    end_s: float
    strength: float
    parallax: float
    parallax_five: float
    over: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it stands. decision: "pending" until all was done, or something went wrong.

    reasons: why it failed, most telling first. reactions: what was seen. answered: how many prompts
    are done. score: the least likeness of the face to that at rest, or None where none was
    compared.
    """

    decision: Literal["pending", "passed", "failed"]
    reasons: tuple[str, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    answered: int = 0
    score: float | None = None

    @property
    def passed(self) -> bool:
        """Whether all was done as asked."""
        return self.decision == "passed"

    def record(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "decision": self.decision,
            "reasons": list(self.reasons),
            "answered": self.answered,
            "score": self.score,
            "reactions": [
                {**asdict(reaction), "action": reaction.action.value} for reaction in self.reactions
            ],
        }


@dataclass(slots=True)
class Challenge:
    """Judges a film of a request, frame after frame, as it comes.

    same_score: from which likeness on (inner product of the vectors of two faces of unit length)
    two frames show the same person, or None to leave that out. Frames are handed to ``see``;
    ``due`` says what the person is to be told, ``end`` that the film is over.
    """

    request: Request
    same_score: float | None = None
    options: JudgeOptions = field(default_factory=JudgeOptions)
    _signs: list[Signs] = field(default_factory=list, repr=False)
    _faces: list[tuple[float, Float64Array]] = field(default_factory=list, repr=False)
    _wrong: list[str] = field(default_factory=list, repr=False)
    _rest: Rest | None = field(default=None, repr=False)
    _seen: list[Expression] = field(default_factory=list, repr=False)
    _ended: list[Reaction] = field(default_factory=list, repr=False)
    _going_on: dict[Action, list[Expression]] = field(default_factory=dict, repr=False)
    _outcome: Outcome = field(default_factory=lambda: Outcome("pending"), repr=False)
    _first_s: float | None = field(default=None, repr=False)

    @property
    def outcome(self) -> Outcome:
        """How it stands."""
        return self._outcome

    def due(self, time_s: float) -> Prompt | None:
        """Return the prompt that is shown at a time of the film, or None."""
        return next((p for p in self.request.prompts if p.at_s <= time_s < p.until_s), None)

    def see(
        self,
        time_s: float,
        signs: Signs | None,
        vector: Float32Array | None = None,
        *,
        cut: bool = False,
    ) -> Outcome:
        """Return how it stands after a frame.

        signs: of the face, or None where it is not seen. vector: of the face, unit length, where
        it was embedded; wanted at rest and between the prompts. cut: whether a cut lies before it.
        """
        if self._outcome.decision != "pending":
            return self._outcome
        self._first_s = time_s if self._first_s is None else self._first_s
        if cut:
            self._wrong.append(f"there is a cut at {time_s:.1f} s")
        last = self._signs[-1].time_s if self._signs else self._first_s
        if time_s - last > self.options.lost_s:
            self._wrong.append(f"the face was lost at {last:.1f} s")
        if signs is not None:
            self._take(signs, vector)
        return self._judged(over=False)

    def end(self) -> Outcome:
        """Return how it stands when no more frames come."""
        if self._outcome.decision == "pending":
            self._judged(over=True)
        return self._outcome

    def _take(self, signs: Signs, vector: Float32Array | None) -> None:
        if self._signs:
            before = self._signs[-1]
            moved = np.linalg.norm(signs.middle - before.middle) / max(before.width, 1e-6)
            if moved > self.options.jump and signs.time_s - before.time_s < self.options.lost_s:
                self._wrong.append(f"the face jumped at {signs.time_s:.1f} s")
        self._signs.append(signs)
        if vector is not None:
            self._faces.append((signs.time_s, np.asarray(vector, np.float64)))
        if self._rest is not None:
            self._watch(expression(self._rest, signs))
        elif signs.time_s >= REST_S:
            self._settle()

    def _settle(self) -> None:
        """Take what the first second showed for the person at rest."""
        still = [sign for sign in self._signs if sign.time_s < REST_S]
        if len(still) < self.options.frames:
            self._wrong.append(
                f"the first second shows the face in {counted(len(still), 'frame')} only, and "
                f"{self.options.frames} are needed"
            )
            return
        if np.ptp([sign.yaw for sign in still]) > self.options.turn_deg / 2:
            self._wrong.append("the head moved in the first second, which is to show it at rest")
            return
        self._rest = resting(still)
        if abs(self._rest.yaw) > self.options.turn_deg:
            self._wrong.append("the face did not look into the camera in the first second")
        for sign in self._signs:
            self._watch(expression(self._rest, sign))

    def _judged(self, *, over: bool) -> Outcome:
        reactions = tuple(self._reactions())
        answers, wrong = self._matched(reactions)
        least = self._least()
        wrong = [*self._wrong, *wrong, *self._another(least), *self._missing(answers, over=over)]
        done = self._done(answers) and not self._uncompared(answers)
        if over and not done and not wrong:
            wrong += self._uncompared(answers) or ["the film ends within the last reaction"]
        if (done or wrong) and self._seen:
            wrong += self._repeats()
        if wrong and self._seen:
            wrong += self._as_picture()
        self._outcome = Outcome(
            "failed" if wrong else "passed" if done else "pending",
            tuple(dict.fromkeys(wrong)),
            reactions,
            len(answers),
            None if least is None else least[0],
        )
        return self._outcome

    def _missing(self, answers: Sequence[Reaction], *, over: bool) -> list[str]:
        """Say what was asked and not done."""
        if over and not self._seen:
            return ["the film ends in the first second" if self._signs else "no face was seen"]
        now = self._seen[-1].time_s if self._seen else 0.0
        for prompt in self.request.prompts[len(answers) :]:
            if over or now > prompt.until_s + self.options.blink_s:
                asked = prompt.action.words.partition(",")[0]
                during = f"from {prompt.at_s:.1f} to {prompt.until_s:.1f} s"
                return [f"asked to {asked} {during}, and it was not seen"]
        return []

    def _done(self, answers: Sequence[Reaction]) -> bool:
        """Say whether the last prompt is answered, and over."""
        return len(answers) == len(self.request.prompts) and answers[-1].over

    # -- reactions -------------------------------------------------------------------------------

    def _watch(self, seen: Expression) -> None:
        """Take what a frame shows: reactions go on, begin and end."""
        self._seen.append(seen)
        for action in Action:
            run = self._going_on.setdefault(action, [])
            if self._does(action, seen, going_on=bool(run)):
                run.append(seen)
            elif run:
                if seen.time_s - run[0].time_s >= self._least_s(action):
                    self._ended.append(_reaction(action, run, seen.time_s, over=True))
                self._going_on[action] = []

    def _reactions(self) -> list[Reaction]:
        """Return what was done so far by time; what still goes on ends now."""
        now = [
            _reaction(action, run, run[-1].time_s, over=False)
            for action, run in self._going_on.items()
            if run and run[-1].time_s - run[0].time_s >= self._least_s(action)
        ]
        return sorted(self._ended + now, key=lambda reaction: reaction.start_s)

    def _least_s(self, action: Action) -> float:
        return self.options.blink_s if action is Action.BLINK else self.options.hold_s

    def _does(self, action: Action, seen: Expression, *, going_on: bool) -> bool:
        """Say whether a frame shows an action; what goes on needs half as much to do so."""
        options, part = self.options, 0.5 if going_on else 1.0
        if action in TURNS:
            side = 1 if action is Action.TURN_LEFT else -1
            turned = side * seen.turn >= part * options.turn_deg
            return turned and (going_on or seen.slant <= options.turn_slant)
        if abs(seen.turn) > 0.75 * options.turn_deg or seen.slant > options.slant:
            return False
        if action is Action.BLINK:
            return seen.eyes <= options.eyes
        return seen.mouth >= part * options.mouth

    def _matched(self, reactions: Sequence[Reaction]) -> tuple[list[Reaction], list[str]]:
        """Return what answers each prompt, from the first on, and what is wrong in it."""
        answers: dict[Prompt, Reaction] = {}
        wrong: list[str] = []
        for reaction in reactions:
            if reaction.over and self._flat(reaction):
                wrong.append(f"at {reaction.start_s:.1f} s the face turned as a flat picture does")
            prompt = next(
                (
                    p
                    for p in self.request.prompts
                    if p.at_s + self.options.early_s <= reaction.start_s <= p.until_s
                ),
                None,
            )
            did = f"{reaction.action.seen} at {reaction.start_s:.1f} s"
            if prompt is None:
                wrong.append(f"{did}, when nothing was asked")
            elif prompt.action is not reaction.action:
                asked = prompt.action.words.partition(",")[0]
                wrong.append(f"{did}, and was asked to {asked}")
            else:
                answers.setdefault(prompt, reaction)
        first = []
        for prompt in self.request.prompts:
            if prompt not in answers:
                break
            first.append(answers[prompt])
        return first, wrong

    def _flat(self, reaction: Reaction) -> bool:
        """Say whether it is a turn in which the nose stays in the plane of the face."""
        return reaction.action in TURNS and (
            reaction.parallax < self.options.parallax
            or reaction.parallax_five < self.options.parallax_five
        )

    # -- the same person -------------------------------------------------------------------------

    def _least(self) -> tuple[float, float] | None:
        """Return the least likeness to the face at rest and when it was, or None."""
        still = [vector for time, vector in self._faces if time < REST_S]
        later = [(time, vector) for time, vector in self._faces if time >= REST_S]
        if not still or not later:
            return None
        mean = np.mean(still, axis=0)
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
        return min((float(vector @ mean), time) for time, vector in later)

    def _another(self, least: tuple[float, float] | None) -> list[str]:
        if least is None or self.same_score is None or least[0] >= self.same_score:
            return []
        return [
            f"at {least[1]:.1f} s it is another face: likeness {least[0]:.2f}, and "
            f"{self.same_score:.2f} is wanted"
        ]

    def _uncompared(self, answers: Sequence[Reaction]) -> list[str]:
        """Say where nobody looked whether it is the same person: at rest, between the prompts,
        and after the last reaction.
        """
        if self.same_score is None:
            return []
        times = [time for time, _ in self._faces]
        ends = [answers[-1].end_s, np.inf] if answers else []
        for early, late in itertools.pairwise(
            [0.0, *(p.at_s for p in self.request.prompts), *ends]
        ):
            if not any(early <= time < late for time in times):
                return [f"the face could not be compared with that at rest after {early:.1f} s"]
        return []

    # -- what kind of film it is -----------------------------------------------------------------

    def _as_picture(self) -> list[str]:
        """Say so where a flat picture could have shown all that was seen."""
        if np.quantile([seen.bend for seen in self._seen], 0.9) >= self.options.flat:
            return []
        middles = np.array([[*sign.middle, sign.width] for sign in self._signs])
        still = np.ptp(middles, axis=0).max() < 0.02 * middles[:, 2].mean()
        photo = "a still photo" if still else "a photo that is moved about"
        return [f"nothing was seen that {photo} could not show"]

    def _repeats(self) -> list[str]:
        period = repetition(
            np.array([sign.time_s for sign in self._signs]),
            np.array(
                [
                    [
                        *(sign.middle / self._signs[0].width),
                        seen.eyes / 4,
                        seen.mouth,
                        seen.turn / 40,
                    ]
                    for sign, seen in zip(self._signs, self._seen, strict=True)
                ]
            ),
        )
        return [] if period is None else [f"the film repeats itself after {period:.1f} s"]


def _reaction(action: Action, run: Sequence[Expression], end: float, *, over: bool) -> Reaction:
    side = -1 if action is Action.TURN_RIGHT else 1
    if action is Action.BLINK:
        strength = min(seen.eyes for seen in run)
    elif action is Action.OPEN_MOUTH:
        strength = max(seen.mouth for seen in run)
    else:
        strength = max(side * seen.turn for seen in run)
    ahead = max(side * seen.parallax for seen in run)
    five = max(side * seen.parallax_five for seen in run)
    return Reaction(action, run[0].time_s, end, float(strength), float(ahead), float(five), over)


def repetition(
    times: Float64Array, motion: Float64Array, *, least_s: float = 1.0, window_s: float = 2.0
) -> float | None:
    """Return the seconds after which a motion comes again, or None.

    times: (n,) s, rising. motion: (n, d). Two parts of ``window_s`` are the same when they differ
    by less than a twelfth of what moves in them; people never repeat themselves so well. Parts in
    which hardly anything moves are not compared.
    """
    step = 0.02
    grid = np.arange(times[0], times[-1], step)
    at = np.stack([np.interp(grid, times, part) for part in motion.T], axis=1)
    width = round(window_s / step)
    if len(grid) <= width:
        return None
    mean = np.stack([_means(part, width) for part in at.T], axis=1)
    moved = _means((at**2).sum(axis=1), width) - (mean**2).sum(axis=1)
    wanted = np.where(moved > 0.05**2, moved / 12**2, 0.0)
    for lag in range(round(least_s / step), len(grid) - width):
        apart = _means(((at[lag:] - at[:-lag]) ** 2).sum(axis=1), width)
        if (apart < wanted[: len(apart)]).any():
            return lag * step
    return None


def _means(values: Float64Array, width: int) -> Float64Array:
    """Return the means of every ``width`` neighbors."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((sums[width:] - sums[:-width]) / width)
