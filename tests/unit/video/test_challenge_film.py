"""Films of somebody who does as asked, and of what only looks so: through networks, end to end.

Two people act: the portrait, whose lids, lips and turns are all made of its mesh, and a woman who
really turned her head to both sides in a film beside the checkout, with lids and lips made.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from video_parts import needed

needed("av")

from facelign import models
from facelign.cli.app import run
from facelign.imaging.read import read_image
from facelign.liveness.asking import Action, Prompt, Request
from facelign.liveness.challenge import Challenge, JudgeOptions, Outcome
from facelign.liveness.expressions import Signs, expression, resting
from facelign.models.weights.store import Store
from facelign.quality.pose import head_pose
from facelign.recognition.options import ChainOptions
from facelign.recognition.recognizer import Recognizer
from facelign.types.contracts import Frame
from facelign.types.image import Image
from facelign.types.policies import Attempts
from facelign.video.challenge import MESH, Sight, Witness, judge
from facelign.video.sources import opened
from made_films import write_film
from made_reactions import Surface, bent, flat

pytestmark = pytest.mark.weights
FPS = 10
START = datetime.now(UTC)
ORDER = (Action.TURN_LEFT, Action.BLINK, Action.OPEN_MOUTH, Action.TURN_RIGHT)
#: how far each is done from frame to frame, and back
RISE = (0.5, 1.0, 1.0, 1.0, 0.5)


def request_for(actions: Sequence[Action], first: float = 1.2, each: float = 1.6) -> Request:
    prompts = tuple(
        Prompt(a, first + each * i, first + each * (i + 1) - 0.1) for i, a in enumerate(actions)
    )
    return Request("id", START, START + timedelta(hours=1), prompts)


def acted(part: float, action: Action) -> dict[str, float]:
    return {
        Action.TURN_LEFT: {"yaw": 45 * part},
        Action.TURN_RIGHT: {"yaw": -45 * part},
        Action.BLINK: {"eyes": 1 - part},
        Action.OPEN_MOUTH: {"mouth": 0.2 * part},
    }[action]


@pytest.fixture(scope="module")
def recognizer(pulled: Callable[..., Store]) -> Recognizer:
    specs = [models.default().find(name)[0] for name in ("yunet", "sface-int8", MESH)]
    store = pulled(*specs)
    return Recognizer(
        options=ChainOptions(attempts=Attempts(padded=False, turned=False)), store=store
    )


def meshed(recognizer: Recognizer, pixels: np.ndarray) -> Surface:
    image = Image.from_array(pixels, "rgb")
    faces = recognizer.find(image).faces
    points = models.landmarker(MESH, lids=True).locate(image, faces[[0]]).landmarks
    assert points is not None
    assert points.depth is not None
    return Surface(pixels, np.c_[points.points[0, :468], points.depth[0, :468]].astype(float))


def swayed(pictures: Sequence[np.ndarray], seed: int = 2) -> list[np.ndarray]:
    """Return the pictures as a camera sees them: moved a little, and with noise."""
    rng = np.random.default_rng(seed)
    out = []
    for i, picture in enumerate(pictures):
        moved = np.roll(picture, (round(2 * np.sin(i / 7)), round(3 * np.sin(i / 11))), (0, 1))
        out.append(np.clip(moved + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8))
    return out


@dataclass
class Seen:
    film: Path
    times: list[float]
    sights: list[Sight]

    def judged(self, request: Request, same: float) -> Outcome:
        challenge = Challenge(request, same)
        for time, sight in zip(self.times, self.sights, strict=True):
            challenge.see(time, sight.signs, sight.vector)
        return challenge.end()


def watched(recognizer: Recognizer, film: Path) -> Seen:
    witness, seen = Witness(recognizer), Seen(film, [], [])
    with opened(str(film)) as frames:
        for frame in frames:
            seen.times.append(frame.time_s)
            seen.sights.append(witness.look(frame))
    return seen


def frames_of(
    length_s: float, shown: Callable[[Action | None, float], np.ndarray]
) -> list[np.ndarray]:
    """Return the frames of a film in which ORDER is done as ``request_for(ORDER)`` asks."""
    rest = shown(None, 0)
    frames = [rest] * round(length_s * FPS)
    for i, action in enumerate(ORDER):
        begin = round((1.2 + 1.6 * i + 0.4) * FPS)
        frames[begin : begin + len(RISE)] = [shown(action, part) for part in RISE]
    return frames


@pytest.fixture(scope="module")
def portrait_film(
    recognizer: Recognizer, portrait: Image, tmp_path_factory: pytest.TempPathFactory
) -> Seen:
    surface = meshed(recognizer, np.ascontiguousarray(portrait.pixels[:300, 90:370]))

    def shown(action: Action | None, part: float) -> np.ndarray:
        return surface.pixels if action is None else surface.shown(**acted(part, action))

    film = tmp_path_factory.mktemp("asked") / "portrait.mp4"
    return watched(recognizer, write_film(film, swayed(frames_of(8.4, shown)), fps=FPS))


def test_a_film_of_the_request_passes(portrait_film: Seen, recognizer: Recognizer) -> None:
    outcome = portrait_film.judged(request_for(ORDER), recognizer.threshold().score)
    assert outcome.passed, outcome.reasons
    assert tuple(r.action for r in outcome.reactions) == ORDER
    assert outcome.score is not None
    assert outcome.score > 0.6


@pytest.mark.parametrize("order", [o for o in itertools.permutations(Action) if o != ORDER])
def test_it_passes_no_request_of_another_order(
    portrait_film: Seen, order: tuple[Action, ...]
) -> None:
    outcome = portrait_film.judged(request_for(order), 0.3)
    assert outcome.decision == "failed"
    assert "was asked to" in outcome.reasons[0]


def test_it_passes_no_request_at_other_times(portrait_film: Seen) -> None:
    for first in (1.9, 2.4):
        assert portrait_film.judged(request_for(ORDER, first), 0.3).decision == "failed"


def test_a_print_in_a_hand_fails_however_it_is_turned(
    recognizer: Recognizer, portrait: Image, tmp_path: Path
) -> None:
    rest = np.ascontiguousarray(portrait.pixels[:300, 90:370])
    poses = [
        {"yaw": 55 * np.sin(i / 4), "pitch": 25 * np.sin(i / 3.1), "roll": 12 * np.sin(i / 5)}
        for i in range(70)
    ]
    frames = [rest] * 12 + [
        flat(rest, **pose, shift=(0.03 * np.sin(i / 6), 0)) for i, pose in enumerate(poses)
    ]
    film = watched(recognizer, write_film(tmp_path / "print.mp4", swayed(frames), fps=FPS))
    outcome = film.judged(request_for(ORDER), 0.3)
    assert outcome.decision == "failed"
    assert outcome.answered == 0


def test_a_print_that_is_bent_and_turned_is_no_head(
    recognizer: Recognizer, portrait: Image
) -> None:
    """The face is 95 px wide: the cylinders go from flat to tighter than a head."""
    pixels = np.ascontiguousarray(portrait.pixels[:300, 78:358])
    options, counted = JudgeOptions(), 0
    for radius in (200.0, 120.0, 80.0, 60.0):
        witness = Witness(recognizer)
        yaws = [0.0, *range(-60, 61, 15)]
        frames = [bent(pixels, radius=radius, yaw=yaw) for yaw in yaws]
        sights = [
            witness.look(Frame(Image.from_array(one, "rgb"), i, i / 10)).signs
            for i, one in enumerate(frames)
        ]
        assert sights[0] is not None
        rest = resting(sights[:1])
        for sign in sights:
            if sign is None:
                continue
            seen, counted = expression(rest, sign), counted + 1
            side = np.sign(seen.turn)
            assert not (
                abs(seen.turn) >= options.turn_deg
                and seen.slant <= options.turn_slant
                and side * seen.parallax >= options.parallax
                and side * seen.parallax_five >= options.parallax_five
            ), (radius, seen)
    assert counted > 25


def test_a_still_film_fails(recognizer: Recognizer, portrait: Image, tmp_path: Path) -> None:
    film = write_film(tmp_path / "still.mp4", [portrait.pixels] * 40, fps=FPS)
    with opened(str(film)) as frames:
        outcome = judge(request_for(ORDER), frames, recognizer)
    assert outcome.decision == "failed"
    assert "nothing was seen that a still photo could not show" in outcome.reasons


def test_an_old_request_is_judged_by_nobody(recognizer: Recognizer) -> None:
    def never() -> Iterator[Frame]:
        raise AssertionError("the film is not looked at")
        yield

    late = START + timedelta(hours=2)
    outcome = judge(request_for(ORDER), never(), recognizer, now=late)
    assert outcome.decision == "failed"
    assert outcome.reasons[0].startswith("the request expired at ")


def test_the_command_judges_the_same(
    portrait_film: Seen, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong = tmp_path / "right.json", tmp_path / "wrong.json"
    right.write_text(json.dumps(request_for(ORDER).record()))
    wrong.write_text(json.dumps(request_for(ORDER[::-1]).record()))
    assert run(["challenge", "judge", str(right), str(portrait_film.film), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["decision"], record["answered"], record["broke"]) == ("passed", 4, None)
    assert run(["challenge", "judge", str(wrong), str(portrait_film.film)]) == 1
    assert "turned to the left at 1.7 s, and was asked to turn your head to your right" in (
        capsys.readouterr().out
    )


@pytest.mark.shared
def test_a_woman_who_really_turns_passes(
    recognizer: Recognizer, recognition: Path, tmp_path: Path
) -> None:
    """Frames 9 to 0 turn to her right, 10 to 18 to her left and back: as they were taken."""
    with opened(str(recognition / "video" / "head_pose_female.gif")) as frames:
        real = [frame.image.pixels for frame in frames]
    rest = real[9]
    surface = meshed(recognizer, rest)
    done = {
        Action.TURN_LEFT: real[10:19],
        Action.TURN_RIGHT: [*real[8:1:-2], *real[2:9:2]],
        Action.BLINK: [surface.shown(eyes=e) for e in (0.5, 0, 0, 0, 0.5)],
        Action.OPEN_MOUTH: [surface.shown(mouth=m) for m in (0.1, 0.2, 0.25, 0.2, 0.1)],
    }
    pictures = [rest] * round(8.4 * FPS)
    for i, action in enumerate(ORDER):
        begin = round((1.2 + 1.6 * i + 0.4) * FPS)
        pictures[begin : begin + len(done[action])] = done[action]
    seen = watched(recognizer, write_film(tmp_path / "woman.mp4", swayed(pictures), fps=FPS))
    outcome = seen.judged(request_for(ORDER), recognizer.threshold().score)
    assert outcome.passed, outcome.reasons
    other = (ORDER[3], *ORDER[1:3], ORDER[0])
    assert seen.judged(request_for(other), 0.3).decision == "failed"


@pytest.mark.shared
def test_another_person_in_the_same_place_fails(
    recognizer: Recognizer, recognition: Path, tmp_path: Path
) -> None:
    photos = sorted((recognition / "lfw_100").rglob("*.jpg"))
    one = next(p for p in photos if "Bush" in p.name)
    two = next(p for p in photos if "Powell" in p.name)
    pictures = [read_image(p).pixels for p in [one] * 15 + [two] * 15]
    film = write_film(tmp_path / "two.mp4", pictures, fps=FPS)
    with opened(str(film)) as frames:
        outcome = judge(request_for(ORDER), frames, recognizer)
    assert outcome.decision == "failed"
    assert any("there is a cut at 1.5 s" in reason for reason in outcome.reasons)
    seen = watched(recognizer, film).judged(request_for(ORDER), recognizer.threshold().score)
    assert any("it is another face" in reason for reason in seen.reasons)


@pytest.mark.shared
def test_eyes_and_mouths_of_real_photos_are_told(recognizer: Recognizer, recognition: Path) -> None:
    """Ten photos each of four people: s8/7 closes her eyes, s7/2 laughs."""
    mesh = models.landmarker(MESH, lids=True)
    seen = {}
    for person in ("s5", "s7", "s8", "s10"):
        signs = {}
        for photo in sorted((recognition / "orl" / person).glob("*.pgm")):
            image = read_image(photo)
            faces = recognizer.find(image).faces
            if len(faces):
                marks = mesh.locate(image, faces[[0]]).landmarks
                assert marks is not None
                (yaw, _, _), points = head_pose(marks)[0], marks.points[0, :468]  # type: ignore[index]
                if abs(yaw) < 15:
                    five = faces.landmarks.points[0].astype(np.float64)  # type: ignore[union-attr]
                    signs[photo.stem] = Signs(0.0, points.astype(np.float64), five, float(yaw))
        rest = resting(list(signs.values()))
        seen |= {f"{person}/{name}": expression(rest, sign) for name, sign in signs.items()}
    assert len(seen) > 30
    assert {name for name, did in seen.items() if did.eyes <= 0.6} == {"s8/7"}
    assert {name for name, did in seen.items() if did.mouth >= 0.15} == {"s7/2"}
