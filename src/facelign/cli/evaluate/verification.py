"""``facelign evaluate verification``: error rates over pairs of photos."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import options
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit

if TYPE_CHECKING:
    from facelign.datasets.records import PairList
    from facelign.datasets.shelf import Shelf
    from facelign.lab.material.sources import Material
    from facelign.lab.verification.run import Measured
    from facelign.recognition.recognizer import Recognizer
    from facelign.recognition.selection import FacePolicy


class Protocol(StrEnum):
    """Protocols whose lists are known by name."""

    LFW_VIEW_1 = "lfw-view1"
    LFW_VIEW_2 = "lfw-view2"


class Counting(StrEnum):
    """How pairs count of which a photo gave no face."""

    DIFFERENT = "different"
    LEFT_OUT = "left-out"
    RAW = "raw"


PairsFile = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        help="List of pairs of --images or --embeddings: LFW's form, or CSV with a, b, same.",
    ),
]
AllPairs = Annotated[bool, typer.Option("--all-pairs", help="Every pair of photos in --images.")]
ProtocolName = Annotated[
    Protocol | None, typer.Option("--protocol", help="Protocol of LFW; its lists lie in --lists.")
]
Lists = Annotated[Path | None, typer.Option("--lists", help="Folder of the protocol's lists.")]
BinFile = Annotated[
    Path | None, typer.Option("--bin", help="InsightFace's FILE.bin; nothing in it is executed.")
]
FailuresAs = Annotated[
    Counting,
    typer.Option(
        "--failures", help="Pairs without a face: decided different, left out, or the raw photo."
    ),
]
By = Annotated[
    Path | None,
    typer.Option("--by", help="CSV of person (or file) and group: also by group."),
]


PairScoresToo = Annotated[
    bool,
    typer.Option(
        "--pair-scores",
        help="Put every pair's score into --json, for evaluate compare RUN RUN and plot scores.",
    ),
]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the pairs come from."""

    images: Path | None
    pairs: Path | None
    all_pairs: bool
    protocol: Protocol | None
    lists: Path | None
    bin: Path | None
    embeddings: list[Path]
    metric: str


