"""Requests and how films of them are judged, on the mesh of the portrait moved as a head moves.

No network runs here: lids, lips and the whole surface are moved point by point, with the noise of
a landmarker. How well networks see it is tried in tests/unit/video/test_challenge_film.py.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import ConfigError
from facelign.liveness.asking import Action, AskOptions, Prompt, Request, ask
from facelign.liveness.challenge import Challenge, Outcome, repetition
from facelign.liveness.expressions import Signs, expression, resting
from facelign.types.mesh import TO_FIVE
from made_reactions import Surface, turned_points

#: what mesh-478 with the lids of its network of irises gives for the portrait, with depth
MESH = Path(__file__).with_name("portrait_mesh.npz")
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ALL = (Action.TURN_LEFT, Action.OPEN_MOUTH, Action.BLINK, Action.TURN_RIGHT)
FPS = 12.5
Move = Callable[[float], dict[str, float]]


def request_for(*actions: Action) -> Request:
    prompts = tuple(Prompt(a, 2.0 + 4 * i, 5.0 + 4 * i) for i, a in enumerate(actions))
    return Request("id", NOW, NOW + timedelta(seconds=120), prompts)


@pytest.fixture(scope="module")
def surface() -> Surface:
    mesh = np.load(MESH, allow_pickle=False)["mesh"].astype(np.float64)
    return Surface(np.zeros((512, 512, 3), np.uint8), mesh)


def shape(time: float, start: float, length: float = 0.8) -> float:
    """Return how far something is done at a time: 0, up to 1, and back."""
    return float(max(0.0, np.sin(np.pi * np.clip((time - start) / length, 0, 1))))


DOES = {
    Action.TURN_LEFT: lambda part: {"yaw": 40 * part},
    Action.TURN_RIGHT: lambda part: {"yaw": -40 * part},
    Action.BLINK: lambda part: {"eyes": 1 - min(1.0, 1.5 * part)},
    Action.OPEN_MOUTH: lambda part: {"mouth": 0.3 * part},
}


def doing(*done: tuple[Action, float], sway: bool = True) -> Move:
    """Return how a face moves that does things at given times, beside a little sway."""

    def at(time: float) -> dict[str, float]:
        move: dict[str, float] = {}
        if sway:
            move = {
                "x": 3 * np.sin(1.3 * time) + 2 * np.sin(0.37 * time),
                "roll": 2 * np.sin(0.9 * time),
            }
        for action, start in done:
            part = shape(time, start)
            if part > 0:
                move |= DOES[action](part)
        return move

    return at


def film(
    surface: Surface, move: Move, length: float, *, noise: float = 0.3, seed: int = 1
) -> list[Signs]:
    """Return the signs of a film of ``length`` s; noise: of every point, px."""
    rng = np.random.default_rng(seed)
    found = []
    for time in np.arange(0, length, 1 / FPS):
        how = move(float(time))
        points = turned_points(
            surface, **{k: v for k, v in how.items() if k in ("yaw", "eyes", "mouth")}
        )
        roll = np.radians(how.get("roll", 0.0))
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        flat = points[:, :2].mean(axis=0)
        seen = (
            (points[:, :2] - flat) @ turn.T * how.get("scale", 1.0)
            + flat
            + [how.get("x", 0.0), how.get("y", 0.0)]
        )
        if "squeeze" in how:  # a print that is turned: one direction becomes narrower
            seen = (seen - flat) * [how["squeeze"], 1] + flat
        yaw = how.get("yaw", 0.0) + rng.normal(0, 0.5)
        five = np.stack([seen[list(group)].mean(axis=0) for group in TO_FIVE])
        seen, five = (part + rng.normal(0, noise, part.shape) for part in (seen, five))
        found.append(Signs(float(time), seen, five, float(yaw)))
    return found


def judged(request: Request, signs: list[Signs], **more: object) -> Outcome:
    challenge = Challenge(request, **more)  # type: ignore[arg-type]
    for sign in signs:
        if challenge.see(sign.time_s, sign).decision != "pending":
            break
    return challenge.end()


def answered(request: Request, delay: float = 0.6) -> Move:
    return doing(*((prompt.action, prompt.at_s + delay) for prompt in request.prompts))


# -- asking --------------------------------------------------------------------------------------


def test_every_order_comes_and_times_differ() -> None:
    requests = [ask(now=NOW) for _ in range(600)]
    orders = {tuple(p.action for p in r.prompts) for r in requests}
    assert orders == set(
        itertools.permutations(Action)
    )  # P(one is missing) = 24 (23/24)^600 < 1e-9
    assert len({r.id for r in requests}) == 600
    assert len({r.prompts[0].at_s for r in requests}) > 50
    for request in requests:
        assert 1.5 <= request.prompts[0].at_s <= 3.5
        assert request.expires - request.made == timedelta(seconds=120)
        for early, late in itertools.pairwise(request.prompts):
            assert early.until_s - early.at_s == pytest.approx(3)
            assert 0.49 <= late.at_s - early.until_s <= 2.51


@pytest.mark.parametrize("prompts", [1, 2, 3, 6, 12])
def test_a_turn_is_always_among_them_and_nothing_comes_twice_in_a_row(prompts: int) -> None:
    for _ in range(60):
        actions = [p.action for p in ask(AskOptions(prompts=prompts), now=NOW).prompts]
        assert len(actions) == prompts
        assert {Action.TURN_LEFT, Action.TURN_RIGHT} & set(actions)
        assert all(a is not b for a, b in itertools.pairwise(actions))
        assert len(set(actions)) == min(prompts, 4)


def test_a_request_survives_its_record_and_a_changed_one_is_refused() -> None:
    request = ask(now=NOW)
    table = json.loads(json.dumps(request.record()))
    assert Request.of_record(table) == request
    for change in (
        {"id": 3},
        {"expires": "soon"},
        {"expires": "2026-11-28T12:00:00"},
        {"prompts": []},
        {"prompts": [table["prompts"][0] | {"action": "sing"}]},
        {"prompts": [table["prompts"][0] | {"until_s": float("nan")}]},
        {"prompts": table["prompts"][::-1]},
    ):
        with pytest.raises(ConfigError):
            Request.of_record(table | change)
    for name in ("id", "made", "prompts"):
        with pytest.raises(ConfigError, match=name):
            Request.of_record({key: value for key, value in table.items() if key != name})
    with pytest.raises(ConfigError):
        Request.of_record([])


def test_it_expires() -> None:
    request = ask(AskOptions(valid=10), now=NOW)
    assert not request.expired(NOW + timedelta(seconds=10))
    assert request.expired(NOW + timedelta(seconds=10.1))


@pytest.mark.parametrize(
    "wrong", [{"prompts": 0}, {"prompts": 13}, {"window": 0.1}, {"valid": 1e9}]
)
def test_what_cannot_be_asked_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        AskOptions(**wrong)  # type: ignore[arg-type]


# -- judging -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(Action)))
def test_what_was_asked_passes_in_every_order(surface: Surface, order: tuple[Action, ...]) -> None:
    request = request_for(*order)
    outcome = judged(request, film(surface, answered(request), 18))
    assert outcome.passed, outcome.reasons
    assert tuple(r.action for r in outcome.reactions) == order
    assert outcome.answered == 4


def test_another_order_fails_and_says_which(surface: Surface) -> None:
    request = request_for(*ALL)
    other = request_for(ALL[0], ALL[3], ALL[2], ALL[1])
    outcome = judged(request, film(surface, answered(other), 18))
    assert outcome.decision == "failed"
    assert outcome.reasons[0].startswith("turned to the right at 6.")
    assert "was asked to open your mouth wide" in outcome.reasons[0]


@pytest.mark.parametrize(
    ("late", "said"), [(3.4, "it was not seen"), (-0.6, "when nothing was asked")]
)
def test_the_right_thing_at_the_wrong_time_fails(surface: Surface, late: float, said: str) -> None:
    request = request_for(*ALL)
    outcome = judged(request, film(surface, answered(request, late), 20))
    assert outcome.decision == "failed"
    assert said in outcome.reasons[0]


def test_doing_everything_all_the_time_fails(surface: Surface) -> None:
    request = request_for(*ALL)
    busy = doing(*((ALL[i % 4], 1.2 + i) for i in range(18)))
    assert judged(request, film(surface, busy, 19)).decision == "failed"


def test_a_still_photo_fails_in_words(surface: Surface) -> None:
    outcome = judged(request_for(*ALL), film(surface, lambda _: {}, 18, noise=0.2))
    assert outcome.decision == "failed"
    assert (
        "turn your head to your left from 2.0 to 5.0 s, and it was not seen" in outcome.reasons[0]
    )
    assert outcome.reasons[1] == "nothing was seen that a still photo could not show"


def test_a_photo_that_is_moved_about_fails_in_words(surface: Surface) -> None:
    def hand(time: float) -> dict[str, float]:
        return {
            "x": 25 * np.sin(1.1 * time),
            "y": 18 * np.sin(0.7 * time),
            "roll": 15 * np.sin(0.9 * time),
            "scale": 1 + 0.15 * np.sin(0.5 * time),
            "squeeze": 1 - 0.3 * np.sin(0.8 * time) ** 2,
        }

    outcome = judged(request_for(*ALL), film(surface, hand, 18, noise=0.2))
    assert outcome.decision == "failed"
    assert outcome.reasons[-1] == "nothing was seen that a photo that is moved about could not show"


def test_a_turn_without_depth_fails(surface: Surface) -> None:
    """A landmarker may call a picture turned; the nose must run ahead of the face all the same."""
    request = request_for(*ALL)
    signs = [
        replace(sign, yaw=move.get("yaw", 0.0)) if "yaw" in move else sign
        for sign, move in zip(
            film(
                surface, lambda t: {k: v for k, v in answered(request)(t).items() if k != "yaw"}, 18
            ),
            (answered(request)(t) for t in np.arange(0, 18, 1 / FPS)),
            strict=True,
        )
    ]
    outcome = judged(request, signs)
    assert outcome.decision == "failed"
    assert "the face turned as a flat picture does" in outcome.reasons[0]


def test_a_looped_film_fails(surface: Surface) -> None:
    """It holds what is asked, in the right order, and blinks when nobody asked: as loops do."""
    request = request_for(*ALL)
    for period in (3.0, 4.0, 6.5):
        once = doing((ALL[0], 2.4), (ALL[1], 0.6)) if period > 3 else doing((ALL[0], 2.1))
        outcome = judged(
            request, film(surface, lambda t, p=period, o=once: o(t % p), 18, noise=0.2)
        )
        assert outcome.decision == "failed", period


def test_a_loop_is_found_whatever_it_shows(surface: Surface) -> None:
    request = request_for(*ALL)
    whole = answered(request)
    times = np.arange(0, 24, 1 / FPS)

    def motion(move: Move) -> np.ndarray:
        signs = film(surface, move, 24, noise=0.3)
        rest = resting(signs[:20])
        rows = [(s, expression(rest, s)) for s in signs]
        return np.array(
            [[*(s.middle / s.width), e.eyes / 4, e.mouth, e.turn / 40] for s, e in rows]
        )

    assert repetition(times, motion(whole)) is None
    assert repetition(times, motion(lambda t: whole(t % 7.3))) == pytest.approx(7.3, abs=0.1)
    assert repetition(times, motion(lambda _: {})) is None


def test_a_face_that_is_lost_cut_or_jumps_fails(surface: Surface) -> None:
    request = request_for(*ALL)
    signs = film(surface, answered(request), 18)

    def run(change: Callable[[Challenge, Signs], object]) -> tuple[str, ...]:
        challenge = Challenge(request)
        for sign in signs:
            change(challenge, sign)
        outcome = challenge.end()
        assert outcome.decision == "failed"
        return outcome.reasons

    lost = run(lambda c, s: c.see(s.time_s, None if 7.2 < s.time_s < 7.9 else s))
    assert lost[0].startswith("the face was lost at 7.")
    cut = run(lambda c, s: c.see(s.time_s, s, cut=abs(s.time_s - 9.04) < 0.01))
    assert cut[0] == "there is a cut at 9.0 s"
    moved = np.array([0.8 * signs[0].width, 0])

    def jumped(challenge: Challenge, sign: Signs) -> None:
        there = replace(sign, points=sign.points + moved, five=sign.five + moved)
        challenge.see(sign.time_s, there if sign.time_s > 9 else sign)

    jump = run(jumped)
    assert jump[0].startswith("the face jumped at 9.")


def test_a_face_that_is_missed_for_a_moment_passes(surface: Surface) -> None:
    request = request_for(*ALL)
    challenge = Challenge(request)
    for i, sign in enumerate(film(surface, answered(request), 18)):
        challenge.see(sign.time_s, None if i % 9 in (0, 1, 2) else sign)
    assert challenge.end().passed


def test_one_person_throughout(surface: Surface) -> None:
    request = request_for(*ALL)
    rng = np.random.default_rng(4)
    person, other = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 128)))

    def run(seen: Callable[[float], np.ndarray | None]) -> Outcome:
        challenge = Challenge(request, same_score=0.4)
        for i, sign in enumerate(film(surface, answered(request), 18)):
            vector = seen(sign.time_s) if i % 5 == 0 else None
            if vector is not None:
                vector = vector + rng.normal(0, 0.02, 128)
                vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            challenge.see(sign.time_s, sign, vector)
        return challenge.end()

    same = run(lambda _: person)
    assert same.passed, same.reasons
    assert same.score == pytest.approx(0.98, abs=0.03)
    changed = run(lambda t: other if 10.4 < t < 12 else person)
    assert changed.decision == "failed"
    assert changed.reasons[0].startswith("at 10.8 s it is another face")
    hidden = run(lambda t: None if 6 <= t < 10 else person)
    assert hidden.decision == "failed"
    assert hidden.reasons == ("the face could not be compared with that at rest after 6.0 s",)


@pytest.mark.parametrize(
    ("length", "said"),
    [(0.0, "no face was seen"), (0.8, "the film ends in the first second"), (6.0, "not seen")],
)
def test_a_film_that_is_too_short_fails(surface: Surface, length: float, said: str) -> None:
    request = request_for(*ALL)
    assert said in judged(request, film(surface, answered(request), length)).reasons[0]


def test_a_head_that_moves_at_first_gives_no_rest(surface: Surface) -> None:
    outcome = judged(request_for(*ALL), film(surface, doing((Action.TURN_LEFT, 0.2)), 6))
    assert outcome.reasons[0] == "the head moved in the first second, which is to show it at rest"


def test_it_says_what_is_due_and_ends_by_itself(surface: Surface) -> None:
    request = request_for(Action.BLINK, Action.TURN_LEFT)
    challenge = Challenge(request)
    assert challenge.due(1.9) is None
    assert challenge.due(2.0) == request.prompts[0]
    assert challenge.due(5.0) is None
    assert challenge.due(8.9) == request.prompts[1]
    stood = [challenge.see(s.time_s, s) for s in film(surface, answered(request), 12)]
    counts = [outcome.answered for outcome in stood]
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}
    assert stood[-1].passed
    passed = next(i for i, outcome in enumerate(stood) if outcome.passed)
    assert passed / FPS < 8, "it passed as soon as the second was over, not at the end of the film"


def test_who_leans_comes_nearer_or_nods_does_nothing_by_that(surface: Surface) -> None:
    rest = resting(film(surface, lambda _: {}, 1, noise=0))
    for move in ({"roll": 25.0}, {"scale": 1.6}, {"x": 80.0}, {"squeeze": 0.75}):
        (sign, *_) = film(surface, lambda _, m=move: m, 0.1, noise=0)
        did = expression(rest, sign)
        assert did.eyes == pytest.approx(1, abs=0.02)
        assert did.mouth == pytest.approx(0, abs=0.01)
        assert did.parallax == pytest.approx(0, abs=0.01)


def test_a_film_made_before_passes_as_often_as_the_page_says() -> None:
    """The best for somebody who knows how it is asked, and not what (docs/stages/challenge.md)."""
    for prompts, orders, times in ((3, 24, 0.82), (4, 24, 0.71), (6, 216, 0.55)):
        requests = [ask(AskOptions(prompts=prompts), now=NOW) for _ in range(2000)]
        assert len({tuple(p.action for p in r.prompts) for r in requests}) <= orders
        windows = np.array([[(p.at_s + 0.1, p.until_s) for p in r.prompts] for r in requests])
        best = windows.mean(axis=(0, 2))
        share = ((windows[..., 0] <= best) & (best <= windows[..., 1])).all(axis=1).mean()
        assert share == pytest.approx(times, abs=0.04), (prompts, share)
