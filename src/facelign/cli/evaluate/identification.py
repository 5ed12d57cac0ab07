"""``facelign evaluate identification``: names out of a gallery, and strangers kept out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from facelign.cli import building
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command, only
from facelign.cli.output import emit, line, note
from facelign.errors import ConfigError, NoCalibration
from facelign.lab.defaults import SIZES, Templates
from facelign.types.options import Option, OptionSet, share
from facelign.types.policies import SEARCH_FPIR, FacePolicy
from facelign.types.wording import counted
from facelign.wire.options import ChainFlags, FaceFlags

if TYPE_CHECKING:
    from facelign.lab.identification.run import IdentificationRun, SearchLimits
    from facelign.lab.material.named import Named
    from facelign.lab.material.photos import Embedded
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.page import Report


@dataclass(frozen=True, slots=True)
class SearchFlags(OptionSet):
    """What is searched in, and by which rule."""

    fpir: Annotated[float, Option("Share of strangers that may be given a name.", check=share)] = (
        SEARCH_FPIR
    )
    threshold: inputs.FixedThreshold = None
    templates: Annotated[Templates, Option("A template a photo, or one mean a person.")] = (
        Templates.EACH
    )
    sizes: Annotated[str, Option("People in the galleries that are compared, by commas.")] = (
        ",".join(map(str, SIZES))
    )
    media: Annotated[
        Path | None,
        Option("CSV of photo, template, medium: vectors are averaged by medium, then by template."),
    ] = None
    by_height: inputs.ByHeight = False


@command
def identification(
    source: Annotated[inputs.SourceFlags, only("images", "embeddings", "metric")],
    output: JsonFlag,
    asked: SearchFlags,
    pages: inputs.PageFlags,
    drawing: Annotated[inputs.DrawFlags, only("seed")],
    caching: inputs.CacheFlags,
    which: Annotated[FaceFlags, only("face")],
    chain: ChainFlags,
) -> int:
    """Measure how often people are named rightly and strangers get a name.

    Closed set, open set, template modes, classifiers checked against the threshold, sizes of the
    gallery. Exit 3 when some photos failed.
    """
    from facelign.lab.identification import run as identification_run
    from facelign.lab.material import sources
    from facelign.lab.material.mixed import mixed
    from facelign.lab.material.trials import set_name
    from facelign.recognition.threshold_rule import calibration_named

    images, files = source.images, source.embeddings or []
    if (images is None) == (not files):
        raise ConfigError("One of --images and --embeddings is wanted.", "Say --images DIR.")
    recognizer: Recognizer | None = None
    if images is not None:
        recognizer = building.recognizer(chain, cached=not caching.no_cache)
    limits = _limits(recognizer, asked.threshold, asked.fpir)
    embedded: Embedded | None = None
    if recognizer is not None and images is not None:
        embedded = inputs.folder(recognizer, images, which.policy(FacePolicy.CENTRAL))
        named, name = embedded.named, set_name(images)
    else:
        vectors, metric = source.saved()
        name = files[0].stem
        named = sources.named_of_saved(vectors, name, metric)
    if asked.media is not None:
        named = _averaged(named, embedded, asked.media)
    run = identification_run.run(
        named,
        limits,
        name=name,
        mode=asked.templates,
        failures=embedded.failures if embedded else (),
        sizes=inputs.counts("--sizes", asked.sizes),
        heights=asked.by_height,
        seed=drawing.seed,
    )
    from_file = calibration_named(recognizer, asked.threshold) if recognizer else None
    caveats = []
    if asked.threshold is None or from_file is not None:
        caveats = inputs.same_set(recognizer, name, from_file)
    caveats += mixed(named, tell=not pages.no_photos)
    if pages.wanted:
        shown = embedded if asked.media is None and not pages.no_photos else None
        pages.write(_report(run, recognizer, caveats, shown))
    if output.json:
        preset = chain.preset if recognizer else None
        emit({**run.to_dict(), "caveats": caveats, "preset": preset})
    else:
        _say(run, caveats)
    return Exit.INPUT if run.failures else Exit.DONE


def _limits(recognizer: Recognizer | None, text: str | None, fpir: float) -> SearchLimits:
    from facelign.lab.identification.run import SearchLimits
    from facelign.recognition.threshold_rule import calibration_named

    if recognizer is not None:
        calibration = calibration_named(recognizer, text)
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
        photos = [embedded.photos[n].path.as_posix() for _, n in sorted(embedded.photo_of.items())]
    templates, kinds = media_of(photos, read_media_csv(media))
    return media_averaged(named, templates, kinds)


def _report(
    run: IdentificationRun,
    recognizer: Recognizer | None,
    caveats: list[str],
    embedded: Embedded | None,
) -> Report:
    from facelign.lab.identification import report as page
    from facelign.lab.material.projection import available

    more = {
        "set": run.name,
        "digest of the set": run.named.digest,
        "threshold": run.limits.source,
        "seed": run.seed,
    }
    options = page.PageOptions(embedded, caveats, available())
    return page.report(run, inputs.provenance(recognizer, more), options)


def _say(run: IdentificationRun, caveats: list[str]) -> None:
    result = run.result
    line(f"{run.name}: {run.named.space.id}; threshold: {run.limits.source}")
    line(
        f"  closed set: {counted(result.gallery_subjects, 'person', 'people')}, "
        f"{counted(result.templates, 'template')}, {counted(result.probes, 'probe')}: "
        f"rank 1 {_rate(result.rank1)}"
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
        words = ", ".join(f"{name} {100 * value:.2f} %" for name, value in figures.items())
        line(f"    {mode:8} {words}")
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
    for at, fixed in zip(run.sizes, run.sizes_fixed, strict=True):
        line(
            f"  gallery of {at.people:>4} people at {at.threshold:.4f}: "
            f"FPIR {100 * at.fpir.value:.2f} % "
            f"({100 * at.fpir.low:.2f} to {100 * at.fpir.high:.2f}), "
            f"FNIR {100 * at.fnir.value:.2f} %; at the threshold of one comparison "
            f"FPIR {100 * fixed.fpir.value:.2f} %"
        )
    for band in run.heights:
        words = ", ".join(
            f"{name} {_rate(rate)}"
            for name, rate in (("FPIR", band.fpir), ("FNIR", band.fnir))
            if rate is not None
        )
        line(f"  faces of {band.height}: {words}")
    for suspect in run.suspects[:10]:
        note(f"note: likely mislabel among {suspect.person} (best score {suspect.best_score:.3f})")
    for failure in run.failures[:10]:
        note(f"    {failure.photo}: {failure.reason}")
    for text in (*result.notes, *run.notes, *caveats):
        note(f"note: {text}")


def _rate(rate: Any) -> str:
    return f"{100 * rate.value:.2f} % ({100 * rate.low:.2f} to {100 * rate.high:.2f})"
