"""Several chains over one set, as a report: which is best for these photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facelign.lab.comparison.run import ComparisonRun, Contender
from facelign.lab.material.drawing import CHANGES, difference_cells, roc_line, spread_cell, spreads
from facelign.lab.statistics.rates import percent, tar_label
from facelign.report.page import Fact, Mood, Report, Section, Table
from facelign.report.plot import Plot
from facelign.report.plots import roc


def curves(measured: ComparisonRun) -> Plot:
    """Return the ROC of every contender, the best first."""
    lines = [
        roc_line(one.name, one.pairs.counted(one.result.counting).set, one.result.auc)
        for one in measured.ranking
    ]
    lowest = 1 / max(int((~measured.trials.same).sum()), 10)
    return roc.draw(lines, lowest=lowest, title="Contenders")


def accuracies(measured: ComparisonRun) -> Plot | None:
    """Return accuracy with its interval, contender by contender; None without intervals."""
    return spreads(
        {
            one.name: known.percent
            for one in measured.ranking
            if (known := one.result.intervals.get("accuracy"))
        },
        axis="Accuracy, %, threshold from other folds",
        title="Contenders on the same pairs",
    )


def table(measured: ComparisonRun) -> Table:
    """Return the one table: accuracy, intervals, failures, ms and MB."""
    columns = ("contender", "accuracy", "95 %", "AUC", "TAR", "95 %", "EER", "lost", "ms", "MB")
    return Table(
        "Contenders",
        columns,
        [_row(one, measured.rate) for one in measured.ranking],
        f"{tar_label(measured.rate)}; lost: photos in which no face was found (their pairs count "
        "as errors); ms: one photo from file to vectors, one thread, on this machine; MB: weights.",
    )


def _row(one: Contender, rate: float) -> Sequence[object]:
    result = one.result
    accuracy, tar = result.intervals.get("accuracy"), result.tar_interval(rate)
    value = result.tar_at_fmr[rate].tar
    return (
        one.name,
        percent(result.accuracy),
        spread_cell(accuracy),
        f"{result.auc:.4f}",
        percent(value),
        spread_cell(tar),
        percent(result.eer),
        str(one.failed_photos),
        "-" if one.ms is None else f"{one.ms:.0f}",
        f"{one.megabytes:.0f}",
    )


def duels(measured: ComparisonRun) -> Table:
    """Return the paired tests."""
    columns = ("first", "second", *CHANGES, "p (Holm)", "second is")
    rows = []
    for duel in measured.duels:
        p = "< 0.001" if duel.p_holm < 1e-3 else f"{duel.p_holm:.3f}"
        cells = difference_cells(duel.difference)
        rows.append((duel.first, duel.second, *cells, p, duel.difference.verdict))
    return Table(
        "Paired tests",
        columns,
        rows,
        "Second minus first, in points, on the same pairs; intervals over people. p: McNemar's "
        "exact test, corrected for the number of tests (Holm); it takes pairs as independent, the "
        "intervals do not: where they disagree, believe the intervals.",
    )


def report(measured: ComparisonRun, provenance: Mapping[str, str]) -> Report:
    """Return the report of a comparison."""
    best = measured.ranking[0]
    trials = measured.trials
    figures = [curves(measured)]
    shown = accuracies(measured)
    if shown is not None:
        figures.insert(0, shown)
    caveats = [f"{name} could not run: {why}" for name, why in measured.refused.items()]
    headline = [
        Fact(f"Accuracy of {one.name}", percent(one.result.accuracy), _accuracy(one))
        for one in measured.ranking[:4]
    ]
    scope = (
        f"{trials.name}: {len(trials.photos):,} photos of {trials.subjects:,} people, "
        f"{int(trials.same.sum()):,} mated and {int((~trials.same).sum()):,} non-mated pairs"
    )
    lost = [f"{one.name}: {one.failed_photos}" for one in measured.ranking]
    sections = [
        Section("The table", tables=[table(measured)], figures=figures),
        Section(
            "Is the difference certain?",
            (
                f"Two chains are measured on the same pairs, and people are drawn at random "
                f"{measured.draws} times, to see whether the difference stays on one side of zero.",
            ),
            tables=[duels(measured)],
        ),
        Section("Faces not found", (f"Of {len(trials.photos):,} photos. {'; '.join(lost)}.",)),
    ]
    mood = Mood.GOOD if not measured.equals else Mood.PLAIN
    title = f"Which is best on {trials.name}: {best.name}" if not measured.equals else (
        f"Which is best on {trials.name}?"
    )  # fmt: skip
    return Report(
        title, measured.verdict, headline, sections, dict(provenance), scope, mood, caveats
    )


def _accuracy(one: Contender) -> str:
    return spread_cell(one.result.intervals.get("accuracy"))
