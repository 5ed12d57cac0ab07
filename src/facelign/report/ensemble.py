"""An ensemble against its models, as a report."""

from __future__ import annotations

from collections.abc import Mapping

from facelign.compare.curves import curve
from facelign.evaluate.ensemble import RULES, Ensemble
from facelign.report.page import Fact, Mood, Report, Section, Table
from facelign.report.plot import Plot, Series
from facelign.report.plots import intervals, roc


def curves(found: Ensemble) -> Plot:
    """Return the ROC of the best single model, then of every fusion."""
    names = [found.best_single.name, *RULES]
    lines = []
    for name in names:
        steps = curve(found.pairs[name].set).thinned(600)
        auc = next(j.auc for j in found.judged if j.name == name)
        lines.append(Series(name, steps.fmr[::-1], steps.tar[::-1], note=f"AUC {auc:.4f}"))
    lowest = 1 / max(int((~found.pairs[names[0]].same).sum()), 10)
    return roc.draw(lines, lowest=lowest, title="Best single model and fusions")


def gains(found: Ensemble) -> Plot | None:
    """Return what every fusion gains in accuracy, with intervals."""
    held = [
        (j.name, j.gain.figures["accuracy"])
        for j in found.judged
        if j.gain is not None and "accuracy" in j.gain.figures
    ]
    if not held:
        return None
    return intervals.draw(
        [name for name, _ in held],
        [spread.value for _, spread in held],
        [spread.low for _, spread in held],
        [spread.high for _, spread in held],
        axis=f"Accuracy gained over {found.best_single.name}",
        title="Fusions against the best single model",
        target=0.0,
    )


def report(found: Ensemble, provenance: Mapping[str, str]) -> Report:
    """Return the report of an ensemble."""
    columns = (
        *("system", "precision", "recall", "F1", "accuracy", "AUC", "TAR"),
        *("accuracy gained", "95 %", "ms"),
    )
    rows = []
    for one in found.judged:
        gain = one.gain.figures.get("accuracy") if one.gain else None
        rows.append(
            (
                one.name,
                f"{one.precision:.4f}",
                f"{one.recall:.4f}",
                f"{one.f1:.4f}",
                "-" if one.accuracy is None else f"{one.accuracy:.4f}",
                f"{one.auc:.4f}",
                "-" if one.tar is None else f"{one.tar:.3f}",
                f"{gain.value:+.4f}" if gain else "",
                f"{gain.low:+.4f} to {gain.high:+.4f}" if gain else "",
                "-" if one.ms is None else f"{one.ms:.0f}",
            )
        )
    figures = [curves(found)]
    shown = gains(found)
    if shown is not None:
        figures.append(shown)
    single, fused = found.best_single, found.best_fused
    sections = [
        Section(
            "Alone and together",
            (
                f"People are parted: {found.parts}. Every fusion is fitted and every threshold "
                "chosen on other people than those that are judged.",
            ),
            figures=figures,
            tables=[
                Table(
                    "Systems",
                    columns,
                    rows,
                    f"Cosine of unit vectors for every model. TAR at FMR {found.rate}. ms: a photo "
                    "from file to vectors, one thread; fusing itself costs nothing.",
                )
            ],
        ),
        Section("The rules", tuple(f"{name}: {told}." for name, told in RULES.items())),
    ]
    headline = [
        Fact(f"F1 of {single.name}, the best model alone", f"{single.f1:.4f}"),
        Fact(f"F1 of {fused.name}, the best fusion", f"{fused.f1:.4f}"),
        Fact("AUC", f"{single.auc:.5f} to {fused.auc:.5f}"),
    ]
    first = found.pairs[single.name]
    scope = (
        f"{found.trials.name}: {int(first.same.sum()):,} mated and "
        f"{int((~first.same).sum()):,} non-mated pairs judged"
    )
    better = fused.gain is not None and fused.gain.verdict == "better"
    mood = Mood.GOOD if better else Mood.PLAIN
    return Report(
        "Does an ensemble help?", found.verdict, headline, sections, dict(provenance), scope, mood
    )
