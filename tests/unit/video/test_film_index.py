"""A film becomes its visits: true to the frame, also where frames between are not looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facelign.imaging.write import write
from facelign.models.weights.store import Store
from facelign.recognition.options import ChainOptions
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.types.contracts import Frame
from facelign.types.image import Image
from facelign.types.policies import Attempts
from facelign.video.film_index import FilmIndex, ReadAhead
from facelign.video.options import FilmOptions
from facelign.video.tracker import ByteTracker
from facelign.video.visits import Visit

pytestmark = pytest.mark.weights
FPS = 25


@pytest.fixture(scope="module")
def gallery(
    plain_weights: Store, portrait: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PhotoGallery]:
    folder = tmp_path_factory.mktemp("films")
    photo = write(folder / "portrait.png", portrait.pixels)
    options = ChainOptions(attempts=Attempts(padded=False, turned=False))
    with PhotoGallery(folder / "people.db", Recognizer(options=options, workers=2)) as opened:
        opened.enroll("Eileen", photo)
        yield opened


def film(portrait: Image, script: str, fps: float = FPS) -> Iterator[Frame]:
    """One frame a letter: E shows Eileen as she wanders, a dot nobody."""
    empty = np.full((300, 400, 3), 90, np.uint8)
    for number, letter in enumerate(script):
        pixels = empty.copy()
        if letter == "E":
            x = round(40 + 40 * np.sin(number / 15))
            pixels[:240, x : x + 240] = portrait.pixels[0:240, 100:340]
        image = Image(pixels, (400, 300), source=f"frame {number}", digest=f"{number:064d}")
        yield Frame(image, number, number / fps)


def visits(gallery: PhotoGallery, frames: Iterator[Frame], **options: float) -> list[Visit]:
    index = FilmIndex(gallery, ByteTracker, FilmOptions(**options))
    return [visit for settled in index.watch("film", frames) for visit in settled.visits]


def test_a_visit_begins_and_ends_with_its_frames(gallery: PhotoGallery, portrait: Image) -> None:
    script = "." * 7 + "E" * 30 + "." * 41 + "E" * 12 + "." * 3
    first, second = visits(gallery, film(portrait, script), rate=5)
    assert [one.who for one in (first, second)] == ["Eileen", "Eileen"]
    assert (first.start_s, first.end_s, first.frames) == (7 / FPS, 36 / FPS, 30)
    assert (second.start_s, second.end_s, second.frames) == (78 / FPS, 89 / FPS, 12)
    assert first.best is not None
    assert first.start_s <= first.best.view.time_s <= first.end_s


def test_the_rate_changes_the_work_and_not_the_answer(
    gallery: PhotoGallery, portrait: Image
) -> None:
    script = "." * 5 + "E" * 20 + "." * 5
    told = [
        [(v.who, v.start_s, v.end_s) for v in visits(gallery, film(portrait, script), rate=rate)]
        for rate in (3, 25)
    ]
    assert told[0] == told[1] == [("Eileen", 5 / FPS, 24 / FPS)]


def test_a_film_may_be_empty_or_show_nobody(gallery: PhotoGallery, portrait: Image) -> None:
    assert visits(gallery, film(portrait, "")) == []
    assert visits(gallery, film(portrait, "." * 12)) == []


def test_a_slow_film_has_visits_of_one_frame(gallery: PhotoGallery, portrait: Image) -> None:
    (visit,) = visits(gallery, film(portrait, "..E..", fps=1))
    assert (visit.who, visit.frames) == ("Eileen", 1)


def test_what_is_settled_is_never_told_again(gallery: PhotoGallery, portrait: Image) -> None:
    """A run that was stopped after what it had settled goes on, and tells the rest once."""
    script = "E" * 10 + "." * 40 + "E" * 10 + "." * 40 + "E" * 10
    index = FilmIndex(gallery, ByteTracker)
    whole = [s for s in index.watch("film", film(portrait, script)) if s.visits]
    assert [len(s.visits) for s in whole] == [1, 1, 1]
    rest = index.watch("film", film(portrait, script), after=whole[0].frame, visits=1)
    again = [visit for settled in rest for visit in settled.visits]
    assert [(v.number, v.start_s, v.end_s) for v in again] == [
        (v.number, v.start_s, v.end_s) for s in whole[1:] for v in s.visits
    ]


def test_the_best_view_is_kept_where_it_is_wanted(gallery: PhotoGallery, portrait: Image) -> None:
    index = FilmIndex(gallery, ByteTracker, crops=True)
    (settled,) = [s for s in index.watch("film", film(portrait, "E" * 8)) if s.visits]
    assert set(settled.crops) == {1}
    assert settled.crops[1].shape[2] == 3
    assert set(settled.paths[1]) <= set(range(8))


def test_a_film_that_nobody_looks_through_to_its_end_lets_go(
    gallery: PhotoGallery, portrait: Image
) -> None:
    """Its reader ends, wherever it waits; what breaks in it is raised where it is waited for."""
    script = ("E" * 10 + "." * 40) * 4
    walk = FilmIndex(gallery, ByteTracker).watch("film", film(portrait, script))
    assert next(walk).visits
    walk.close()  # type: ignore[attr-defined]

    def broken() -> Iterator[Frame]:
        yield from film(portrait, "E" * 5)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone"):
        list(FilmIndex(gallery, ByteTracker).watch("film", broken()))
    assert not [one.name for one in threading.enumerate() if "film" in one.name]


def test_what_waits_is_bounded_by_number_and_bytes() -> None:
    room, taken = ReadAhead(most=2, most_bytes=100), []

    def take(*sizes: int) -> None:
        for size in sizes:
            room.take(size)
            taken.append(size)

    worker = threading.Thread(target=take, args=(500, 60, 60, 10))
    worker.start()
    for given, wanted in ((500, [500, 60]), (60, [500, 60, 60, 10])):
        deadline = time.monotonic() + 30
        while taken != wanted[: len(taken)] or len(taken) < wanted.index(given) + 1:
            assert time.monotonic() < deadline
        room.give(given)
    room.open()
    worker.join(30)
    assert taken == [500, 60, 60, 10]


def test_every_frame_is_counted(gallery: PhotoGallery, portrait: Image) -> None:
    done: list[int] = []
    index = FilmIndex(gallery, ByteTracker, FilmOptions(rate=4))
    list(index.watch("film", film(portrait, ".E" * 15), done.append))
    assert sum(done) == 30


def test_a_film_on_disk_is_told_by_name(gallery: PhotoGallery, shared: Path) -> None:
    """The three films of ../shared: nobody in them is called Eileen."""
    pytest.importorskip("av")
    from facelign.video.sources import opened

    index = FilmIndex(gallery, ByteTracker)
    folder = shared / "data" / "recognition" / "video"
    with opened(str(folder / "asl_again.mkv")) as frames:
        (visit,) = [v for s in index.watch("asl", frames) for v in s.visits]
    assert visit.who == "unknown 1"
    assert visit.frames == 77
