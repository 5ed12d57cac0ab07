"""The report of a verification run: what a manager reads first, and everything behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facelign.compare import curves
from facelign.compare.scores import score_matrix
from facelign.lab.material.drawing import spreads
from facelign.lab.material.projection import Method, project
from facelign.lab.material.thumbnails import SMALL, Thumbnails, whole
from facelign.lab.statistics.rates import rate_text, tar_label
from facelign.lab.statistics.resampling import Interval
from facelign.lab.verification.figures import Verification
from facelign.lab.verification.groups import ByGroup
from facelign.lab.verification.run import VerificationRun, most_errors, rejects, worst_pairs
from facelign.report.page import FaceMap, Fact, Mood, Report, Section, Table, Thumbnail, Tile, Wall
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

#: photos of failures that a wall shows, and photos of the largest matrix
WALL, MATRIX = 24, 120

#: how the intervals came about
_OVER = " (95 %, over people)"
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
        scope="; ".join(
            part
            for part in (
                trials.protocol,
                "" if "people" in trials.protocol else f"{result.subjects:,} people",
                embedded.named.space.id,
            )
            if part
        ),
        mood=Mood.PLAIN,
        caveats=(*_caveats(measured), *options.caveats),
    )


def percent(value: float, digits: int = 2) -> str:
    """Return a share as percent."""
    return f"{100 * value:.{digits}f} %"


def bounds(found: Interval | None, digits: int = 2) -> str:
    """Return an interval in words."""
    if found is None:
        return ""
    return f"{100 * found.low:.{digits}f} to {100 * found.high:.{digits}f} %{_OVER}"


def sci(value: float) -> str:
    """Return a rate with three digits."""
    return "0" if value == 0 else f"{value:#.3g}"


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
    facts = [
        Fact(
            "Accuracy",
            percent(result.accuracy),
            bounds(ends.get("accuracy")),
            f"{_judged_on(result)}{error}",
        ),
        Fact("AUC", f"{result.auc:.5f}", _plain(ends.get("auc")), "1 is perfect"),
        Fact("Equal error rate", percent(result.eer), bounds(ends.get("eer"))),
    ]
    reached = [at for at in result.tar_at_fmr.values() if at.tar is not None]
    if reached:
        at = reached[-1]
        facts.append(
            Fact(
                tar_label(at.fmr),
                percent(at.tar or 0.0),
                bounds(result.tar_interval(at.fmr)),
                f"{at.errors} non-mated pairs stand behind this threshold",
            )
        )
    facts.append(
        Fact(
            "Photos without a face",
            f"{len(result.failures):,}",
            note=f"of {len(measured.embedded.photos):,}; "
            f"{result.failed_pairs:,} pairs counted as: {result.counting}",
        )
    )
    return facts


def _judged_on(result: Verification) -> str:
    """Return what the accuracy is the mean of."""
    if not result.over_folds:
        return "threshold of another list"
    if "accuracy" in result.crossed:
        return f"{len(result.crossed['accuracy'].folds)} folds"
    return "in sample"


def _plain(figure: Interval | None) -> str:
    return "" if figure is None else f"{figure.low:.5f} to {figure.high:.5f}{_OVER}"


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
    lowest = max(1 / curve.non_mated / 2, 1e-7)
    rows = []
    for at in result.tar_at_fmr.values():
        reached = at.tar is not None
        rows.append(
            (
                rate_text(at.fmr),
                percent(at.tar) if at.tar is not None else f"needs {at.needs:,} pairs",
                bounds(result.tar_interval(at.fmr)).removesuffix(_OVER) if reached else "",
                f"{at.threshold:.4f}" if at.threshold is not None else "",
                at.errors if reached else "",
            )
        )
    table = Table(
        "TAR at a fixed FMR",
        ("FMR", "TAR", "95 % interval", "threshold", "false matches"),
        rows,
        "A rate is told only as far as there are non-mated pairs to see one error at it.",
    )
    drawn = [roc.draw([line], lowest=lowest)]
    if ((curve.fmr > 0) & (curve.fnmr > 0)).any():  # else the two kinds are fully apart
        drawn.append(det.draw([Series(line.label, curve.fmr, curve.fnmr)]))
    drawn += [
        histograms.draw(
            measured.counted.set.mated, measured.counted.set.non_mated, threshold=measured.threshold
        ),
        rates.draw(curve.thresholds, curve.fmr, curve.fnmr, threshold=measured.threshold),
    ]
    notes = [f"Note: {note}" for note in result.notes]
    if not any(plot.name == "det" for plot in drawn):
        notes.append(
            "Note: there is no DET curve, because one threshold tells all mated from all non-mated "
            "pairs."
        )
    return Section(
        "Error rates",
        [
            f"{result.mated:,} mated and {result.non_mated:,} non-mated pairs of "
            f"{result.subjects:,} people. Intervals come from {result.draws:,} draws of people, "
            f"seed {result.seed}.",
            *notes,
        ],
        drawn,
        [table],
    )


def _thresholds(measured: VerificationRun) -> Section:
    result = measured.result
    best_ones = [best.threshold for best in result.best.values()]
    at = curves.tally(measured.counted.set, np.union1d(result.curve.thresholds, best_ones))
    figure = f1_accuracy.draw(at.thresholds, at.f1, at.accuracy, baseline=result.baseline)
    rows = []
    for name, best in result.best.items():
        crossed = result.crossed.get(name)
        rows.append(
            (
                {"fmr": "FMR 0.01", "f1": "F1"}.get(name, name),
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
                "chosen by",
                "threshold",
                "F1 in sample",
                "accuracy in sample",
                "F1 on others",
                "accuracy on others",
            ),
            rows,
            "In sample: on the very pairs that chose it, so too good. On others: every fold is "
            "decided with the threshold of the rest.",
        )
    ]
    fixed = measured.fixed
    if fixed is not None:
        tables.append(
            Table(
                "The threshold in use",
                ("threshold", "meant for FMR", "FMR here", "95 %", "FNMR here", "95 %"),
                [
                    (
                        f"{fixed.threshold:.4f}",
                        "" if fixed.nominal_fmr is None else f"{fixed.nominal_fmr:g}",
                        sci(fixed.fmr.value) if fixed.fmr else "",
                        _rate_bounds(fixed.fmr),
                        sci(fixed.fnmr.value) if fixed.fnmr else "",
                        _rate_bounds(fixed.fnmr),
                    )
                ],
                fixed.source,
            )
        )
    said = (
        f'Always answering "different" would be right in {percent(result.baseline)} of the pairs.'
    )
    return Section("Thresholds", [said], [figure], tables)


def _rate_bounds(found: Interval | None) -> str:
    return "" if found is None else f"{sci(found.low)} to {sci(found.high)}"


def _groups(title: str, found: ByGroup | None) -> Section | None:
    if found is None:
        return None
    rows = [
        (
            group.group,
            group.mated,
            group.non_mated,
            sci(group.fmr.value) if group.fmr else "",
            _rate_bounds(group.fmr),
            sci(group.fnmr.value) if group.fnmr else "",
            _rate_bounds(group.fnmr),
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
    ratios = [
        f"{name}: the worst group has {ratio:.1f} times the rate of the best."
        for name, ratio in (("FMR", found.worst_fmr_ratio), ("FNMR", found.worst_fnmr_ratio))
        if ratio is not None
    ]
    said = [
        f"One threshold, {found.threshold:.4f}, that holds FMR {found.rate:g} over all pairs. "
        f"At {found.holds_for_all:.4f} no group exceeds it, as far as each has the pairs to say.",
        *ratios,
    ]
    plots = (
        spreads({group.group: group.fmr for group in found.groups}, axis="FMR"),
        spreads({group.group: group.fnmr for group in found.groups}, axis="FNMR"),
    )
    figures = [plot for plot in plots if plot is not None]
    return Section(title, said, figures, [table])


def _worst(measured: VerificationRun, thumbnails: Thumbnails | None) -> Section:
    low, high = worst_pairs(measured)
    walls, tables = [], []
    for title, numbers, note in (
        (
            "Least alike photos of one person",
            low,
            "A pair far below the threshold is often a mislabel: look at the names.",
        ),
        (
            "Most alike photos of two people",
            high,
            "A pair far above the threshold is often one person under two names.",
        ),
    ):
        rows = [_pair_row(measured, number) for number in numbers]
        tables.append(Table(title, ("photo", "photo", "score", "decided"), rows, note))
        if thumbnails is not None:
            walls.append(Wall(title, _tiles(measured, numbers, thumbnails), note))
    return Section(
        "Worst pairs", ["The pairs that cost most, worst first."], tables=tables, walls=walls
    )


def _pair_row(measured: VerificationRun, number: int) -> tuple[str, str, str, str]:
    trials, pairs = measured.trials, measured.pairs
    a, b = trials.photos[trials.a[number]], trials.photos[trials.b[number]]
    score = float(pairs.scores[number])
    match = score >= measured.threshold
    right = match == bool(pairs.same[number])
    return (
        a.path.name,
        b.path.name,
        f"{score:.4f}",
        ("same" if match else "different") + ("" if right else ": wrong"),
    )


def _tiles(measured: VerificationRun, numbers: Sequence[int], thumbnails: Thumbnails) -> list[Tile]:
    trials = measured.trials
    tiles = []
    for number in numbers:
        faces = [
            thumbnails.face(place, caption=trials.photos[place].path.stem)
            for place in (int(trials.a[number]), int(trials.b[number]))
        ]
        row = _pair_row(measured, number)
        tiles.append(Tile([f for f in faces if f is not None], f"score {row[2]}, {row[3]}"))
    return tiles


def _culprits(measured: VerificationRun) -> Section | None:
    rows = most_errors(measured)
    if not rows:
        return None
    return Section(
        "Who causes most errors",
        [f"At the threshold {measured.threshold:.4f}. One mislabeled folder shows up here first."],
        tables=[Table("People by errors", ("person", "false matches", "false non-matches"), rows)],
    )


def _failures(measured: VerificationRun, photos: bool) -> Section | None:
    embedded = measured.embedded
    listed = [("no face", f) for f in embedded.failures] + [
        ("fallback", f) for f in embedded.fallbacks
    ]
    if not listed:
        return None
    rows = [(kind, failure.photo, failure.reason) for kind, failure in listed]
    walls = []
    if photos:
        tiles = []
        for _, failure in listed[:WALL]:
            picture = whole(failure.photo)
            tiles.append(Tile([picture] if picture else [], failure.reason))
        walls.append(Wall("The photos", tiles, f"{len(tiles)} of {len(listed)} are shown."))
    return Section(
        "Failures and fallbacks",
        [
            f"{len(embedded.failures):,} photos gave no face; their pairs counted as: "
            f"{measured.result.counting}. {len(embedded.fallbacks):,} more were found only by a "
            "further attempt."
        ],
        tables=[Table("Photos", ("what", "photo", "why"), rows)],
        walls=walls,
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
    lines = [Series(name, np.array(c.rejected), np.array(c.fnmr)) for name, c in named.items()]
    shares = (0.0, 0.05, 0.1, 0.2)
    threshold = next(iter(named.values())).threshold
    rows = [
        (name, *(sci(c.fnmr[c.rejected.index(share)]) for share in shares), sci(c.area))
        for name, c in named.items()
    ]
    table = Table(
        "FNMR after refusing the worst pairs",
        ("number", "none", "5 %", "10 %", "20 %", "mean to 20 %"),
        rows,
        f"At the threshold {threshold:.4f}. A number that does not make the error fall says "
        "nothing about recognizability here.",
    )
    return Section(
        "Which photos to refuse",
        ["A pair is as good as the worse of its two photos."],
        [error_reject.draw(lines)],
        [table],
    )


def _maps(
    measured: VerificationRun, thumbnails: Thumbnails | None, methods: Sequence[Method]
) -> Section | None:
    named, embedded = measured.embedded.named, measured.embedded
    if len(named.people) < 5 or not any(named.people):
        return None
    place = {int(row): number for number, row in enumerate(embedded.rows) if row >= 0}
    maps = []
    for method in methods:
        found = project(named, method=method, seed=measured.choices.seed)
        photos: Sequence[Thumbnail | None] = ()
        if thumbnails is not None:
            photos = [thumbnails.face(place[int(row)], SMALL) for row in found.rows]
        maps.append(
            FaceMap(
                f"{method} of the people with most photos",
                found.points,
                [named.people[int(row)] for row in found.rows],
                photos,
                f"{method}, seed {found.seed}. Near points are alike; distances between far "
                "groups mean nothing.",
            )
        )
    return Section("Faces in the plane", ["A face among another person's deserves a look."],
                   maps=maps)  # fmt: skip


def _matrix(measured: VerificationRun) -> Section | None:
    named = measured.embedded.named
    if len(named.people) > MATRIX or len(set(named.people)) < 2:
        return None
    order = np.argsort(np.array(named.people, dtype=str), kind="stable")
    vectors = named.vectors[order]
    scores = score_matrix(vectors, vectors, named.space.metric)
    drawn = similarity.draw(
        scores,
        [named.people[int(i)] for i in order],
        axis="score",
        threshold=measured.threshold,
    )
    return Section("Every photo against every photo", figures=[drawn])
