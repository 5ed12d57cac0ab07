"""``facelign plot``: pictures that explain, from photos or from a saved run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import building, options, pictures, trials
from facelign.cli.exits import Exit

if TYPE_CHECKING:
    from facelign.cli.building import Photos as Listed
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.plot import Plot
    from facelign.types.arrays import ByteArray
    from facelign.types.image import Image

app = typer.Typer(
    help="Pictures that explain: barcodes, similarity, t-SNE, scores, the chain, detectors, HOG.",
    no_args_is_help=True,
)

OutFile = Annotated[Path, typer.Option("--out", help="FILE.png, FILE.svg, or FILE.csv (numbers).")]
Photo = Annotated[str, typer.Argument(help="A photo.", show_default=False)]
Method = Annotated[str, typer.Option("--method", help="t-SNE, or UMAP where it is installed.")]
Run = Annotated[
    Path,
    typer.Argument(help="A run saved with --json --pair-scores.", show_default=False),
]
Kind = Annotated[str, typer.Option("--kind", help="histograms, roc, det, f1_accuracy or rates.")]
Detectors = Annotated[str, typer.Option("--detectors", help="Detectors, by id.")]
Columns = Annotated[int, typer.Option("--tile", min=80, help="Side of one picture, px.")]


@app.command("barcodes")
def barcodes(
    a: Photo,
    b: Photo,
    out: OutFile,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    model: options.Model = None,
    layout: options.LayoutName = None,
) -> int:
    """Two photos, their embeddings as barcodes, and the distance slot by slot."""
    trials.needs("report", "matplotlib")
    from facelign.recognition.selection import FacePolicy
    from facelign.report.plots import barcode

    first, second = building.one(a), building.one(b)
    _free(out, [first, second])
    made = _recognizer(preset, detector, model, layout)
    found = made.compare(first, second, threshold=_limit(made), policy=FacePolicy.LARGEST)
    vectors = [
        side.vector_of(face).vectors[0]  # type: ignore[union-attr]
        for side, face in ((found.a, found.face_a), (found.b, found.face_b))
    ]
    said = "same person" if found.decision.is_match else "different people"
    if found.decision.threshold.calibration is None:
        said = ""  # without a calibrated threshold there is no verdict
    pictures = [side.image.full().pixels if side.image else None for side in (found.a, found.b)]
    plot = barcode.draw(
        (pictures[0], pictures[1]),
        (vectors[0], vectors[1]),
        names=(Path(first).name, Path(second).name),
        verdict=said,
    )
    return _save(plot, out)


@app.command("similarity")
def similarity(
    photos: options.Photos,
    out: OutFile,
    face: options.FaceChoice = None,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    model: options.Model = None,
    layout: options.LayoutName = None,
) -> int:
    """Every photo against every photo, as a matrix of scores; people by their folders."""
    trials.needs("report", "matplotlib")
    from facelign.compare.scores import score_matrix
    from facelign.report.plots import similarity as figure

    found = building.listing(photos)
    _free(out, found.files)
    made = _recognizer(preset, detector, model, layout)
    vectors, people, failed = _vectors(made, found, face)
    space = made.space
    limit = _limit(made)
    shown = limit.score if limit.calibration is not None else None
    table = score_matrix(vectors, vectors, space.metric)
    axis = "cosine" if space.metric == "cosine" else f"minus {space.metric} distance"
    _save(figure.draw(table, people, axis=axis, threshold=shown), out)
    return Exit.INPUT if failed else Exit.DONE


@app.command("tsne")
def tsne(
    photos: options.Photos,
    out: OutFile,
    method: Method = "t-SNE",
    seed: trials.Seed = trials.SEED,
    face: options.FaceChoice = None,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    model: options.Model = None,
    layout: options.LayoutName = None,
) -> int:
    """Photos in two dimensions, a color and a mark a person; those far from their own named."""
    trials.needs("report", "matplotlib")
    trials.needs("evaluate", "sklearn")
    import numpy as np

    from facelign.errors import ConfigError
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
    made = _recognizer(preset, detector, model, layout)
    vectors, people, failed = _vectors(made, found, face)
    named = Named(made.space, vectors, tuple(people))
    flat = project(named, np.arange(len(people)), method=way, seed=seed)
    plot = scatter.draw(
        flat.points,
        people,
        outliers=outliers(flat.points, people),
        method=str(way),
        seed=seed,
    )
    _save(plot, out)
    return Exit.INPUT if failed else Exit.DONE


def outliers(points: Any, people: list[str], most: int = 12) -> list[int]:
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


@app.command("scores")
def scores(run: Run, out: OutFile, kind: Kind = "histograms") -> int:
    """Histograms, ROC, DET, F1 or error rates of a saved run."""
    trials.needs("report", "matplotlib")
    from facelign.cli.evaluate.compare import read_run
    from facelign.errors import ConfigError, DatasetMalformed
    from facelign.lab.comparison.run import saved_pairs
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
    plot = drawing.KINDS[kind](pairs, str(record.get("set", run.stem)))
    return _save(plot, out)


@app.command("chain")
def chain(
    photo: Photo,
    out: OutFile,
    gallery: options.GalleryFile = None,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    model: options.Model = None,
    layout: options.LayoutName = None,
    preprocess: options.Preprocess = "",
) -> int:
    """The walk of one photo in one picture: preprocess, detect, align, embed, and who it is."""
    trials.needs("report", "matplotlib")
    from facelign.report.plots import chain as figure

    file = building.one(photo)
    _free(out, [file])
    made = _recognizer(preset, detector, model, layout, preprocess)
    steps, limit = _steps(made, file, gallery)
    return _save(figure.draw(steps, threshold=limit), out)


@app.command("detectors")
def detectors(
    photos: options.Photos,
    out: OutFile,
    names: Detectors = "yunet,haar,mtcnn",
    tile: Columns = 360,
) -> int:
    """Detectors side by side on the same photos: boxes, faces found, time."""
    from facelign.cli.output import line, note
    from facelign.errors import ConfigError, InputError
    from facelign.imaging.draw import contact_sheet
    from facelign.imaging.write import write

    if out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise ConfigError(f"{out}: a sheet of photos is written as .png or .jpg.")
    found = building.listing(photos)
    pictures.spare([out], found.files, option="--out")
    chosen = trials.words(names)
    for failure in found.missing:
        note(f"{failure['image']}: {failure['error']}")
    tiles: list[ByteArray] = []
    captions: list[str] = []
    totals = {name: [0.0, 0.0] for name in chosen}
    failed = len(found.missing)
    loaded = {name: _detector(name) for name in chosen}
    for file in found.files:
        try:
            row = [_seen(loaded[name], file) for name in chosen]
        except InputError as error:
            note(f"{file}: {error.message}")
            failed += 1
            continue
        for name, (picture, count, ms) in zip(chosen, row, strict=True):
            tiles.append(picture)
            captions.append(f"{name}: {count} face{'s' * (count != 1)}, {ms:.0f} ms")
            totals[name][0] += count
            totals[name][1] += ms
    if not tiles:
        raise ConfigError("There is no photo to show.", "Give photos, folders or globs.")
    out.parent.mkdir(parents=True, exist_ok=True)
    write(out, contact_sheet(tiles, captions, columns=len(chosen), tile=tile))
    shown = len(tiles) // len(chosen)
    for name, (faces, spent) in totals.items():
        line(f"{name}: {faces:.0f} faces in {shown} photos, {spent / shown:.0f} ms a photo")
    line(f"-> {out}")
    return Exit.INPUT if failed else Exit.DONE


@app.command("hog")
def hog(photo: Photo, out: OutFile, detector: options.Detector = None) -> int:
    """HOG of the largest face: size and direction of the gradient, cell by cell."""
    trials.needs("report", "matplotlib")
    import numpy as np

    from facelign.imaging.draw import fitted
    from facelign.recognition.selection import FacePolicy, choose
    from facelign.report.plots import hog as figure

    file = building.one(photo)
    _free(out, [file])
    made = _recognizer("default", detector, None, "crop")
    image = made.read(file).full()
    faces = made.find(image).faces
    index = choose(faces, FacePolicy.LARGEST, image.source).index
    x1, y1, x2, y2 = faces.boxes[index]
    edge = 0.2 * (y2 - y1)
    low = np.maximum(np.floor([x1 - edge, y1 - edge]), 0).astype(int)
    high = np.ceil([x2 + edge, y2 + edge]).astype(int)
    cut = np.ascontiguousarray(image.pixels[low[1] : high[1], low[0] : high[0]])
    return _save(figure.draw(fitted(cut, 200)), out)


# -- what the commands share ---------------------------------------------------------------------


def _free(out: Path, photos: list[str]) -> None:
    """Refuse, before any work, a file that cannot be a figure or that is one of the photos."""
    from facelign.errors import ConfigError
    from facelign.report.plot import SUFFIXES

    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"A figure cannot be written as '{out.suffix or out.name}'.", "Use .png, .svg or .csv."
        )
    pictures.spare([out], photos, option="--out")


def _save(plot: Plot, out: Path) -> int:
    from facelign.cli.output import line

    plot.save(out)
    line(plot.alt)
    line(f"-> {out}")
    return Exit.DONE


def _recognizer(
    preset: str,
    detector: str | None,
    model: str | None,
    layout: str | None,
    preprocess: str = "",
) -> Recognizer:
    return building.recognizer(
        preset=preset, detector=detector, model=model, layout=layout, preprocess=preprocess
    )


def _limit(made: Recognizer) -> Any:
    """Return the calibrated threshold, or one that decides nothing where there is none."""
    from facelign.compare.thresholds import uncalibrated
    from facelign.errors import NoCalibration

    try:
        return made.threshold()
    except NoCalibration:
        return uncalibrated(0.0, "none: this space is uncalibrated")


def _vectors(
    made: Recognizer, found: Listed, face: options.Face | None
) -> tuple[Any, list[str], int]:
    """Return vectors (n, d) of one face a photo, the person of each by folder, and failures."""
    import numpy as np

    from facelign.cli.output import note, progress
    from facelign.errors import FacelignError, Refused
    from facelign.recognition.selection import choose

    policy = building.policy(face, False, "largest")
    vectors, people = [], []
    failed = len(found.missing)
    for failure in found.missing:
        note(f"{failure['image']}: {failure['error']}")
    with progress("embedding", len(found.files)) as done:
        for analysis in made.stream(found.files, done=done):
            source = analysis.photo.source
            try:
                if analysis.error is not None:
                    raise analysis.error
                index = choose(analysis.faces, policy, source).index
            except FacelignError as error:
                note(f"{source}: {error.message}")
                failed += 1
                continue
            vector = analysis.vector_of(index)
            if vector is None:
                note(f"{source}: {analysis.reason_of(index)}")
                failed += 1
                continue
            vectors.append(vector.vectors[0])
            people.append(Path(source).parent.name or Path(source).stem)
    if len(vectors) < 2:
        raise Refused(f"{len(vectors)} faces make no picture.", "Give at least two photos.")
    order = sorted(range(len(people)), key=lambda k: (people[k], k))
    return np.stack([vectors[k] for k in order]), [people[k] for k in order], failed


def _steps(made: Recognizer, file: str, gallery: Path | None) -> tuple[list[Any], Any]:
    """Return the steps of the walk and the threshold that belongs to the last one."""
    from facelign.errors import InputError
    from facelign.files.home import gallery_path
    from facelign.imaging.draw import draw_faces
    from facelign.recognition.selection import FacePolicy, choose
    from facelign.report.plots.chain import Step

    image = made.read(file).full()
    aligned = made.align(image)
    prepared = aligned.prepared or image
    index = choose(aligned.faces, FacePolicy.LARGEST, file).index
    place = aligned.place_of(index)
    embedded = made.embed(aligned)
    vector = embedded.vector_of(index)
    if place is None or vector is None:
        raise InputError(f"The face cannot be aligned: {aligned.reason_of(index)}.")
    width, height = image.size
    how = made.chain.finder.preprocessing.id or "upright, RGB"
    chips = aligned.chips[0]
    steps = [
        Step("preprocess", f"{width} x {height} px, {how}", prepared.pixels),
        Step(
            "detect",
            f"{len(aligned.faces)} face{'s' * (len(aligned.faces) != 1)}, "
            f"{made.chain.preset.detector}",
            draw_faces(prepared.pixels, aligned.faces),
        ),
        Step("align", f"{chips.layout} by {chips.points_scheme}", chips.pixels[place]),
        Step("embed", f"{vector.vectors.shape[1]} numbers", vector=vector.vectors[0]),
    ]
    path = gallery_path(gallery)
    if not path.is_file():
        return steps, None
    from facelign.recognition.photo_gallery import PhotoGallery

    with PhotoGallery(path, made) as opened:
        found = opened.named(embedded)
    answer = next((f.answer for f in found.faces if f.face.index == index), None)
    if answer is None:
        return steps, None
    bars = tuple((c.person, max(float(c.score), 0.0)) for c in answer.candidates[:4])
    steps.append(Step("recognize", answer.person or "nobody known", bars=bars))
    return steps, answer.threshold.threshold.score if answer.threshold else None


def _detector(name: str) -> Any:
    from facelign import models as models
    from facelign.models.weights.store import Store
    from facelign.runtime.onnx import OnnxOptions
    from facelign.types.specs import Task

    spec = models.default().spec(Task.DETECT, name)
    return models.load(spec, Store.from_environment(), engine=OnnxOptions())


def _seen(detector: Any, file: str) -> tuple[ByteArray, int, float]:
    """Return the photo with what a detector found, how many faces, and ms."""
    import time

    from facelign.imaging.draw import draw_faces
    from facelign.imaging.read import read

    image: Image = read(file).full()
    start = time.perf_counter()
    faces = detector.detect(image)
    spent = 1000 * (time.perf_counter() - start)
    return draw_faces(image.pixels, faces), len(faces), spent
