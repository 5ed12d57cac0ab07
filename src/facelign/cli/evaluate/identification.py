"""``facelign evaluate identification``: names out of a gallery, and strangers kept out of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import options
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit

if TYPE_CHECKING:
    from facelign.lab.identification.run import IdentificationRun, SearchLimits
    from facelign.lab.material.named import Named
    from facelign.lab.material.photos import Embedded
    from facelign.recognition.recognizer import Recognizer


class Mode(StrEnum):
    """What the photos of a person become."""

    EACH = "each"
    MEAN = "mean"
    ROBUST = "robust"


Fpir = Annotated[float, typer.Option("--fpir", help="Share of strangers that may be given a name.")]
Templates = Annotated[
    Mode, typer.Option("--templates", help="A template a photo, or one mean a person.")
]
Sizes = Annotated[
    str, typer.Option("--sizes", help="People in the galleries that are compared, by commas.")
]
Media = Annotated[
    Path | None,
    typer.Option(
        "--media",
        help="CSV of photo, template, medium: vectors are averaged by medium, then by template.",
    ),
]


def identification(
    images: inputs.Images = None,
    embeddings: inputs.Embeddings = None,
    metric: inputs.MetricName = "cosine",
    json: options.Json = False,
    fpir: Fpir = 0.01,
    threshold: inputs.FixedThreshold = None,
    templates: Templates = Mode.EACH,
    sizes: Sizes = "10,100,300",
    media: Media = None,
    by_height: inputs.ByHeight = False,
    report: inputs.ReportFile = None,
    no_photos: inputs.NoPhotos = False,
    figures: inputs.Figures = None,
    csv: inputs.Csv = None,
    seed: inputs.Seed = 20211,
    no_cache: inputs.NoCache = False,
    face: options.FaceChoice = None,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    landmarks: options.LandmarksModel = None,
    model: options.Model = None,
    layout: options.LayoutName = None,
    flip: options.Flip = None,
    preprocess: options.Preprocess = "",
    downscale: options.Downscale = 1.0,
    padded: options.Padded = True,
    rotate: options.Rotate = True,
    workers: options.Workers = None,
) -> int:
    """Measure how often people are named rightly and strangers get a name.

    Closed set, open set, template modes, classifiers checked against the threshold, sizes of the
    gallery. Exit 3 when some photos failed.
    """
    from facelign.cli import building
    from facelign.cli.output import emit
    from facelign.errors import ConfigError
    from facelign.lab.identification import run as identification_run
    from facelign.lab.identification.searching import Templates as TemplateKind
    from facelign.lab.material import sources

    if (images is None) == (not embeddings):
        raise ConfigError("One of --images and --embeddings is wanted.", "Say --images DIR.")
    made: Recognizer | None = None
    embedded: Embedded | None = None
    if images is not None:
        made = inputs.recognizer(
            no_cache=no_cache,
            preset=preset,
            detector=detector,
            landmarks=landmarks,
            model=model,
            layout=layout,
            flip=flip,
            preprocess=preprocess,
            downscale=downscale,
            padded=padded,
            rotate=rotate,
            workers=workers,
        )
    building.share("--fpir", fpir)
    limits = _limits(made, threshold, fpir)
    if made is not None and images is not None:
        embedded = inputs.folder(made, images, building.policy(face, False, "central"))
        named, name = embedded.named, sources.set_name(images)
    else:
        files = embeddings or []
        name = files[0].stem
        named = sources.named_of_saved(inputs.saved(files), name, inputs.metric(metric))
    if media is not None:
        named = _averaged(named, embedded, media)
    found = identification_run.run(
        named,
        limits,
        name=name,
        mode=TemplateKind(templates.value),
        failures=embedded.failures if embedded else (),
        sizes=inputs.counts("--sizes", sizes),
        heights=by_height,
        seed=seed,
    )
    from_file = made is not None and building.calibration(made, threshold)
    caveats = []
    if threshold is None or from_file:
        caveats = inputs.same_set(made, name, from_file or None)
    if report or figures or csv:
        shown = embedded if media is None and not no_photos else None
        _write(found, made, caveats, shown, report, figures, csv)
    if json:
        emit({**found.to_dict(), "caveats": caveats, "preset": preset if made else None})
    else:
        _say(found, caveats)
    return Exit.INPUT if found.failures else Exit.DONE


def _limits(recognizer: Recognizer | None, text: str | None, fpir: float) -> SearchLimits:
    from facelign.cli import building
    from facelign.errors import ConfigError, NoCalibration
    from facelign.lab.identification.run import SearchLimits

    if recognizer is not None:
        calibration = building.calibration(recognizer, text)
        if text is None:
            calibration = recognizer.calibration
        if calibration is not None:
            return SearchLimits.calibrated(calibration, fpir)
        if text is None:
            raise NoCalibration(
                f"Space '{recognizer.space.id}' is uncalibrated.",
                "Give --threshold SCORE, or make a record with 'facelign calibrate'.",
            )
    if text is None:
        raise ConfigError(
            "Saved vectors have no threshold of their own.", "Give one with --threshold SCORE."
        )
    fixed = inputs.fixed_threshold(recognizer, text)
    if fixed is None:
        raise ConfigError(f"--threshold {text} is no threshold.", "Give a score.")
    return SearchLimits.constant(fixed.score, fixed.source)


def _averaged(named: Named, embedded: Embedded | None, media: Path) -> Named:
    from facelign.datasets.pairs_csv import read_media_csv
    from facelign.lab.identification.run import media_of
    from facelign.lab.identification.searching import media_averaged

    if embedded is None:
        photos = list(named.photos)
    else:
        placed = sorted(zip(embedded.rows.tolist(), embedded.photos, strict=True), key=_row)
        photos = [photo.path.as_posix() for row, photo in placed if row >= 0]
    templates, kinds = media_of(photos, read_media_csv(media))
    return media_averaged(named, templates, kinds)


def _row(entry: tuple[int, Any]) -> int:
    return entry[0]


def _write(
    found: IdentificationRun,
    recognizer: Recognizer | None,
    caveats: list[str],
    embedded: Embedded | None,
    page: Path | None,
    figures: Path | None,
    csv: Path | None,
) -> None:
    from facelign.lab.identification import report as reports
    from facelign.lab.material.projection import available

    more = {
        "set": found.name,
        "digest of the set": found.named.digest,
        "threshold": found.limits.source,
        "seed": found.seed,
    }
    chosen = reports.PageOptions(embedded, caveats, available())
    built = reports.report(found, inputs.provenance(recognizer, more), chosen)
    inputs.write(built, page, figures, csv, photos=embedded is not None)


def _say(found: IdentificationRun, caveats: list[str]) -> None:
    from facelign.cli.output import line, note

    result = found.result
    line(f"{found.name}: {found.named.space.id}; threshold: {found.limits.source}")
    line(
        f"  closed set: {result.gallery_subjects:,} people, {result.templates:,} templates, "
        f"{result.probes:,} probes: rank 1 {_rate(result.rank1)}"
    )
    rates = result.open
    line(
        f"  open set: about {rates.templates:,} templates, threshold {rates.threshold:.4f} "
        f"on average, {result.strangers:,} searches of strangers"
    )
    for name, rate in (
        ("strangers named (FPIR)", rates.fpir),
        ("people missed (FNIR)", rates.fnir),
        ("wrong names", rates.misnamed),
    ):
        if rate is not None:
            line(f"    {name:24} {_rate(rate)}")
    line("  template modes")
    for mode, figures in result.modes.items():
        told = ", ".join(f"{name} {100 * value:.2f} %" for name, value in figures.items())
        line(f"    {mode:8} {told}")
    line(
        "  classifiers: right names, with the threshold, difference; "
        "strangers named with the threshold"
    )
    for one in result.classifiers:
        lost = one.checked.value - one.right.value
        strangers = one.named_strangers_checked
        named = "-" if strangers is None else f"{100 * strangers.value:6.2f} %"
        line(
            f"    {one.classifier:14} {100 * one.right.value:6.2f} %  "
            f"{100 * one.checked.value:6.2f} %  {100 * lost:+6.2f}   {named}"
        )
    for at, fixed in zip(found.sizes, found.sizes_fixed, strict=True):
        line(
            f"  gallery of {at.people:>4} people at {at.threshold:.4f}: "
            f"FPIR {100 * at.fpir.value:.2f} % "
            f"({100 * at.fpir.low:.2f} to {100 * at.fpir.high:.2f}), "
            f"FNIR {100 * at.fnir.value:.2f} %; at the threshold of one comparison "
            f"FPIR {100 * fixed.fpir.value:.2f} %"
        )
    for band in found.heights:
        told = ", ".join(
            f"{name} {_rate(rate)}"
            for name, rate in (("FPIR", band.fpir), ("FNIR", band.fnir))
            if rate is not None
        )
        line(f"  faces of {band.band}: {told}")
    for suspect in found.suspects[:10]:
        note(f"note: likely mislabel among {suspect.person} (best score {suspect.best_score:.3f})")
    for failure in found.failures[:10]:
        note(f"    {failure.photo}: {failure.reason}")
    for text in (*result.notes, *found.notes, *caveats):
        note(f"note: {text}")


def _rate(found: Any) -> str:
    return f"{100 * found.value:.2f} % ({100 * found.low:.2f} to {100 * found.high:.2f})"
