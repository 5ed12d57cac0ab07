"""The same mistake ends every command with the same status, as the table of cli.exits says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer.main
from PIL import Image as Pillow

from facelign import errors
from facelign.cli.app import build, run
from facelign.cli.exits import TABLE, Exit, code_of
from facelign.gallery.gallery import Gallery
from facelign.types.embeddings import Metric, Space
from facelign.types.templates import PhotoRef, Row
from facelign.video.sources.written import FilmWriter

pytestmark = pytest.mark.weights

#: options that name a model, preset or layout
NAMES = ("--preset", "--detector", "--landmarks", "--model", "--layout")
LISTS = ("--presets", "--detectors", "--models")

#: words with which a command begins its work. PHOTO, PEOPLE (a folder of folders), GALLERY (Ann's)
#: and OUT are there or may be written
RIGHT = {
    "detect": "PHOTO",
    "liveness": "PHOTO",
    "evaluate pad": "PEOPLE",
    "align": "PHOTO OUT.png",
    "embed": "PHOTO",
    "verify": "PHOTO PHOTO",
    "enroll": "PEOPLE --gallery GALLERY",
    "identify": "PHOTO --gallery GALLERY",
    "sort": "PHOTO OUT --gallery GALLERY",
    "video": "FILM --gallery GALLERY",
    "watch": "FILM --gallery GALLERY",
    "calibrate": "--images PEOPLE --out OUT.json",
    "demo": "--out OUT",
    "evaluate verification": "--images PEOPLE --all-pairs",
    "evaluate identification": "--images PEOPLE",
    "evaluate compare": "--images PEOPLE --all-pairs",
    "evaluate ensemble": "--images PEOPLE --all-pairs",
    "study alignment": "--images PEOPLE --all-pairs --layouts none,five",
    "plot barcodes": "PHOTO PHOTO --out OUT.png",
    "plot similarity": "PEOPLE --out OUT.png",
    "plot tsne": "PEOPLE --out OUT.png",
    "plot chain": "PHOTO --out OUT.png",
    "plot detectors": "PHOTO --out OUT.png",
    "plot hog": "PHOTO --out OUT.png",
    "people reject": "Ann PHOTO --face 1 --gallery GALLERY",
}
#: a file or folder that is not there, in every place where one is named
ABSENT = (
    "detect NONE",
    "align NONE OUT.png",
    "embed NONE",
    "verify NONE PHOTO",
    "verify PHOTO PHOTO --threshold NONE.json",
    "verify PHOTO PHOTO --fusion NONE.json",
    "enroll NONE",
    "enroll NONE --flat",
    "enroll NONE --name Bob",
    "identify NONE --gallery GALLERY",
    "identify PHOTO --gallery GALLERY --threshold NONE.json",
    "sort NONE OUT --gallery GALLERY",
    "video NONE --gallery GALLERY",
    "watch NONE --gallery GALLERY",
    "calibrate --images NONE --out OUT.json",
    "calibrate --images PEOPLE --pairs NONE --out OUT.json",
    "evaluate verification --images NONE --all-pairs",
    "evaluate verification --images PEOPLE --pairs NONE",
    "evaluate verification --bin NONE.bin",
    "evaluate verification --embeddings NONE.npz",
    "evaluate verification --images PEOPLE --all-pairs --threshold NONE.json",
    "evaluate identification --images NONE",
    "evaluate landmarks --data NONE",
    "evaluate landmarks --data NONE --images NONE",
    "evaluate detection --truth NONE.csv --images PEOPLE",
    "evaluate compare --images NONE --all-pairs",
    "evaluate compare --images PEOPLE --pairs NONE.csv",
    "evaluate compare NONE.json NONE.json",
    "evaluate ensemble --images NONE --all-pairs --models sface,dlib-resnet",
    "study alignment --images NONE --all-pairs",
    "study alignment --images PEOPLE --pairs NONE",
    "plot barcodes NONE PHOTO --out OUT.png",
    "plot similarity NONE --out OUT.png",
    "plot tsne NONE --out OUT.png",
    "plot scores NONE.json --out OUT.png",
    "plot chain NONE --out OUT.png",
    "plot detectors NONE --detectors haar --out OUT.png",
    "plot hog NONE --out OUT.png",
    "people import NONE.npz --gallery GALLERY",
    "people import NONE.npy --labels NONE.txt --gallery GALLERY",
    "models add NONE.toml",
    "models add NONE.onnx",
    "models unbundle NONE.tar",
)
#: ids of models that are not there
UNKNOWN = ("models show nope", "models pull nope", "models path nope", "models remove nope")
UNKNOWN += ("models bundle OUT.tar nope", "people import NPY --labels LABELS --space nope")


def commands() -> Iterator[tuple[str, set[str]]]:
    """Yield every command and its options."""

    def walk(words: tuple[str, ...], command: object) -> Iterator[tuple[str, set[str]]]:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                yield from walk((*words, name), inner)
        else:
            yield " ".join(words), {name for part in command.params for name in part.opts}  # type: ignore[attr-defined]

    yield from walk((), typer.main.get_command(build()))


EVERY = dict(commands())
NAMED = [
    (f"{command} {words}", option)
    for command, words in RIGHT.items()
    for option in sorted(EVERY[command] & {*NAMES, *LISTS})
]
#: commands that make the gallery, or do without
MAKERS = {"enroll", "people import", "plot chain"}
GALLERIES = sorted({name for name, options in EVERY.items() if "--gallery" in options} - MAKERS)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("places")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for i, person in enumerate(("Ann", "Ann", "Bob", "Bob")):
        (root / "people" / person).mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(np.roll(noise, i)).save(root / "people" / person / f"{i}.png")
    with Gallery.open(root / "g.db") as gallery:
        space = Space("sface/arcface-112/five", 128, Metric.COSINE, True)
        row = Row("Ann", np.eye(1, 128, dtype=np.float32)[0], PhotoRef("a.jpg", "0" * 64))
        gallery.enroll_many([row], space)
    np.save(root / "v.npy", np.eye(1, 128, dtype=np.float32))
    (root / "labels.txt").write_text("Ann\n")
    with FilmWriter(root / "film.mp4") as film:
        for number in range(3):
            film.add(np.roll(noise, number), number / 25)
    return {
        "PHOTO": str(root / "people" / "Ann" / "0.png"),
        "PEOPLE": str(root / "people"),
        "GALLERY": str(root / "g.db"),
        "FILM": str(root / "film.mp4"),
        "NPY": str(root / "v.npy"),
        "LABELS": str(root / "labels.txt"),
        "NONE": str(root / "none"),
        "OUT": str(root / "out"),
    }


def status(words: str, places: dict[str, str]) -> int:
    for name, place in places.items():
        words = words.replace(name, place)
    return run(words.split())


def test_every_command_that_names_a_model_is_asked() -> None:
    # of data; of data; tells in its report; of a network of one's own, which is looked at first; of
    # networks that are trained, words of a configuration
    without = {"evaluate landmarks", "evaluate detection", "doctor", "models add"}
    without |= {"study landmarks"}
    wanted = {name for name, options in EVERY.items() if options & {*NAMES, *LISTS}}
    assert wanted - without == set(RIGHT)


@pytest.mark.parametrize(("words", "option"), NAMED)
def test_a_name_that_there_is_not(words: str, option: str, places: dict[str, str]) -> None:
    named = "nope,nope-too" if option in LISTS else "nope"
    if option == "--detector" and words.startswith("evaluate ensemble"):
        words += " --models sface,dlib-resnet"
    assert status(f"{words} {option} {named}", places) == Exit.MODEL
    assert not Path(places["OUT"]).exists()


@pytest.mark.parametrize("words", UNKNOWN)
def test_an_id_that_there_is_not(words: str, places: dict[str, str]) -> None:
    assert status(words, places) == Exit.MODEL


@pytest.mark.parametrize("words", ABSENT)
def test_a_file_that_is_not_there(
    words: str, places: dict[str, str], plain_weights: object
) -> None:
    assert status(words, places) == Exit.INPUT


@pytest.mark.parametrize("command", GALLERIES)
def test_a_gallery_that_is_not_there(
    command: str, places: dict[str, str], plain_weights: object
) -> None:
    words = {
        "people show": "Ann",
        "people rename": "Ann Bea",
        "people merge": "Ann Bob",
        "people split": "Ann --photos PHOTO --to Bea",
        "people reject": "Ann PHOTO",
        "people remove": "Ann --yes",
        "people proof": "Ann",
        "people export": "OUT.npz",
        "gallery backup": "OUT.db",
        "calibrate": "--out OUT.json",
    }.get(command, RIGHT.get(command, "").replace("--gallery GALLERY", "").replace(" --face 1", ""))
    assert status(f"{command} {words} --gallery NONE.db", places) == Exit.GALLERY


@pytest.mark.parametrize("kind", errors.PUBLIC)
def test_no_refusal_reads_as_the_answer_no(kind: str) -> None:
    assert Exit.NO not in (code_of(getattr(errors, kind)("x")), *(code for _, code in TABLE))


def test_a_rate_beyond_the_evidence_is_no_answer(places: dict[str, str]) -> None:
    assert status("verify PHOTO PHOTO --fmr 1e-9", places) == Exit.INPUT


@pytest.mark.parametrize("command", ["detect", "verify", "identify", "evaluate compare"])
def test_a_license_that_is_refused_is_no_answer(
    command: str, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACELIGN_LICENSE", "commercial")
    several = command == "evaluate compare"
    closed = "--detectors scrfd-500m,scrfd-10g" if several else "--detector scrfd-500m"
    assert status(f"{command} {RIGHT[command]} {closed}", places) == Exit.MODEL


@pytest.mark.parametrize("words", ["verify PHOTO PHOTO", "identify PHOTO --gallery GALLERY"])
@pytest.mark.parametrize("score", ["7", "1.5", "-1.01"])
def test_a_threshold_that_no_score_reaches(
    words: str, score: str, places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(f"{words} --threshold {score}", places) == Exit.USAGE
    assert "scores of this preset are from -1 to 1" in capsys.readouterr().err


def test_a_record_is_not_replaced_unasked(
    places: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "old.json"
    out.write_text("kept")
    assert status(f"calibrate --images PEOPLE --out {out}", places) == Exit.USAGE
    assert "replace it with --replace" in capsys.readouterr().err
    assert out.read_text() == "kept"
