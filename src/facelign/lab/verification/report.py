"""The report of a verification run: what a manager reads first, and everything behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facelign.compare import curves
from facelign.compare.scores import score_matrix
from facelign.lab.material.drawing import (
    OVER_PEOPLE,
    bounds,
    face_maps,
    photo_tiles,
    rate_cells,
    sci,
    share_cells,
    spreads,
)
from facelign.lab.material.projection import Method
from facelign.lab.material.thumbnails import Thumbnails
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.folds import RULE_FMR
from facelign.lab.statistics.rates import percent, rate_text, tar_label
from facelign.lab.verification.figures import SHARES, Verification
from facelign.lab.verification.groups import ByGroup
from facelign.lab.verification.run import VerificationRun, most_errors, rejects, worst_pairs
from facelign.report.page import Fact, Report, Section, Table, Thumbnail, Tile, Wall
from facelign.report.plot import Series
from facelign.report.plots import (
    det,
    error_reject,
    f1_accuracy,
    histograms,
    rates,
    roc,
    similarity,
)
from facelign.types.arrays import Float64Array

#: photos of the largest matrix
MATRIX = 120
#: people below which the reader is warned: so few stand for nobody else
FEW = 100


@dataclass(frozen=True, slots=True)
class VerificationPage:
    """What goes into a report. photos: whether pictures of people may be opened at all.

    caveats: what the reader must know first. quality: further numbers of the vectors (m,), larger
    is better. methods: how vectors are laid out in the plane.
    """

    photos: bool = True
    caveats: Sequence[str] = ()
    quality: Mapping[str, Float64Array] | None = None
    methods: Sequence[Method] = (Method.TSNE,)


def report(
    measured: VerificationRun,
    provenance: Mapping[str, str],
    options: VerificationPage | None = None,
) -> Report:
    """Return the report of a run."""
    options = options or VerificationPage()
    trials, embedded, result = measured.trials, measured.embedded, measured.result
    people = "" if "people" in trials.protocol else f"{result.subjects:,} people"
    opened = options.photos and trials.opened
    thumbnails = Thumbnails(embedded) if opened else None
    sections = [
        _rates(measured),
        _thresholds(measured),
        _groups("Groups of people", measured.groups),
        _groups("Height of the face", measured.by_height),
        _worst(measured, thumbnails),
        _culprits(measured),
        _failures(measured, opened),
        _quality(measured, options.quality or {}),
        _maps(measured, thumbnails, options.methods),
        _matrix(measured),
    ]
    return Report(
        title=f"Verification on {trials.name}",
        verdict=_verdict(measured),
        headline=_headline(measured),
        sections=[section for section in sections if section is not None],
        provenance=provenance,
        scope="; ".join(filter(None, (trials.protocol, people, embedded.named.space.id))),
        caveats=(*_caveats(measured), *options.caveats),
    )


def _verdict(measured: VerificationRun) -> str:
    result, fixed = measured.result, measured.fixed
    chosen = (
        "each with a threshold that other people chose"
        if "accuracy" in result.crossed or not result.over_folds
        else "with a threshold that these very pairs chose"
    )
    said = f"{percent(result.accuracy)} of {result.pairs:,} pairs are decided rightly, {chosen}."
    if fixed and fixed.fnmr and fixed.fmr:
        nominal = (
            "" if fixed.nominal_fmr is None else f", meant for an FMR of {fixed.nominal_fmr:g}"
        )
        said += (
            f" The threshold in use ({fixed.threshold:.3f}{nominal}) misses "
            f"{percent(fixed.fnmr.value)} of the pairs of one person and takes "
            f"{percent(fixed.fmr.value, 3)} of the pairs of two people for one."
        )
    return said


def _headline(measured: VerificationRun) -> list[Fact]:
    result = measured.result
    ends = result.intervals
    error = f", standard error {percent(result.accuracy_se)}" if result.accuracy_se else ""
    judged = _judged_on(result) + error
    area = ends.get("auc")
    spread = "" if area is None else f"{area.low:.5f} to {area.high:.5f}{OVER_PEOPLE}"
    facts = [
        Fact("Accuracy", percent(result.accuracy), bounds(ends.get("accuracy")), judged),
        Fact("AUC", f"{result.auc:.5f}", spread, "1 is perfect"),
        Fact("Equal error rate", percent(result.eer), bounds(ends.get("eer"))),
    ]
    for at in [at for at in result.tar_at_fmr.values() if at.tar is not None][-1:]:
        evidence = f"{at.errors} non-mated pairs stand behind this threshold"
        reached = percent(at.tar or 0.0)
        facts.append(
            Fact(tar_label(at.fmr), reached, bounds(result.tar_interval(at.fmr)), evidence)
        )
    counted = f"{result.failed_pairs:,} pairs counted as: {result.counting}"
    note = f"of {len(measured.embedded.photos):,}; {counted}"
    return [*facts, Fact("Photos without a face", f"{len(result.failures):,}", note=note)]


def _judged_on(result: Verification) -> str:
    """Return what the accuracy is the mean of."""
    if not result.over_folds:
        return "threshold of another list"
    if "accuracy" in result.crossed:
        return f"{len(result.crossed['accuracy'].folds)} folds"
    return "in sample"


def _caveats(measured: VerificationRun) -> list[str]:
    said = [
        f"{count} of these people are also in the training set list '{name}': if the model was "
        "trained on it, the figures are too good."
        for name, count in measured.choices.overlap.items()
    ]
    if measured.result.subjects < FEW:
        said.append(
            f"{measured.result.subjects} people are few: other people may fare otherwise than the "
            "intervals say, and an interval without width says that no error was seen, not that "
            "there is none."
        )
    if measured.trials.missing:
        said.append(f"{len(measured.trials.missing):,} listed photos are not there.")
    return said


def _rates(measured: VerificationRun) -> Section:
    result = measured.result
    curve = result.curve
    line = Series(
        measured.embedded.named.space.id,
        curve.fmr[::-1],
        curve.tar[::-1],
        note=f"AUC {result.auc:.5f}",
    )
    rows = []
    for at in result.tar_at_fmr.values():
        cells: tuple[object, ...] = (f"needs {at.needs:,} pairs", "", "", "")
        if at.tar is not None:
            spread = bounds(result.tar_interval(at.fmr)).removesuffix(OVER_PEOPLE)
            cells = (percent(at.tar), spread, f"{at.threshold:.4f}", at.errors)
        rows.append((rate_text(at.fmr), *cells))
    table = Table(
        "TAR at a fixed FMR",
        ("FMR", "TAR", "95 % interval", "threshold", "false matches"),
        rows,
        "A rate is told only as far as there are non-mated pairs to see one error at it.",
    )
    text = [
        f"{result.mated:,} mated and {result.non_mated:,} non-mated pairs of "
        f"{result.subjects:,} people. Intervals come from {result.draws:,} draws of people, "
        f"seed {result.seed}.",
        *(f"Note: {note}" for note in result.notes),
    ]
    figures = [roc.draw([line], lowest=max(1 / curve.non_mated / 2, 1e-7))]
    if ((curve.fmr > 0) & (curve.fnmr > 0)).any():
        figures.append(det.draw([Series(line.label, curve.fmr, curve.fnmr)]))
    else:
        text.append(
            "Note: there is no DET curve, because one threshold tells all mated from all non-mated "
            "pairs."
        )
    scores, threshold = measured.counted.set, measured.threshold
    figures += [
        histograms.draw(scores.mated, scores.non_mated, threshold=threshold),
        rates.draw(curve.thresholds, curve.fmr, curve.fnmr, threshold=threshold),
    ]
    return Section("Error rates", text, figures, [table])


def _thresholds(measured: VerificationRun) -> Section:
    result = measured.result
    best_ones = [best.threshold for best in result.best.values()]
    at = curves.tally(measured.counted.set, np.union1d(result.curve.thresholds, best_ones))
    figure = f1_accuracy.draw(
        at.thresholds,
        at.f1,
        at.accuracy,
        baseline=result.baseline,
        best=result.best["f1"].threshold,
    )
    rows = []
    for name, best in result.best.items():
        crossed = result.crossed.get(name)
        rows.append(
            (
                {"fmr": f"FMR {RULE_FMR:g}", "f1": "F1"}.get(name, name),
                f"{best.threshold:.4f}",
                f"{best.f1:.4f}",
                percent(best.accuracy),
                f"{crossed.f1:.4f}" if crossed else "",
                percent(crossed.accuracy) if crossed else "",
            )
        )
    tables = [
        Table(
            "Best thresholds",
            (
                *("chosen by", "threshold", "F1 in sample", "accuracy in sample"),
                *("F1 on others", "accuracy on others"),
            ),
            rows,
            "In sample: on the very pairs that chose it, so too good. On others: every fold is "
            "decided with the threshold of the rest.",
        )
    ]
    fixed = measured.fixed
    if fixed is not None:
        nominal = "" if fixed.nominal_fmr is None else f"{fixed.nominal_fmr:g}"
        both = (*rate_cells(fixed.fmr), *share_cells(fixed.fnmr))
        cells = (f"{fixed.threshold:.4f}", nominal, *both)
        columns = ("threshold", "meant for FMR", "FMR here", "95 %", "FNMR here", "95 %")
        tables.append(Table("The threshold in use", columns, [cells], fixed.source))
    said = (
        f'Always answering "different" would be right in {percent(result.baseline)} of the pairs.'
    )
    return Section("Thresholds", [said], [figure], tables)


def _groups(title: str, found: ByGroup | None) -> Section | None:
    if found is None:
        return None
    rows = [
        (
            group.group,
            group.mated,
            group.non_mated,
            *rate_cells(group.fmr),
            *share_cells(group.fnmr),
            f"{group.own_threshold:.4f}" if group.own_threshold is not None else "too few pairs",
        )
        for group in found.groups
    ]
    table = Table(
        title,
        ("group", "mated", "non-mated", "FMR", "95 %", "FNMR", "95 %", "own threshold"),
        rows,
        "; ".join(found.notes),
    )
    said = [
        f"One threshold, {found.threshold:.4f}, that holds FMR {found.rate:g} over all pairs. "
        f"At {found.holds_for_all:.4f} no group exceeds it, as far as each has the pairs to say."
    ]
    figures = []
    for name, ratio, figures_of in (
        ("FMR", found.worst_fmr_ratio, {group.group: group.fmr for group in found.groups}),
        ("FNMR", found.worst_fnmr_ratio, {group.group: group.fnmr for group in found.groups}),
    ):
        if ratio is not None:
            said.append(f"{name}: the worst group has {ratio:.1f} times the rate of the best.")
        plot = spreads(figures_of, axis=name)
        if plot is not None:
            figures.append(plot)
    return Section(title, said, figures, [table])


def _worst(measured: VerificationRun, thumbnails: Thumbnails | None) -> Section:
    walls, tables = [], []
    for (title, note), numbers in zip(_WORST, worst_pairs(measured), strict=True):
        rows = [_pair_row(measured, number) for number in numbers]
        tables.append(Table(title, ("photo", "photo", "score", "decided"), rows, note))
        if thumbnails is not None:
            tiles = [
                Tile(_faces(measured.trials, number, thumbnails), f"score {row[2]}, {row[3]}")
                for number, row in zip(numbers, rows, strict=True)
            ]
            walls.append(Wall(title, tiles, note))
    text = ["The pairs that cost most, worst first."]
    return Section("Worst pairs", text, tables=tables, walls=walls)


def _pair_row(measured: VerificationRun, number: int) -> tuple[str, str, str, str]:
    trials, pairs = measured.trials, measured.pairs
    a, b = (trials.photos[side[number]].path.name for side in (trials.a, trials.b))
    score = float(pairs.scores[number])
    match = score >= measured.threshold
    right = "" if match == bool(pairs.same[number]) else ": wrong"
    return a, b, f"{score:.4f}", ("same" if match else "different") + right


def _faces(trials: Trials, pair: int, thumbnails: Thumbnails) -> list[Thumbnail]:
    places = int(trials.a[pair]), int(trials.b[pair])
    faces = [thumbnails.face(n, caption=trials.photos[n].path.stem) for n in places]
    return [face for face in faces if face is not None]


def _culprits(measured: VerificationRun) -> Section | None:
    rows = [tuple(each) for each in most_errors(measured)]
    if not rows:
        return None
    return Section(
        "Who causes most errors",
        [f"At the threshold {measured.threshold:.4f}. One mislabeled folder shows up here first."],
        tables=[Table("People by errors", ("person", "false matches", "false non-matches"), rows)],
    )


def _failures(measured: VerificationRun, photos: bool) -> Section | None:
    embedded = measured.embedded
    listed = (*embedded.failures, *embedded.fallbacks)
    if not listed:
        return None
    kinds = ["no face"] * len(embedded.failures) + ["fallback"] * len(embedded.fallbacks)
    rows = [(kind, each.photo, each.reason) for kind, each in zip(kinds, listed, strict=True)]
    walls = []
    if photos:
        tiles = photo_tiles(listed)
        walls.append(Wall("The photos", tiles, f"{len(tiles)} of {len(listed)} are shown."))
    text = (
        f"{len(embedded.failures):,} photos gave no face; their pairs counted as: "
        f"{measured.result.counting}. {len(embedded.fallbacks):,} more were found only by a "
        "further attempt."
    )
    table = Table("Photos", ("what", "photo", "why"), rows)
    return Section("Failures and fallbacks", [text], tables=[table], walls=walls)


#: what the tables of worst pairs are called, and what they are good for
_WORST = (
    (
        "Least alike photos of one person",
        "A pair far below the threshold is often a mislabel: look at the names.",
    ),
    (
        "Most alike photos of two people",
        "A pair far above the threshold is often one person under two names.",
    ),
)
_QUALITY = {
    "height": "height of the face",
    "score": "detector score",
    "norm": "length of the raw vector",
    "sharpness": "sharpness",
}


def _quality(measured: VerificationRun, more: Mapping[str, Float64Array]) -> Section | None:
    named = {_QUALITY.get(name, name): c for name, c in rejects(measured, more).items()}
    if not named:
        return None
    lines = [Series(name, np.array(SHARES), np.array(c.fnmr)) for name, c in named.items()]
    threshold = next(iter(named.values())).threshold
    rows = [
        (name, *(sci(c.fnmr[percents]) for percents in (0, 5, 10, 20)), sci(c.area))
        for name, c in named.items()
    ]
    table = Table(
        "FNMR after refusing the worst pairs",
        ("number", "none", "5 %", "10 %", "20 %", "mean to 20 %"),
        rows,
        f"At the threshold {threshold:.4f}. A number that does not make the error fall says "
        "nothing about recognizability here.",
    )
    text = ["A pair is as good as the worse of its two photos."]
    return Section("Which photos to refuse", text, [error_reject.draw(lines)], [table])


def _maps(
    measured: VerificationRun, thumbnails: Thumbnails | None, methods: Sequence[Method]
) -> Section | None:
    named = measured.embedded.named
    if len(named.people) < 5 or not any(named.people):
        return None
    more = " Near points are alike; distances between far groups mean nothing."
    maps = face_maps(named, methods, measured.choices.seed, thumbnails, more)
    text = ["A face among another person's deserves a look."]
    return Section("Faces in the plane", text, maps=maps)


def _matrix(measured: VerificationRun) -> Section | None:
    named = measured.embedded.named
    if len(named.people) > MATRIX or len(set(named.people)) < 2:
        return None
    order = np.argsort(np.array(named.people, dtype=str), kind="stable")
    vectors = named.vectors[order]
    scores = score_matrix(vectors, vectors, named.space.metric)
    people = [named.people[int(i)] for i in order]
    drawn = similarity.draw(scores, people, axis="score", threshold=measured.threshold)
    return Section("Every photo against every photo", figures=[drawn])
