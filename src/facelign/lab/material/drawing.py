"""Figures and cells that reports of several protocols share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facelign.compare.curves import ScoreSet, curve
from facelign.lab.material.named import Named
from facelign.lab.material.photos import Failure
from facelign.lab.material.projection import Method, project
from facelign.lab.material.thumbnails import SMALL, Thumbnails, whole
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.paired import Difference
from facelign.lab.statistics.rates import percent
from facelign.lab.statistics.resampling import Interval
from facelign.report.page import FaceMap, Tile
from facelign.report.plot import Plot, Series
from facelign.report.plots import intervals

#: photos that a wall shows
WALL = 24
#: heads of ``difference_cells``
CHANGES = ("accuracy, points", "95 %", "TAR, points", "95 %")
#: how the intervals came about
OVER_PEOPLE = " (95 %, over people)"


def bounds(found: Interval | None) -> str:
    """Return an interval over people in words."""
    if found is None:
        return ""
    return f"{found.percent.ends(2)} %{OVER_PEOPLE}"


def sci(value: float) -> str:
    """Return a rate with three digits."""
    return "0" if value == 0 else f"{value:#.3g}"


def between(low: float, high: float) -> str:
    """Return the ends of the interval of a rate."""
    return f"{sci(low)} to {sci(high)}"


def rate_cells(rate: Interval | None) -> tuple[str, str]:
    """Return the cells of a rate and of its interval."""
    return ("", "") if rate is None else (sci(rate.value), between(rate.low, rate.high))


def share_cells(rate: Interval | None) -> tuple[str, str]:
    """Return the cells of a share and of its interval, percent."""
    return ("", "") if rate is None else (percent(rate.value), spread_cell(rate))


def photo_tiles(failures: Sequence[Failure]) -> list[Tile]:
    """Return the first photos of ``failures``, each whole and with its reason."""
    shown = [(whole(failure.photo), failure.reason) for failure in failures[:WALL]]
    return [Tile([picture] if picture else [], reason) for picture, reason in shown]


def face_maps(
    named: Named, methods: Sequence[Method], seed: int, faces: Thumbnails | None, more: str = ""
) -> list[FaceMap]:
    """Return the people with most photos in the plane. more: what else is said below."""
    maps = []
    for method in methods:
        points, places = project(named, method=method, seed=seed)
        rows = places.tolist()
        maps.append(
            FaceMap(
                f"{method} of the people with most photos",
                points,
                [named.people[row] for row in rows],
                [faces.of_vector(row, SMALL) for row in rows] if faces else (),
                f"{method}, seed {seed}.{more}",
            )
        )
    return maps


def roc_line(name: str, scores: ScoreSet, auc: float) -> Series:
    """Return the ROC of scores as a line of a figure."""
    steps = curve(scores).thinned(600)
    return Series(name, steps.fmr[::-1], steps.tar[::-1], note=f"AUC {auc:.4f}")


def spreads(
    figures: Mapping[str, Interval | None],
    *,
    axis: str,
    title: str = "",
    target: float | None = None,
) -> Plot | None:
    """Return figures with their intervals, one a row; None where none has an interval."""
    known = {name: figure for name, figure in figures.items() if figure is not None}
    if not known:
        return None
    return intervals.draw(
        list(known),
        [figure.value for figure in known.values()],
        [figure.low for figure in known.values()],
        [figure.high for figure in known.values()],
        axis=axis,
        title=title,
        target=target,
    )


def spread_cell(found: Interval | None) -> str:
    """Return the cell of the interval of a share, percent."""
    return f"{found.percent.ends(2)} %" if found else ""


def change_cells(gap: Interval | None) -> tuple[str, str]:
    """Return the cells of a table for a difference of shares and for its interval, in points."""
    return (f"{gap.percent.value:+.2f}", gap.percent.ends(2, "+")) if gap else ("-", "")


def difference_cells(gap: Difference) -> tuple[str, ...]:
    """Return the cells of a table for a difference in accuracy and TAR, each with its interval."""
    figures = gap.figures
    return (*change_cells(figures.get("accuracy")), *change_cells(figures.get("tar")))


def scope(trials: Trials) -> str:
    """Return what was measured on, as the line under a title."""
    return (
        f"{trials.name}: {len(trials.photos):,} photos of {trials.subjects:,} people, "
        f"{int(trials.same.sum()):,} mated and {int((~trials.same).sum()):,} non-mated pairs"
    )
