"""``facelign evaluate verification``: error rates over pairs of photos."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from facelign.cli import building
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command, only
from facelign.cli.output import emit, line, note, progress
from facelign.cli.trials import read_list
from facelign.errors import ConfigError
from facelign.types.options import Option, OptionSet
from facelign.types.policies import FacePolicy
from facelign.types.wording import counted
from facelign.wire.options import ChainFlags, FaceFlags

if TYPE_CHECKING:
    from facelign.datasets.shelf import Shelf
    from facelign.lab.material.photos import Embedded
    from facelign.lab.material.trials import Trials
    from facelign.lab.statistics.resampling import Interval
    from facelign.lab.verification.groups import ByGroup
    from facelign.lab.verification.run import VerificationRun
    from facelign.recognition.recognizer import Recognizer


class Counting(StrEnum):
    """How pairs count of which a photo gave no face."""

    DIFFERENT = "different"
    LEFT_OUT = "left-out"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class JudgeFlags(OptionSet):
    """How pairs count, and what else is told of them."""

    pair_scores: Annotated[
        bool,
        Option("Put every pair's score into --json, for evaluate compare RUN RUN and plot scores."),
    ] = False
    failures: Annotated[
        Counting,
        Option("Pairs without a face: decided different, left out, or the raw photo."),
    ] = Counting.DIFFERENT
    by: Annotated[Path | None, Option("CSV of person (or file) and group: also by group.")] = None
    by_height: inputs.ByHeight = False
    threshold: inputs.FixedThreshold = None
    overlap: Annotated[
        Path | None,
        Option("Folder of lists of people who are in training sets, as LFW's overlap lists."),
    ] = None


@command
def verification(
    source: inputs.SourceFlags,
    output: JsonFlag,
    judge: JudgeFlags,
    reporting: inputs.PageFlags,
    drawing: inputs.DrawFlags,
    caching: inputs.CacheFlags,
    which: Annotated[FaceFlags, only("face")],
    chain: ChainFlags,
) -> int:
    """Measure how often pairs of photos are decided rightly; exit 3 when some photos failed.

    Accuracy with thresholds from other people, ROC, EER, TAR at fixed FMR, with intervals by
    resampling people.
    """
    from facelign.compare.pairs import Failures
    from facelign.datasets.pairs_csv import read_groups_csv
    from facelign.lab.comparison.saved_runs import pair_record
    from facelign.lab.material import sources
    from facelign.lab.material.mixed import mixed
    from facelign.lab.verification.run import Choices, run

    _check(source)
    groups = read_groups_csv(judge.by) if judge.by else None
    known = inputs.overlap_lists(judge.overlap)
    recognizer = None
    if not source.embeddings:
        recognizer = building.recognizer(chain, cached=not caching.no_cache)
    limit = inputs.fixed_threshold(recognizer, judge.threshold)
    if recognizer is None:
        trials, embedded = _saved(source)
    else:
        raw = judge.failures is Counting.RAW
        trials, embedded = _material(source, recognizer, which.policy(FacePolicy.CENTRAL), raw=raw)
    choices = Choices(
        Failures[judge.failures.name],
        groups,
        judge.by_height,
        drawing.draws,
        drawing.seed,
        sources.overlapping(trials.people, known),
    )
    measured = run(trials, embedded, choices, fixed=limit)
    caveats = inputs.same_set(recognizer, trials.name) if judge.threshold is None else []
    caveats += mixed(embedded.named, tell=not reporting.no_photos)
    if reporting.wanted:
        _write(measured, recognizer, caveats, reporting)
    if output.json:
        more = {"pair_scores": pair_record(measured.pairs)} if judge.pair_scores else {}
        preset = chain.preset if recognizer else None
        emit({**measured.to_dict(), "caveats": caveats, "preset": preset, **more})
    else:
        _say(measured, caveats)
    return Exit.INPUT if embedded.failures or trials.missing else Exit.DONE


def _check(source: inputs.SourceFlags) -> None:
    """Raise ConfigError unless the flags say once where pairs come from."""
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
    source: inputs.SourceFlags, recognizer: Recognizer, policy: FacePolicy, *, raw: bool
) -> tuple[Trials, Embedded]:
    """Return the pairs, and the vectors of their photos."""
    from facelign.datasets.folder import read_folder
    from facelign.datasets.insightface_bin import read_bin
    from facelign.lab.material import photos, sources
    from facelign.lab.material.trials import Trials, set_name

    if source.bin is not None:
        chips = read_bin(source.bin)
        with progress("embedding", len(chips.pictures)) as done:
            return sources.of_bin(recognizer, chips, done=done)
    images = source.images or Path()
    if source.all_pairs:
        trials = Trials.all_pairs(read_folder(images))
    else:
        trials = replace(_listed(source, images), name=set_name(images))
    with progress("embedding", len(trials.photos)) as done:
        return trials, photos.embed(recognizer, trials.photos, policy, done=done, raw_fallback=raw)


def _saved(source: inputs.SourceFlags) -> tuple[Trials, Embedded]:
    from facelign.datasets.shelf import SavedShelf
    from facelign.lab.material import sources

    files = source.embeddings or []
    vectors, metric = source.saved()
    if source.pairs is None and source.protocol is None:
        return sources.of_saved(vectors, files[0].stem, metric)
    trials = _listed(source, SavedShelf(str(files[0]), vectors.files))
    return sources.of_saved_list(vectors, trials, files[0].stem, metric)


def _listed(source: inputs.SourceFlags, images: Path | Shelf) -> Trials:
    """Return the pairs that are reported, with those that choose the threshold."""
    from facelign.datasets.lfw import protocol
    from facelign.lab.material.trials import Trials

    development = None
    if source.protocol is not None and source.lists is not None:
        development, pairs = protocol(source.protocol.value, source.lists, images)
    else:
        pairs = read_list(source.pairs or Path(), images)
    return Trials.of_list(pairs, people=pairs.people).with_development(development)


def _write(
    measured: VerificationRun,
    recognizer: Recognizer | None,
    caveats: list[str],
    reporting: inputs.PageFlags,
) -> None:
    from facelign.lab.material.projection import available
    from facelign.lab.verification.report import VerificationPage, report

    trials = measured.trials
    quality = inputs.sharpness(recognizer, measured.embedded) if trials.opened else {}
    more = {
        "set": trials.name,
        "digest of the set": trials.digest_of(measured.embedded),
        "protocol": trials.protocol,
        "failures counted as": str(measured.result.counting),
        "draws, seed": f"{measured.result.draws}, {measured.result.seed}",
    }
    page = VerificationPage(not reporting.no_photos, caveats, quality, available())
    reporting.write(report(measured, inputs.provenance(recognizer, more), page))


def _say(measured: VerificationRun, caveats: list[str]) -> None:
    """Print the figures for people."""
    from facelign.lab.statistics.rates import tar_label

    result, trials, embedded = measured.result, measured.trials, measured.embedded
    line(f"{trials.name}: {trials.protocol}")
    line(
        f"  {result.mated:,} mated and {result.non_mated:,} non-mated pairs of "
        f"{result.subjects:,} people; {embedded.named.space.id}"
    )
    error = f" +- {100 * result.accuracy_se:.2f} (standard error)" if result.accuracy_se else ""
    ends = result.intervals
    _row("accuracy", f"{100 * result.accuracy:.2f} %{error}", _ends(ends.get("accuracy"), 100))
    _row("AUC", f"{result.auc:.5f}", _ends(ends.get("auc"), 1))
    _row("EER", f"{100 * result.eer:.2f} %", _ends(ends.get("eer"), 100))
    for at in result.tar_at_fmr.values():
        name = tar_label(at.fmr)
        if at.tar is None:
            _row(name, f"needs {at.needs:,} pairs", "")
            continue
        spread = _ends(result.tar_interval(at.fmr), 100)
        _row(name, f"{100 * at.tar:.2f} %", f"{spread}, threshold {at.threshold:.4f}")
    best = result.best["f1"]
    _row("best F1", f"{best.f1:.4f}", f"at {best.threshold:.4f}, in sample")
    _row("always different", f"{100 * result.baseline:.2f} %", "")
    _say_fixed(measured)
    for name, groups in (("group", measured.groups), ("face height", measured.by_height)):
        if groups is not None:
            _say_groups(name, groups)
    _say_errors(measured)
    _say_lost(measured)
    line(f"  intervals: 95 %, {result.draws:,} draws of people, seed {result.seed}")
    overlap = [f"{n} of these people are in {name}" for name, n in measured.choices.overlap.items()]
    if trials.missing:
        way = " (--failures left-out leaves them out)" * (str(result.counting) != "left out")
        gone = counted(len(trials.missing), "listed photo is", "listed photos are")
        note(f"note: {gone} not there; pairs with them count as {result.counting}{way}")
    for text in (*result.notes, *caveats, *overlap):
        note(f"note: {text}")


def _say_lost(measured: VerificationRun) -> None:
    lost, missing = measured.embedded.failures, len(measured.trials.missing)
    absent = f", {missing:,} not there" if missing else ""
    line(
        f"  {counted(len(lost) - missing, 'photo')} without a face{absent}, "
        f"{counted(measured.result.failed_pairs, 'pair')} counted as {measured.result.counting}; "
        f"{len(measured.embedded.fallbacks):,} found by a further attempt"
    )
    shown = 3 if len(lost) == missing else 10
    for failure in lost[:shown]:
        # a message that names the file already is not told twice
        known = failure.photo in failure.reason
        note(f"    {failure.reason}" if known else f"    {failure.photo}: {failure.reason}")
    if len(lost) > shown:
        note(f"    and {len(lost) - shown:,} more; --json and --report list all")


def _say_fixed(measured: VerificationRun) -> None:
    fixed = measured.fixed
    if fixed is None:
        line("  no threshold in use: none is known for these vectors (--threshold judges one)")
        return
    if fixed.fmr is not None:
        _row(f"FMR at {fixed.threshold:.4f}", f"{fixed.fmr.value:.3g}", _ends(fixed.fmr, 1))
    if fixed.fnmr is not None:
        missed = f"{100 * fixed.fnmr.value:.2f} %"
        _row(f"FNMR at {fixed.threshold:.4f}", missed, _ends(fixed.fnmr, 100))
    line(f"    {fixed.threshold:.4f}: {fixed.source}")


def _say_errors(measured: VerificationRun) -> None:
    from facelign.lab.verification.run import most_errors

    people = "; ".join(f"{name} {a} + {b}" for name, a, b in most_errors(measured, 3))
    if people:
        line(f"  most errors at {measured.threshold:.4f} (false matches + misses): {people}")


def _say_groups(name: str, groups: ByGroup) -> None:
    line(f"  by {name}, at {groups.threshold:.4f} (FMR {groups.rate:g} over all)")
    for group in groups.groups:
        rates = []
        if group.fmr is not None:
            low, high = group.fmr.low, group.fmr.high
            rates.append(f"FMR {group.fmr.value:.3g} ({low:.2g} to {high:.2g})")
        if group.fnmr is not None:
            missed = group.fnmr.percent
            rates.append(f"FNMR {missed.value:.2f} % ({missed.ends(2)})")
        own = "" if group.own_threshold is None else f", own threshold {group.own_threshold:.4f}"
        line(f"    {group.group:18} {', '.join(rates)}{own}")
    for label, ratio in (("FMR", groups.worst_fmr_ratio), ("FNMR", groups.worst_fnmr_ratio)):
        if ratio is not None:
            line(f"    worst {label} is {ratio:.1f} times the best")
    line(f"    holds for all of them: {groups.holds_for_all:.4f}")


def _row(name: str, value: str, more: str) -> None:
    line(f"  {name:22} {value:>30}   {more}".rstrip())


def _ends(spread: Interval | None, scale: float) -> str:
    if spread is None:
        return ""
    digits = 2 if scale == 100 else 5
    unit = " %" if scale == 100 else ""
    return f"{scale * spread.low:.{digits}f} to {scale * spread.high:.{digits}f}{unit}"
