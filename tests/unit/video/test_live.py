"""The loop over cameras: films played as if live, with the real networks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from facelign import models
from facelign.errors import ConfigError
from facelign.imaging.read import read_image
from facelign.imaging.write import write
from facelign.models.weights.store import Store
from facelign.recognition.judging import LiveCheck
from facelign.recognition.options import ChainOptions
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.types.events import Event
from facelign.types.image import Image
from facelign.types.policies import Attempts
from facelign.video.events import EventRules, Zone
from facelign.video.live import Place, Watcher
from facelign.video.places import read_plans
from facelign.video.recording import Recording
from facelign.video.snapshots import Snapshots, span
from facelign.video.sources import opened_together
from facelign.video.sources.written import FilmWriter
from facelign.video.telling import Telling
from facelign.video.tracker import ByteTracker

FPS = 12.5


@pytest.fixture
def gallery(plain_weights: Store, portrait: Image, tmp_path: Path) -> Iterator[PhotoGallery]:
    photo = write(tmp_path / "portrait.png", portrait.pixels)
    options = ChainOptions(attempts=Attempts(padded=False, turned=False))
    recognizer = Recognizer(store=plain_weights, options=options, workers=1)
    with PhotoGallery(tmp_path / "people.db", recognizer) as opened:
        opened.enroll("Eileen", photo)
        opened.identify(photo)  # the networks are open before a frame comes
        yield opened


def film(path: Path, portrait: Image, script: str) -> str:
    """Write a film, one frame a letter: E shows Eileen, a dot nobody."""
    with FilmWriter(path) as writer:
        for number, letter in enumerate(script):
            pixels = np.full((300, 400, 3), 90, np.uint8)
            if letter == "E":
                x = round(40 + 40 * np.sin(number / 9))
                pixels[:240, x : x + 240] = portrait.pixels[0:240, 100:340]
            writer.add(pixels, number / FPS)
    return str(path)


def watched(
    gallery: PhotoGallery, words: list[str], rules: EventRules, **more: object
) -> list[Event]:
    told: list[Event] = []
    cameras = opened_together(words)
    places = [Place(f"camera {i}", rules) for i in range(len(words))]
    with cameras, Telling(show=told.append) as telling:
        watcher = Watcher(gallery, cameras, places, telling, tracker=ByteTracker, **more)  # type: ignore[arg-type]
        watcher.run()
    return told


@pytest.mark.weights
def test_somebody_comes_is_named_and_leaves(
    gallery: PhotoGallery, portrait: Image, tmp_path: Path
) -> None:
    word = film(tmp_path / "a.mp4", portrait, "...." + "E" * 20 + "." * 12)
    zone = Zone("all", ((0, 0), (1, 0), (1, 1), (0, 1)))
    snapshots = Snapshots(tmp_path / "snapshots")
    rules = EventRules(absence=0.5, zones=(zone,))
    told = watched(gallery, [word], rules, snapshots=snapshots)
    assert [event.kind for event in told] == ["appeared", "recognized", "left"]
    assert {event.visit for event in told} == {1}
    assert [event.person for event in told] == [None, "Eileen", "Eileen"]
    recognized = told[1]
    assert recognized.zone == "all"
    assert recognized.score is not None
    assert recognized.score > 0.9
    assert recognized.delay_s is not None
    assert recognized.snapshot is not None
    assert Path(recognized.snapshot).stat().st_size > 1000


@pytest.mark.weights
def test_two_cameras_are_watched_at_once(
    gallery: PhotoGallery, portrait: Image, tmp_path: Path
) -> None:
    script = "E" * 15 + "." * 10
    words = [film(tmp_path / f"{i}.mp4", portrait, script) for i in range(2)]
    told = watched(gallery, words, EventRules(absence=0.5))
    for name in ("camera 0", "camera 1"):
        kinds = [event.kind for event in told if event.camera == name]
        assert kinds == ["appeared", "recognized", "left"]


@pytest.mark.weights
def test_a_camera_that_ends_among_others_is_finished_at_once(
    gallery: PhotoGallery, portrait: Image, tmp_path: Path
) -> None:
    """Who was in view of it leaves then, not when the last camera ends."""
    words = [
        film(tmp_path / "short.mp4", portrait, "E" * 12),
        film(tmp_path / "long.mp4", portrait, "E" * 60),
    ]
    told = watched(gallery, words, EventRules(absence=60))
    left = [event for event in told if event.kind == "left"]
    assert [event.camera for event in left] == ["camera 0", "camera 1"]
    assert (left[1].time - left[0].time).total_seconds() > 1


@pytest.mark.weights
def test_who_is_ignored_is_never_told(
    gallery: PhotoGallery, portrait: Image, tmp_path: Path
) -> None:
    word = film(tmp_path / "a.mp4", portrait, "E" * 15 + "." * 10)
    assert watched(gallery, [word], EventRules(absence=0.5), ignored=["Eil*"]) == []


@pytest.mark.weights
def test_who_is_removed_while_in_view_is_unknown_by_the_next_look(
    gallery: PhotoGallery, portrait: Image, tmp_path: Path
) -> None:
    """The name is revoked, without telling it again, and no log of vectors keeps it alive."""
    word = film(tmp_path / "a.mp4", portrait, "E" * 40)
    told: list[Event] = []

    def show(event: Event) -> None:
        told.append(event)
        if event.kind == "recognized":
            gallery.gallery.remove("Eileen")

    with opened_together([word]) as cameras, Telling(show=show) as telling:
        watcher = Watcher(gallery, cameras, [Place("door")], telling, tracker=ByteTracker)
        watcher.run()
    kinds = [event.kind for event in told]
    assert kinds[:3] == ["appeared", "recognized", "revoked"]
    assert kinds[-1] == "left"
    assert kinds.count("recognized") == 1
    assert "Eileen" not in {event.person for event in told[2:]}
    assert not any("Eileen" in event.reason for event in told[2:])


@pytest.mark.weights
def test_a_file_that_ends_ends_the_watch_and_figures_say_how_old_frames_were(
    gallery: PhotoGallery, portrait: Image, tmp_path: Path
) -> None:
    word = film(tmp_path / "a.mp4", portrait, "." * 20)
    began = time.monotonic()
    with opened_together([word]) as cameras, Telling() as telling:
        watcher = Watcher(gallery, cameras, [Place("door")], telling, tracker=ByteTracker)
        watcher.run()
    assert time.monotonic() - began < 60
    (figures,) = watcher.figures
    assert 0 < figures.decided <= 20
    assert len(figures.ages_s) == figures.decided


def test_a_print_held_out_is_told_and_gets_no_name(
    gallery: PhotoGallery, pulled: Callable[..., Store], shared: Path, tmp_path: Path
) -> None:
    """The person of a known attack is enrolled; the print that is moved about bears no name."""
    store = pulled(*models.default().find("minifasnet"))
    photo = shared / "data" / "recognition" / "liveness" / "image_F1.jpg"
    gallery.enroll("Thief", photo)
    pixels = read_image(photo).full().pixels
    with FilmWriter(tmp_path / "print.mp4") as writer:
        for number in range(45):
            writer.add(np.roll(pixels, (number % 3, number % 5), (0, 1)), number / FPS)
    word = str(tmp_path / "print.mp4")
    check = LiveCheck("minifasnet", None, store)
    recording = Recording(tmp_path / "drawn.mp4", ["door"], "all")
    for required in (False, True):
        rules = EventRules(live_required=required)
        with recording:
            told = watched(gallery, [word], rules, live=check, seen=recording.add)
        kinds = [event.kind for event in told]
        assert kinds.count("spoof") == 1
        assert ("recognized" in kinds) is not required
        (spoof,) = (event for event in told if event.kind == "spoof")
        assert spoof.live is not None
        assert spoof.live < 0.5
    assert {one.name for one in tmp_path.glob("drawn*.mp4")} == {"drawn.mp4", "drawn-2.mp4"}


def test_views_are_private_and_deleted_after_their_time(tmp_path: Path, portrait: Image) -> None:
    snapshots = Snapshots(tmp_path / "views", span("--keep", "7d"))
    first = datetime(2026, 11, 1, 12, tzinfo=UTC)
    path = Path(snapshots.write("rtsp://door/../x", portrait.pixels, first))
    assert path.is_relative_to(tmp_path / "views")
    assert path.stat().st_mode & 0o777 == 0o600
    again = snapshots.write("rtsp://door/../x", portrait.pixels, first, str(path))
    assert Path(again) == path
    import os

    old = (first - timedelta(days=8)).timestamp()
    os.utime(path, (old, old))
    other = Path(snapshots.write("door", portrait.pixels, first + timedelta(hours=1)))
    assert not path.exists()
    assert other.exists()


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "7 years", "1e9d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no time"):
        span("--keep", text)


CAMERAS = """
[[camera]]
source_env = "DOOR"
name = "front door"
least_height = 60
only_zones = true
mirrored = true

