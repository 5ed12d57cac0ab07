"""``facelign plot``: pictures that explain, from photos or from a saved run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building, pictures, trials
from facelign.cli.exits import Exit
from facelign.cli.flags import Commands, Photos, only
from facelign.cli.output import line, note, progress
from facelign.errors import (
    ConfigError,
    DatasetMalformed,
    FacelignError,
    InputError,
    NoCalibration,
    Refused,
)
from facelign.files.home import gallery_path, store_address
from facelign.lab.defaults import SEED
from facelign.types.policies import FacePolicy
from facelign.types.wording import counted
from facelign.wire.options import ChainFlags, FaceFlags, GalleryFlags

if TYPE_CHECKING:
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.plot import Plot
    from facelign.report.plots.chain import ChainStep
    from facelign.types.arrays import ByteArray, FloatArray
    from facelign.types.contracts import Detector
    from facelign.types.decisions import Threshold

app = Commands(
    "Pictures that explain: barcodes, similarity, t-SNE, scores, chain, detectors, HOG, timeline."
)

OutFile = Annotated[Path, typer.Option("--out", help="FILE.png, FILE.svg, or FILE.csv (numbers).")]
Photo = Annotated[str, typer.Argument(help="A photo.", show_default=False)]
Method = Annotated[str, typer.Option("--method", help="t-SNE, or UMAP where it is installed.")]
Run = Annotated[
    Path,
    typer.Argument(help="A run saved with --json --pair-scores.", show_default=False),
]
Visits = Annotated[
    Path,
    typer.Argument(help="A table of visits, by video --out.", show_default=False, metavar="TABLE"),
]
FilmOf = Annotated[str | None, typer.Option("--film", help="Of which film, by its name.")]
Kind = Annotated[str, typer.Option("--kind", help="histograms, roc, det, f1_accuracy or rates.")]
Detectors = Annotated[str, typer.Option("--detectors", help="Detectors, by id.")]
Tile = Annotated[int, typer.Option("--tile", min=80, help="Side of one picture, px.")]
Models = Annotated[ChainFlags, only("preset", "detector", "model", "layout")]


@app.add("barcodes")
def barcodes(a: Photo, b: Photo, out: OutFile, chain: Models) -> int:
    """Two photos, their embeddings as barcodes, and the distance slot by slot."""
    trials.needs("report", "matplotlib")
    from facelign.report.plots import barcode

    first, second = building.path_of(a), building.path_of(b)
    _free(out, [first, second])
    recognizer = building.recognizer(chain)
    limit = _limit(recognizer)
    found = recognizer.compare(first, second, threshold=limit, policy=FacePolicy.LARGEST)
    sides = ((found.a, found.face_a), (found.b, found.face_b))
    vectors = [
        side.vector_of(face).vectors[0]  # type: ignore[union-attr] # compare has seen both
        for side, face in sides
    ]
    verdict = "same person" if found.decision.is_match else "different people"
    if limit.calibration is None:
        verdict = ""  # without a calibrated threshold there is none
    photos = [side.image.full().pixels if side.image else None for side, _ in sides]
    plot = barcode.draw(
        (photos[0], photos[1]),
        (vectors[0], vectors[1]),
        names=(Path(first).name, Path(second).name),
        verdict=verdict,
    )
    return _save(plot, out)


@app.add("similarity")
def similarity(
    photos: Photos, out: OutFile, which: Annotated[FaceFlags, only("face")], chain: Models
) -> int:
    """Every photo against every photo, as a matrix of scores; people by their folders."""
    trials.needs("report", "matplotlib")
    from facelign.compare.scores import score_matrix
    from facelign.report.plots import similarity as figure

    found = building.listing(photos)
    _free(out, found.files)
    recognizer = building.recognizer(chain)
    vectors, people, failed = _vectors(recognizer, found, which)
    metric = recognizer.space.metric
    limit = _limit(recognizer)
    shown = limit.score if limit.calibration is not None else None
    axis = "cosine" if metric == "cosine" else f"minus {metric} distance"
    table = score_matrix(vectors, vectors, metric)
    _save(figure.draw(table, people, axis=axis, threshold=shown), out)
    return Exit.INPUT if failed else Exit.DONE


@app.add("tsne")
def tsne(
    photos: Photos,
    out: OutFile,
    method: Method = "t-SNE",
    seed: trials.Seed = SEED,
    *,
    which: Annotated[FaceFlags, only("face")],
    chain: Models,
) -> int:
    """Photos in two dimensions, a color and a mark a person; those far from their own named."""
    trials.needs("report", "matplotlib")
    trials.needs("evaluate", "sklearn")
    import numpy as np

    from facelign.lab.material.named import Named
    from facelign.lab.material.projection import Method as Way
    from facelign.lab.material.projection import project
    from facelign.report.plots import scatter

    try:
        way = Way(method)
    except ValueError as error:
        raise ConfigError(f"There is no method '{method}'.", "t-SNE or UMAP.") from error
    found = building.listing(photos)
    _free(out, found.files)
    recognizer = building.recognizer(chain)
    vectors, people, failed = _vectors(recognizer, found, which)
    named = Named(recognizer.space, vectors, tuple(people))
    points, _ = project(named, np.arange(len(people)), method=way, seed=seed)
    far = outliers(points, people)
    _save(scatter.draw(points, people, outliers=far, method=str(way), seed=seed), out)
    return Exit.INPUT if failed else Exit.DONE


def outliers(points: FloatArray, people: list[str], most: int = 12) -> list[int]:
    """Return the faces whose nearest neighbor in the plane is of another person, farthest first.

    People with one face have no own neighbor and are left out.
    """
    import numpy as np

    at, names = np.asarray(points, float), np.asarray(people)
    gaps = np.linalg.norm(at[:, None] - at[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    same = names[:, None] == names[None]
    own = np.where(same, gaps, np.inf).min(axis=1)
    lost = np.flatnonzero(np.isfinite(own) & (own > gaps.min(axis=1)))
    lost = lost[~same[lost, gaps[lost].argmin(axis=1)]] if len(lost) else lost
    return [int(i) for i in lost[np.argsort(-own[lost], kind="stable")][:most]]


@app.add("scores")
def scores(run: Run, out: OutFile, kind: Kind = "histograms") -> int:
    """Histograms, ROC, DET, F1 or error rates of a saved run."""
    trials.needs("report", "matplotlib")
    from facelign.cli.evaluate.compare import read_run
    from facelign.compare.pairs import Failures
    from facelign.lab.comparison.saved_runs import saved_pairs
    from facelign.lab.verification import curves as drawing

    record = read_run(run)
    _free(out, [])
    pairs = saved_pairs(record)
    if pairs is None:
        raise DatasetMalformed(
            f"{run} holds no scores of pairs.",
            "Save it with: facelign evaluate verification ... --json --pair-scores > run.json",
        )
    if kind not in drawing.KINDS:
        raise ConfigError(f"There is no kind '{kind}'.", f"There are: {', '.join(drawing.KINDS)}.")
    counting = Failures(record.get("failures", {}).get("counted_as", Failures.DIFFERENT))
    plot = drawing.draw(kind, pairs, str(record.get("set", run.stem)), counting)
    return _save(plot, out)


@app.add("chain")
def chain(
    photo: Photo,
    out: OutFile,
    where: GalleryFlags,
    chain: Annotated[ChainFlags, only("preset", "detector", "model", "layout", "preprocessing")],
) -> int:
    """The walk of one photo in one picture: preprocess, detect, align, embed, and who it is."""
    trials.needs("report", "matplotlib")
    from facelign.report.plots import chain as figure

    file = building.path_of(photo)
    _free(out, [file])
    steps, limit = _steps(building.recognizer(chain), file, gallery_path(where.gallery))
    return _save(figure.draw(steps, threshold=limit), out)


@app.add("detectors")
def detectors(
    photos: Photos,
    out: OutFile,
    names: Detectors = "yunet,haar,mtcnn",
    tile: Tile = 360,
) -> int:
    """Detectors side by side on the same photos: boxes, faces found, time."""
    from facelign import models
    from facelign.imaging.draw import contact_sheet
    from facelign.imaging.write import write

    if out.suffix.lower() not in pictures.SUFFIXES:
        raise ConfigError(f"{out}: a sheet of photos is written as .png or .jpg.")
    found = building.listing(photos)
    pictures.spare([out], found.files, option="--out")
    loaded = {name: models.detector(name) for name in trials.words(names)}
    for record in found.missing:
        note(f"{record['image']}: {record['error']}")
    tiles: list[ByteArray] = []
    captions: list[str] = []
    totals = {name: [0.0, 0.0] for name in loaded}
    failed = len(found.missing)
    for file in found.files:
        try:
            row = [_look(detector, file) for detector in loaded.values()]
        except InputError as error:
            note(f"{file}: {error.message}")
            failed += 1
            continue
        for name, (picture, count, ms) in zip(loaded, row, strict=True):
            tiles.append(picture)
            captions.append(f"{name}: {counted(count, 'face')}, {ms:.0f} ms")
            totals[name][0] += count
            totals[name][1] += ms
    if not tiles:
        raise InputError("There is no photo to show.", "Give photos, folders or globs.")
    write(out, contact_sheet(tiles, captions, columns=len(loaded), tile=tile))
    shown = len(tiles) // len(loaded)
    for name, (faces, spent) in totals.items():
        line(
            f"{name}: {counted(round(faces), 'face')} in {counted(shown, 'photo')}, "
            f"{spent / shown:.0f} ms a photo"
        )
    line(f"-> {out}")
    return Exit.INPUT if failed else Exit.DONE


@app.add("hog")
def hog(photo: Photo, out: OutFile, chain: Annotated[ChainFlags, only("detector")]) -> int:
    """HOG of the largest face: size and direction of the gradient, cell by cell."""
    trials.needs("report", "matplotlib")
    import numpy as np

    from facelign.imaging.draw import fitted
    from facelign.recognition.selection import choose
    from facelign.report.plots import hog as figure

    file = building.path_of(photo)
    _free(out, [file])
    recognizer = building.finder(chain)
    image = recognizer.read(file).full()
    faces = recognizer.find(image).faces
    index = choose(faces, FacePolicy.LARGEST, image.source)
    x1, y1, x2, y2 = faces.boxes[index]
    edge = 0.2 * (y2 - y1)
    low = np.maximum(np.floor([x1 - edge, y1 - edge]), 0).astype(int)
    high = np.ceil([x2 + edge, y2 + edge]).astype(int)
    cut = np.ascontiguousarray(image.pixels[low[1] : high[1], low[0] : high[0]])
    return _save(figure.draw(fitted(cut, 200)), out)


@app.add("timeline")
def timeline(table: Visits, out: OutFile, film: FilmOf = None) -> int:
    """Who is in a film and when: a line a person, a bar a visit."""
    trials.needs("report", "matplotlib")
    from facelign.report.plots import timeline as figure
    from facelign.video.visits import read_table

    _free(out, [str(table)])
    records = read_table(table)
    films = sorted({record["film"] for record in records})
    if film is not None:
        films = [one for one in films if film in (one, Path(one).name)]
    if not films:
        raise InputError(f"{table} tells no visit{f' in {film}' if film else ''}.")
    if len(films) > 1:
        names = ", ".join(films)
        raise ConfigError(f"{table} tells of {len(films)} films: {names}.", "Say --film NAME.")
    stretches = [
        figure.Stretch(one["person"], one["stranger"] is None, one["start"], one["end"])
        for one in records
        if one["film"] == films[0]
    ]
    return _save(figure.draw(stretches, film=Path(films[0]).name), out)


# -- what the commands share ---------------------------------------------------------------------


def _free(out: Path, photos: list[str]) -> None:
    """Refuse, before any work, a file that cannot be a figure or that is one of the photos."""
    from facelign.report.plot import SUFFIXES

    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"A figure cannot be written as '{out.suffix or out.name}'.", "Use .png, .svg or .csv."
        )
    pictures.spare([out], photos, option="--out")


def _save(plot: Plot, out: Path) -> int:
    plot.save(out)
    line(plot.alt)
    line(f"-> {out}")
    return Exit.DONE


def _limit(recognizer: Recognizer) -> Threshold:
    """Return the calibrated threshold, or one that decides nothing where there is none."""
    from facelign.compare.thresholds import uncalibrated

    try:
        return recognizer.threshold()
    except NoCalibration:
        return uncalibrated(0.0, "none: this space is uncalibrated")


def _vectors(
    recognizer: Recognizer, photos: building.Listed, which: FaceFlags
) -> tuple[FloatArray, list[str], int]:
    """Return vectors (n, d) of one face a photo, the person of each by folder, and failures."""
    import numpy as np

    from facelign.recognition.selection import choose

    policy = which.policy(FacePolicy.LARGEST)
    vectors, people = [], []
    failed = len(photos.missing)
    for record in photos.missing:
        note(f"{record['image']}: {record['error']}")
    with progress("embedding", len(photos.files)) as done:
        for analysis in recognizer.stream(photos.files, done=done):
            source = analysis.photo.source
            try:
                if analysis.error is not None:
                    raise analysis.error
                index = choose(analysis.faces, policy, source)
                vector = analysis.vector_of(index)
                if vector is None:
                    raise InputError(analysis.reason_of(index))
            except FacelignError as error:
                note(f"{source}: {error.message}")
                failed += 1
                continue
            vectors.append(vector.vectors[0])
            people.append(Path(source).parent.name or Path(source).stem)
    if len(vectors) < 2:
        kind = InputError if failed else Refused
        raise kind(f"{len(vectors)} faces make no picture.", "Give at least two photos.")
    order = sorted(range(len(people)), key=lambda k: (people[k], k))
    return np.stack([vectors[k] for k in order]), [people[k] for k in order], failed


def _steps(
    recognizer: Recognizer, file: str, gallery: Path
) -> tuple[list[ChainStep], float | None]:
    """Return the steps of one walk, and the threshold of the last one where there is a gallery."""
    from facelign.imaging.draw import draw_faces
    from facelign.recognition.selection import choose
    from facelign.report.plots.chain import ChainStep

    walked = recognizer.embed(recognizer.find(file))
    index = choose(walked.faces, FacePolicy.LARGEST, file)
    place, vector = walked.place_of(index), walked.vector_of(index)
    if place is None or vector is None or walked.prepared is None:
        raise InputError(f"The face cannot be aligned: {walked.reason_of(index)}.")
    pixels = walked.prepared.full().pixels
    width, height = walked.photo.size
    chips = walked.chips[0]
    count = len(walked.faces)
    how = recognizer.chain.finder.preprocessing.id or "upright, RGB"
    steps = [
        ChainStep("preprocess", f"{width} x {height} px, {how}", pixels),
        ChainStep(
            "detect",
            f"{counted(count, 'face')}, {recognizer.chain.preset.detector}",
            draw_faces(pixels, walked.faces),
        ),
        ChainStep("align", f"{chips.layout} by {chips.points_scheme}", chips.pixels[place]),
        ChainStep("embed", f"{vector.vectors.shape[1]} numbers", vector=vector.vectors[0]),
    ]
    if not gallery.is_file() and store_address(gallery) is None:
        return steps, None
    with building.opened(gallery, recognizer) as people:
        identified = people.name_faces(walked)
    answer = next((face.answer for face in identified.faces if face.face.index == index), None)
    if answer is None:
        return steps, None
    bars = tuple((c.person, max(float(c.score), 0.0)) for c in answer.candidates[:4])
    steps.append(ChainStep("recognize", answer.person or "nobody known", bars=bars))
    return steps, answer.threshold.threshold.score if answer.threshold else None


def _look(detector: Detector, file: str) -> tuple[ByteArray, int, float]:
    """Return the photo with what a detector found, how many faces, and ms."""
    from facelign.imaging.draw import draw_faces
    from facelign.imaging.read import read

    image = read(file).full()
    start = time.perf_counter()
    faces = detector.detect(image)
    spent = 1000 * (time.perf_counter() - start)
    return draw_faces(image.pixels, faces), len(faces), spent
