"""An ensemble against its models, as a report."""

from __future__ import annotations

from collections.abc import Mapping

from facelign.lab.ensemble.run import BEST, RULES, EnsembleRun, SystemFigures
from facelign.lab.material.drawing import (
    CHANGES,
    OVER_PEOPLE,
    change_cells,
    difference_cells,
    roc_line,
    spreads,
)
from facelign.lab.statistics.rates import percent, tar_label
from facelign.report.page import Fact, Mood, Report, Section, Table
from facelign.report.plot import Plot
from facelign.report.plots import roc


def curves(measured: EnsembleRun) -> Plot:
    """Return the ROC of the best single model, then of every fusion."""
    auc = {system.name: system.auc for system in measured.judged}
    names = [measured.best_single.name, *RULES]
    lines = [roc_line(name, measured.pairs[name].set, auc[name]) for name in names]
    lowest = 1 / max(int((~measured.pairs[names[0]].same).sum()), 10)
    return roc.draw(lines, lowest=lowest, title="Best single model and fusions")


def gains(measured: EnsembleRun) -> Plot | None:
    """Return what every fusion gains in accuracy, with intervals."""
    return spreads(
        {
            system.name: known.percent
            for system in measured.judged
            if system.gain is not None and (known := system.gain.figures.get("accuracy"))
        },
        axis=f"Accuracy gained over {measured.best_single.name}, points",
        title="Fusions against the best single model",
        target=0.0,
    )


def _duels(measured: EnsembleRun) -> Table:
    """Return what each fusion gains over each single model."""
    rows = [
        (fused.name, name, *difference_cells(gain), gain.verdict)
        for fused in measured.judged
        for name, gain in fused.gains.items()
    ]
    note = (
        f"Differences on the same pairs, intervals over people. The verdict is about "
        f"{measured.named.name}"
        + (
            ", chosen on these very people, which flatters it."
            if measured.options.rule == BEST
            else ", named before anything was measured; it has to beat every model alone."
        )
    )
    columns = ("together", "alone", *CHANGES, "together is")
    return Table("Against each model alone", columns, rows, note)


def _gained(fused: SystemFigures) -> list[Fact]:
    """Return what the fusion of the verdict gains, with its interval, where there is one."""
    gain = fused.gain.figures.get("accuracy") if fused.gain else None
    if gain is None:
        return []
    points, ends = change_cells(gain)
    return [
        Fact(
            "Accuracy gained",
            f"{points} points",
            f"{ends}{OVER_PEOPLE}",
            "over the best model alone",
        )
    ]


def report(measured: EnsembleRun, provenance: Mapping[str, str]) -> Report:
    """Return the report of an ensemble."""
    columns = (
        *("system", "precision", "recall", "F1", "accuracy", "AUC", "TAR"),
        *("accuracy gained, points", "95 %", "ms"),
    )
    rows = []
    for one in measured.judged:
        gain = one.gain.figures.get("accuracy") if one.gain else None
        rows.append(
            (
                one.name,
                percent(one.precision),
                percent(one.recall),
                f"{one.f1:.4f}",
                percent(one.accuracy),
                f"{one.auc:.4f}",
                percent(one.tar),
                *(change_cells(gain) if gain else ("", "")),
                "-" if one.ms is None else f"{one.ms:.0f}",
            )
        )
    figures = [curves(measured)]
    shown = gains(measured)
    if shown is not None:
        figures.append(shown)
    single, fused = measured.best_single, measured.named
    sections = [
        Section(
            "Alone and together",
            (
                f"People are parted: {measured.parts}. Every fusion is fitted and every threshold "
                "chosen on other people than those that are judged.",
            ),
            figures=figures,
            tables=[
                Table(
                    "Systems",
                    columns,
                    rows,
                    f"Cosine of unit vectors for every model. {tar_label(measured.rate)}. ms: a "
                    "photo from file to vectors, one thread; fusing itself costs nothing.",
                ),
                _duels(measured),
            ],
        ),
        Section("The rules", tuple(f"{name}: {told}." for name, told in RULES.items())),
    ]
    headline = [
        Fact(f"F1 of {single.name}, the best model alone", f"{single.f1:.4f}"),
        Fact(f"F1 of {fused.name}, together", f"{fused.f1:.4f}"),
        *_gained(fused),
        Fact("AUC, alone and together", f"{single.auc:.5f} \u2192 {fused.auc:.5f}"),
    ]
    first = measured.pairs[single.name]
    scope = (
        f"{measured.trials.name}: {int(first.same.sum()):,} mated and "
        f"{int((~first.same).sum()):,} non-mated pairs judged"
    )
    better = bool(fused.gains) and all(g.verdict == "better" for g in fused.gains.values())
    mood = Mood.GOOD if better else Mood.PLAIN
    return Report(
        "Does an ensemble help?",
        measured.verdict,
        headline,
        sections,
        dict(provenance),
        scope,
        mood,
    )