[camera.zones]
porch = [[0, 0.4], [0.6, 0.4], [0.6, 1.0]]

[[camera]]
source = 0
"""


def test_cameras_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR", "rtsp://user:secret@door/1")
    path = tmp_path / "cameras.toml"
    path.write_text(CAMERAS)
    first, second = read_plans(path, EventRules(cooldown=77))
    assert (first.word, first.name) == ("rtsp://user:secret@door/1", "front door")
    assert first.rules.least_height == 60.0
    assert first.rules.cooldown == second.rules.cooldown == 77
    assert first.rules.zones[0].holds(0.3, 0.5)
    assert first.options.mirrored
    assert (second.word, second.name) == ("0", "")
    assert "secret" not in repr(first)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no cameras"),
        ("camera = 1", "names no cameras"),
        ("[[camera]]\nsource = 'secret'\nsauce = 1", "sauce is not known"),
        ("[[camera]]\nname = 'x'", "either source or source_env"),
        ("[[camera]]\nsource = 'secret'\nleast_height = 'x'", "least_height is no number"),
        ("[[camera]]\nsource = 'secret'\nabsence = -1", "no time"),
        ("[[camera]]\nsource = 'secret'\n[camera.zones]\na = [[0, 1]]", "corners"),
        ("[[camera]]\nsource = 'secret'\n[camera.zones]\na = [[0, 1, 2]]", "no list of corners"),
        ("[[camera]]\nsource_env = 'NOT_THERE'", "NOT_THERE is not set"),
        ("[[camera]\nsource = 'secret'", "no TOML"),
        (
            "[[camera]]\nsource='secret'\nname='a'\n[[camera]]\nsource='b'\nname='a'",
            "two cameras a",
        ),
    ],
)
def test_what_a_file_of_cameras_cannot_mean(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as refused:
        read_plans(path, EventRules())
    assert "secret" not in f"{refused.value} {refused.value.hint}"
