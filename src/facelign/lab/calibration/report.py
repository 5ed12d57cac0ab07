"""The report of a calibration: the threshold, and what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facelign.compare import curves
from facelign.lab.calibration.held_out import Mapped
from facelign.lab.calibration.run import CalibrationRun
from facelign.lab.material.drawing import OVER_PEOPLE, between, rate_cells, sci
from facelign.lab.statistics.rates import percent
from facelign.report.page import Fact, Mood, Report, Section, Table
from facelign.report.plot import Plot
from facelign.report.plots import histograms, rates, reliability


def report(
    measured: CalibrationRun, provenance: Mapping[str, str], caveats: Sequence[str] = ()
) -> Report:
    """Return the report of a calibration."""
    record = measured.record
    point = measured.point
    checks = measured.held_out.checks
    held = all(check.compatible for check in checks) if checks else None
    verdict = (
        f"At the threshold {point.threshold:.4f} about {sci(record.target)} of comparisons of two "
        f"people pass (95 %: {between(*point.interval)}), and {percent(point.tar)} of comparisons "
        "of one person."
    )
    if held is not None:
        verdict += (
            " It holds on people who did not choose it."
            if held
            else " On people who did not choose it, it does not hold."
        )
    return Report(
        title=f"Calibration on {record.set}",
        verdict=verdict,
        headline=[
            Fact("Threshold", f"{point.threshold:.4f}", note=f"for FMR {record.target:g}"),
            Fact(
                "FMR there",
                sci(point.errors / record.non_mated),
                between(*point.interval) + OVER_PEOPLE,
                f"{point.errors:,} of {record.non_mated:,} non-mated comparisons",
            ),
            Fact("TAR there", percent(point.tar), note=f"of {record.mated:,} mated comparisons"),
            Fact("People", f"{record.subjects:,}", note=f"{record.photos:,} photos"),
        ],
        sections=[_rates(measured), _held_out(measured), _probabilities(measured)],
        provenance=provenance,
        scope=f"{record.space}; {record.date}",
        mood=Mood.PLAIN if held is None else Mood.GOOD if held else Mood.BAD,
        caveats=caveats,
    )


def _rates(measured: CalibrationRun) -> Section:
    record = measured.record
    threshold = measured.point.threshold
    steps = curves.curve(measured.scores).thinned()
    rows = [
        (
            f"{p.fmr:g}",
            f"{p.threshold:.4f}",
            between(*p.interval),
            percent(p.tar),
            p.errors,
        )
        for p in record.points
    ]
    table = Table(
        "Operating points",
        ("FMR", "threshold", "95 % interval of the FMR", "TAR", "false matches"),
        rows,
        f"Down to 3 over {record.non_mated:,} non-mated comparisons. Intervals by drawing people.",
    )
    figures = [
        histograms.draw(measured.scores.mated, measured.scores.non_mated, threshold=threshold),
        rates.draw(steps.thresholds, steps.fmr, steps.fnmr, threshold=threshold),
    ]
    return Section("Error rates", figures=figures, tables=[table])


def _held_out(measured: CalibrationRun) -> Section:
    rows = [
        (
            f"{check.threshold:.4f}",
            between(*check.stated),
            *rate_cells(check.observed),
            percent(check.fnmr),
            check.subjects,
            check.non_mated,
            "yes" if check.inside else "intervals overlap" if check.compatible else "no",
        )
        for check in measured.held_out.checks
    ]
    table = Table(
        "Each half of the people judges the threshold of the other",
        (
            *("threshold", "stated FMR, 95 %", "FMR on the others", "95 %"),
            *("FNMR", "people", "non-mated", "inside"),
        ),
        rows,
    )
    return Section(
        "Held-out check",
        ["A threshold is chosen on half of the people and judged on the other half.",
         *measured.held_out.notes],
        tables=[table] if rows else [],
    )  # fmt: skip


def _probabilities(measured: CalibrationRun) -> Section:
    maps = measured.held_out.maps
    rows = [(m.method, f"{m.ece:.4f}", f"{m.brier:.4f}", f"{m.cllr:.4f}") for m in maps]
    bins = maps[0].reliability.kind if maps else ""
    table = Table(
        "Probabilities on people that the map has not seen",
        ("map", "ECE", "Brier", "Cllr, bits"),
        rows,
        f"ECE over {bins}, at even odds. Cllr: 0 is perfect, 1 says nothing.",
    )
    return Section(
        "What a score means",
        ["Scores become log-likelihood ratios; a probability also needs a prior, yours to say."],
        [_reliability(m) for m in maps],
        [table] if rows else [],
    )


def _reliability(mapped: Mapped) -> Plot:
    bins = mapped.reliability
    title = f"Reliability, {mapped.method}"
    return reliability.draw(bins.said, bins.true, bins.counts, ece=mapped.ece, title=title)