def verification(
    images: inputs.Images = None,
    pairs: PairsFile = None,
    all_pairs: AllPairs = False,
    protocol: ProtocolName = None,
    lists: Lists = None,
    bin_file: BinFile = None,
    embeddings: inputs.Embeddings = None,
    metric: inputs.MetricName = "cosine",
    json: options.Json = False,
    pair_scores: PairScoresToo = False,
    failures: FailuresAs = Counting.DIFFERENT,
    by: By = None,
    by_height: inputs.ByHeight = False,
    threshold: inputs.FixedThreshold = None,
    overlap: inputs.Overlap = None,
    report: inputs.ReportFile = None,
    no_photos: inputs.NoPhotos = False,
    figures: inputs.Figures = None,
    csv: inputs.Csv = None,
    draws: inputs.Draws = 1000,
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
    """Measure how often pairs of photos are decided rightly; exit 3 when some photos failed.

    Accuracy with thresholds from other people, ROC, EER, TAR at fixed FMR, with intervals by
    resampling people.
    """
    from facelign.cli import building
    from facelign.cli.output import emit
    from facelign.datasets.pairs_csv import read_groups_csv
    from facelign.lab.material import sources
    from facelign.lab.verification.run import Choices, measure

    source = _Source(images, pairs, all_pairs, protocol, lists, bin_file, embeddings or [], metric)
    _check(source)
    choices = Choices(
        _counting(failures),
        read_groups_csv(by) if by else None,
        by_height,
        draws,
        seed,
    )
    known = inputs.overlap_lists(overlap)
    made: Recognizer | None = None
    if not source.embeddings:
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
    limit = inputs.fixed_threshold(made, threshold)
    policy = building.policy(face, False, "central")
    material = _material(source, made, policy, raw=failures is Counting.RAW)
    found = measure(
        material,
        choices,
        fixed=limit,
        overlap=sources.overlapping(material.people, known),
    )
    caveats = inputs.same_set(made, material.name) if threshold is None else []
    if report or figures or csv:
        _write(found, made, caveats, report, figures, csv, photos=not no_photos)
    if json:
        emit(
            {**found.to_dict(), "caveats": caveats, "preset": preset if made else None}
            | (_pair_scores(found) if pair_scores else {})
        )
    else:
        _say(found, caveats)
    lost = bool(material.embedded.failures or material.missing)
    return Exit.INPUT if lost else Exit.DONE


def _pair_scores(found: Measured) -> dict[str, Any]:
    from facelign.lab.comparison.run import pair_record

    return {"pair_scores": pair_record(found.material.pairs)}


def _counting(name: Counting) -> Any:
    from facelign.lab.verification.figures import Failures

    return {
        Counting.DIFFERENT: Failures.DIFFERENT,
        Counting.LEFT_OUT: Failures.LEFT_OUT,
        Counting.RAW: Failures.RAW,
    }[name]


def _check(source: _Source) -> None:
    """Raise ConfigError unless the flags say once where pairs come from."""
    from facelign.errors import ConfigError

    sets = [source.images is not None, source.bin is not None, bool(source.embeddings)]
    hint = (
        "Say --images DIR with --pairs FILE, --all-pairs or --protocol; or --bin FILE; or "
        "--embeddings FILE, for all pairs or with --pairs or --protocol."
    )
    if sum(sets) != 1:
        raise ConfigError("One of --images, --bin and --embeddings is wanted.", hint)
    lists = [source.pairs is not None, source.all_pairs, source.protocol is not None]
    if source.images is not None and sum(lists) != 1:
        raise ConfigError("--images wants one of --pairs, --all-pairs and --protocol.", hint)
    if source.bin is not None and any(lists):
        raise ConfigError("--bin brings its own pairs.", hint)
    if sum(lists) > 1:
        raise ConfigError("Only one of --pairs, --all-pairs and --protocol can be.", hint)
    if (source.protocol is None) != (source.lists is None):
        raise ConfigError("--protocol and --lists belong together.", hint)


def _material(
    source: _Source, recognizer: Recognizer | None, policy: FacePolicy, *, raw: bool
) -> Material:
    from facelign.cli.output import progress
    from facelign.datasets.folder import read_folder
    from facelign.datasets.insightface_bin import read_bin
    from facelign.lab.material import sources

    if source.embeddings or recognizer is None:
        return _saved(source)
    if source.bin is not None:
        found = read_bin(source.bin)
        with progress("embedding", len(found.pictures)) as done:
            return sources.of_bin(recognizer, found, done=done)
    images = source.images or Path()
    if source.all_pairs:
        folder = read_folder(images)
        with progress("embedding", len(folder.photos)) as done:
            return sources.of_folder(recognizer, folder, policy, done=done, raw_fallback=raw)
    development, reported = _lists(source, images)
    count = len({*reported.photos, *(development.photos if development else ())})
    with progress("embedding", count) as done:
        return sources.of_list(
            recognizer,
            reported,
            policy,
            done=done,
            raw_fallback=raw,
            development=development,
            name=sources.set_name(images),
        )


def _saved(source: _Source) -> Material:
    from facelign.datasets.shelf import SavedShelf
    from facelign.lab.material import sources

    saved, metric = inputs.saved(source.embeddings), inputs.metric(source.metric)
    name = source.embeddings[0].stem
    if source.pairs is None and source.protocol is None:
        return sources.of_saved(saved, name, metric)
    shelf = SavedShelf(str(source.embeddings[0]), saved.files)
    development, reported = _lists(source, shelf)
    return sources.of_saved_list(saved, reported, name, metric, development=development)


def _lists(source: _Source, images: Path | Shelf) -> tuple[PairList | None, PairList]:
    """Return (pairs that choose the threshold, pairs that are reported)."""
    from facelign.datasets.lfw import protocol, read_pairs
    from facelign.datasets.pairs_csv import read_pairs_csv

    if source.protocol is not None and source.lists is not None:
        return protocol(source.protocol.value, source.lists, images)
    path = source.pairs or Path()
    reader = read_pairs_csv if path.suffix.lower() == ".csv" else read_pairs
    return None, reader(path, images)


def _write(
    found: Measured,
    recognizer: Recognizer | None,
    caveats: list[str],
    page: Path | None,
    figures: Path | None,
    csv: Path | None,
    *,
    photos: bool,
) -> None:
    from facelign.lab.material.projection import available
    from facelign.lab.verification import report as reports

    material = found.material
    quality = inputs.sharpness(recognizer, material.embedded) if material.opened else {}
    more = {
        "set": material.name,
        "digest of the set": material.digest,
        "protocol": material.protocol,
        "failures counted as": str(found.result.counting),
        "draws, seed": f"{found.result.draws}, {found.result.seed}",
    }
    chosen = reports.Options(photos=photos, caveats=caveats, quality=quality, methods=available())
    built = reports.build(found, inputs.provenance(recognizer, more), chosen)
    inputs.write(built, page, figures, csv, photos=photos)


def _say(found: Measured, caveats: list[str]) -> None:
    """Print the figures for people."""
    from facelign.cli.output import line, note

    result, material = found.result, found.material
    line(f"{material.name}: {material.protocol}")
    line(
        f"  {result.mated:,} mated and {result.non_mated:,} non-mated pairs of "
        f"{result.subjects:,} people; {material.named.space.id}"
    )
    error = f" +- {100 * result.accuracy_se:.2f} (standard error)" if result.accuracy_se else ""
    ends = result.intervals
    _row("accuracy", f"{100 * result.accuracy:.2f} %{error}", _ends(ends.get("accuracy"), 100))
    _row("AUC", f"{result.auc:.5f}", _ends(ends.get("auc"), 1))
    _row("EER", f"{100 * result.eer:.2f} %", _ends(ends.get("eer"), 100))
    for key, at in result.tar_at_fmr.items():
        if at.tar is None:
            _row(f"TAR at FMR {key}", f"needs {at.needs:,} pairs", "")
            continue
        _row(
            f"TAR at FMR {key}",
            f"{100 * at.tar:.2f} %",
            f"{_ends(ends.get(f'tar_at_fmr_{key}'), 100)}, threshold {at.threshold:.4f}",
        )
    best = result.best["f1"]
    _row("best F1", f"{best.f1:.4f}", f"at {best.threshold:.4f}, in sample")
    _row("always different", f"{100 * result.baseline:.2f} %", "")
    _say_fixed(found)
    for name, groups in (("group", found.groups), ("face height", found.by_height)):
        if groups is not None:
            _say_groups(name, groups)
    _say_errors(found)
    lost = material.embedded.failures
    absent = f", {material.missing:,} not there" if material.missing else ""
    line(
        f"  {len(lost) - material.missing:,} photos without a face{absent}, "
        f"{result.failed_pairs:,} pairs counted as {result.counting}; "
        f"{len(material.embedded.fallbacks):,} found by a further attempt"
    )
    shown = 3 if len(lost) == material.missing else 10
    for failure in lost[:shown]:
        # a message that names the file already is not told twice
        known = failure.photo in failure.reason
        note(f"    {failure.reason}" if known else f"    {failure.photo}: {failure.reason}")
    if len(lost) > shown:
        note(f"    and {len(lost) - shown:,} more; --json and --report list all")
    line(f"  intervals: 95 %, {result.draws:,} draws of people, seed {result.seed}")
    overlap = [f"{n} of these people are in {name}" for name, n in found.overlap.items()]
    if material.missing:
        way = " (--failures left-out leaves them out)" * (str(result.counting) != "left out")
        note(
            f"note: {material.missing:,} listed photos are not there; their pairs count as "
            f"{result.counting}{way}"
        )
    for text in (*result.notes, *caveats, *overlap):
        note(f"note: {text}")


def _say_fixed(found: Measured) -> None:
    from facelign.cli.output import line

    fixed = found.fixed
    if fixed is None:
        line("  no threshold in use: none is known for these vectors (--threshold judges one)")
        return
    for name, rate in (("FMR", fixed.fmr), ("FNMR", fixed.fnmr)):
        if rate is not None:
            _row(f"{name} at {fixed.threshold:.4f}", f"{rate.value:.3g}", _ends(rate, 1))
    line(f"    {fixed.threshold:.4f}: {fixed.source}")


def _say_errors(found: Measured) -> None:
    from facelign.cli.output import line
    from facelign.lab.verification.run import most_errors

    people = most_errors(found, 3)
    if people:
        told = "; ".join(f"{name} {a} + {b}" for name, a, b in people)
        line(f"  most errors at {found.threshold:.4f} (false matches + misses): {told}")


def _say_groups(name: str, groups: Any) -> None:
    from facelign.cli.output import line

    line(f"  by {name}, at {groups.threshold:.4f} (FMR {groups.rate:g} over all)")
    for group in groups.groups:
        rates = [
            f"{label} {rate.value:.3g} ({rate.low:.2g} to {rate.high:.2g})"
            for label, rate in (("FMR", group.fmr), ("FNMR", group.fnmr))
            if rate is not None
        ]
        own = "" if group.own_threshold is None else f", own threshold {group.own_threshold:.4f}"
        line(f"    {group.group:18} {', '.join(rates)}{own}")
    for label, ratio in (("FMR", groups.worst_fmr_ratio), ("FNMR", groups.worst_fnmr_ratio)):
        if ratio is not None:
            line(f"    worst {label} is {ratio:.1f} times the best")
    line(f"    holds for all of them: {groups.holds_for_all:.4f}")


def _row(name: str, value: str, more: str) -> None:
    from facelign.cli.output import line

    line(f"  {name:22} {value:>30}   {more}".rstrip())


def _ends(found: Any, scale: float) -> str:
    if found is None:
        return ""
    digits = 2 if scale == 100 else 5
    unit = " %" if scale == 100 else ""
    return f"{scale * found.low:.{digits}f} to {scale * found.high:.{digits}f}{unit}"
