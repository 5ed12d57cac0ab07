"""The report of presentation attack detection over one set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facelign.lab.pad import figures
from facelign.lab.pad.figures import At, Rate
from facelign.lab.pad.run import PadRun
from facelign.lab.statistics.rates import percent
from facelign.lab.statistics.resampling import Interval
from facelign.report.page import Fact, Mood, Report, Section, Table
from facelign.report.plot import Series
from facelign.report.plots import det
from facelign.types.wording import counted

_COLUMNS = (
    *("presentations", "not answered", "people", "devices", "wrong", "rate"),
    *("95 % over people", "95 % over presentations", "over devices"),
)


def report(run: PadRun, provenance: Mapping[str, str]) -> Report:
    """Return the report of one set at one threshold."""
    answers = run.judged.answers
    kinds = [*run.attacks, *([run.bona_fide] if run.bona_fide else [])]
    rows = [(_called(run, kind), *cells(kind)) for kind in kinds]
    note = (
        "APCER: share of the presentations of a species that are taken for bona fide; the species "
        "that passes most often leads. BPCER: share of bona fide presentations that are taken for "
        "attacks. Both over those that were answered; where a living face is required, what was "
        "not answered is refused too. The interval over presentations takes each for another "
        "person's, and is too narrow. Fewer than five devices are not drawn: the smallest and the "
        "largest rate of one is told."
    )
    lines = []
    for k, name in enumerate(answers.names):
        if len(answers.scores_of(k)) and len(answers.scores_of(-1)):
            passed, refused = figures.det(answers, k)
            lines.append(Series(name, passed, refused, note=counted(_count(run, name), "photo")))
    drawn = det.draw(lines, x="APCER of the species", y="BPCER", title=run.judged.name)
    sections = [
        Section("By species", tables=[Table("Error rates", ("kind", *_COLUMNS), rows, note)]),
        Section(
            "Other thresholds",
            ("'-' where the presentations are too few to show the rate.",),
            figures=[drawn] if lines else [],
            tables=[
                Table("APCER at BPCER", ("BPCER", *_POINT), _points(run.at_bpcer)),
                Table("BPCER at APCER", ("APCER", *_POINT), _points(run.at_apcer)),
            ],
        ),
        Section(
            "Not answered",
            ("Presentations without a score are errors of neither kind: APNRR and BPNRR.",),
            tables=[Table("Why", ("reason", "photos"), list(run.judged.silent.items()))],
        ),
    ]
    return Report(
        "Presentation attack detection",
        verdict(run),
        _headline(run),
        sections,
        dict(provenance),
        f"{run.judged.name}: {counted(len(answers.scores), 'presentation')}, "
        f"{counted(len(np.unique(answers.subjects)), 'person', 'people')}, model "
        f"{run.judged.model}, threshold {run.threshold:.3f} ({run.source})",
        {True: Mood.GOOD, False: Mood.BAD}.get(bool(run.shown), Mood.PLAIN)
        if run.target is not None
        else Mood.PLAIN,
        run.caveats,
    )


def verdict(run: PadRun) -> str:
    """Return what a manager reads: the worst species first, and whether a claim is shown."""
    if run.worst is None:
        told = "No attack was answered, so that nothing is known of any."
    else:
        worst = run.worst
        told = (
            f"{worst.name} passes most often: APCER {percent(worst.rate.value, 1)} "
            f"({ends(worst.rate)} over {counted(worst.people, 'person', 'people')})."
        )
    if run.bona_fide is not None:
        told += (
            f" BPCER {percent(run.bona_fide.rate.value, 1)} ({ends(run.bona_fide.rate)}): the "
            "share of people who are refused."
        )
    return f"{told} {claim(run)}".strip()


def claim(run: PadRun) -> str:
    """Return whether the APCER that is to be shown is, or what is missing; "" where none is."""
    if run.target is None:
        return ""
    aim = f"An APCER of {percent(run.target, 1)}"
    if run.lacking:
        return f"{aim} cannot be shown by this data: add {'; '.join(run.lacking)}."
    if run.shown:
        return f"{aim} at most is shown for every species here."
    over = [one for one in run.attacks if run.target is not None and one.upper > run.target]
    told = ", ".join(f"{one.name} may have {percent(one.upper, 1)}" for one in over)
    return f"{aim} is not shown: {told} (upper end of the interval)."


def cells(rate: Rate) -> tuple[str, ...]:
    """Return a row of a table of rates, behind its name."""
    return (
        str(rate.presentations),
        f"{rate.silent} ({percent(rate.silence, 1)})",
        str(rate.people),
        str(rate.devices),
        str(rate.wrong),
        percent(rate.rate.value, 1),
        ends(rate.rate),
        ends(rate.by_presentation),
        _devices(rate),
    )


def _devices(rate: Rate) -> str:
    if rate.by_device is not None:
        return ends(rate.by_device)
    if rate.devices == 1:
        return "one device"
    low, high = rate.of_devices
    return f"each {100 * low:.1f} to {100 * high:.1f} %"


def ends(interval: Interval) -> str:
    """Return both ends of a share in percent."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %"


_POINT = ("threshold", "APCER", "worst species", "BPCER")


def _points(points: Mapping[str, At | None]) -> list[tuple[str, ...]]:
    return [
        (percent(float(rate), 0), *(("-",) * 4 if at is None else _point(at)))
        for rate, at in points.items()
    ]


def _point(at: At) -> tuple[str, ...]:
    return f"{at.threshold:.4f}", percent(at.apcer, 1), at.species or "-", percent(at.bpcer, 1)


def _called(run: PadRun, kind: Rate) -> str:
    return f"BPCER, {kind.name}" if kind is run.bona_fide else f"APCER, {kind.name}"


def _count(run: PadRun, name: str) -> int:
    return next(one.answered for one in run.attacks if one.name == name)


def _headline(run: PadRun) -> list[Fact]:
    told = []
    if run.worst is not None:
        worst = run.worst
        told.append(
            Fact(f"APCER, {worst.name}", percent(worst.rate.value, 1), ends(worst.rate), "worst")
        )
    if run.bona_fide is not None:
        told.append(Fact("BPCER", percent(run.bona_fide.rate.value, 1), ends(run.bona_fide.rate)))
    if run.acer is not None:
        told.append(Fact("ACER", percent(run.acer, 1), "", "mean of both"))
    return told
