"""The articles' figures beside facelign's own, row by row, and the page that shows them.

    python tools/reproduce.py            every row that is not measured yet, then the page
    python tools/reproduce.py A3-10      this row anew (one command a figure)
    python tools/reproduce.py --again    every row anew (vectors still come from the cache)
    python tools/reproduce.py --page     only page and pictures, from the numbers that were kept
    python tools/reproduce.py --list     the rows
    python tools/reproduce.py A3-10 --fetch    bring the weights that the row needs, too

Numbers are kept in benchmarks/results/reproduction.json after every row, so that a run that was
interrupted goes on where it was; docs/reproduction.md is written from them and never by hand.
Nothing is downloaded without --fetch: what a row needs is said first, and the parts that can be
measured without it are. Figures of a row of which a part is missing are printed, kept ones stay.
The photos lie beside the checkout (../shared); docs/how-to/repeat-a-figure.md says which they are.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

try:
    import facelign
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here: pip install -e '.[evaluate,report]' first.")

import real_faces as here
from reproduction.measures import MEASURES, PICTURES, Unavailable
from reproduction.needs import fetch, told, weights_of
from reproduction.rows import ROWS, Row, render

from facelign.errors import FacelignError
from facelign.report.plot import Plot

KEPT = here.RESULTS / "reproduction.json"
PAGE = here.ROOT / "docs" / "reproduction.md"
DRAWN = here.ROOT / "docs" / "pictures" / "reproduction"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", help="rows by id; all when none is named")
    parser.add_argument("--again", action="store_true", help="measure kept rows too")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="bring the weights that the rows need and that are not here, as 'facelign models "
        "pull' does; without it nothing is fetched",
    )
    options = parser.parse_args()
    here.settle()
    if options.list:
        print(*(f"{row.id:12} {row.title}" for row in ROWS), sep="\n")
        return 0
    known = {row.id: row for row in ROWS}
    unknown = [name for name in options.rows if name not in known]
    if unknown:
        here.say(f"There is no row '{unknown[0]}': --list names them.")
        return 2
    wanted = [known[name] for name in options.rows] or list(ROWS)
    kept = read()
    status = 0
    if not options.page:
        again = options.again or bool(options.rows)
        due = [row for row in wanted if not row.cannot and (again or not fresh(row, kept))]
        if options.fetch:
            fetch(due)
        for line in told(due):
            here.say(line)
        here.say(_plan(due, wanted))
        status = measure(due, kept)
    write_page(kept)
    return status


def _plan(due: list[Row], wanted: list[Row]) -> str:
    """Return what a run measures and what it leaves."""
    left = [row.id for row in wanted if row not in due and not row.cannot]
    never = [row.id for row in wanted if row.cannot]
    parts = [f"Measured now: {', '.join(row.id for row in due) or 'nothing'}"]
    parts += [f"kept as they are (--again measures them too): {', '.join(left)}"] if left else []
    parts += [f"not to be measured here: {', '.join(never)}"] if never else []
    return "; ".join(parts) + ". Vectors of photos come from the cache where they are in it."


def read() -> dict[str, Any]:
    """Return the numbers that were kept, by row."""
    rows: dict[str, Any] = json.loads(KEPT.read_text("utf-8"))["rows"] if KEPT.is_file() else {}
    return rows


def measure(rows: Iterable[Row], kept: dict[str, Any]) -> int:
    """Measure rows and keep each at once; return 1 where a part could not be measured."""
    status = 0
    for row in rows:
        start = time.perf_counter()
        here.say(f"{row.id}: {row.title}")
        figures: dict[str, Any] = {}
        whole = True
        for part in row.parts():
            try:
                figures |= MEASURES[row.id](part)
            except (Unavailable, FacelignError) as error:
                here.say(f"{part.name}: not measured: {error}")
                whole = False
        drawn = figures.pop("drawn", None)
        lines = {what: row.slim(line) for what, line in figures.items()}
        about = {"version": row.version, "facelign": facelign.__version__}
        about["date"] = time.strftime("%Y-%m-%d")
        measured = about | {"lines": lines} | ({"drawn": drawn} if drawn else {})
        for what, words in row.lines(measured):
            print(f"{row.id}  {what}: {words}")
        if whole:
            kept[row.id] = measured
            keep(kept, row.id)
        else:
            status = 1
            here.say(f"{row.id}: a part is missing, so the figures that were kept stay.")
        here.say(f"{row.id}: {time.perf_counter() - start:.1f} s")
    return status


def fresh(row: Row, kept: Mapping[str, Any]) -> bool:
    """Say whether the kept numbers of a row are of this version of it and of facelign."""
    found = kept.get(row.id, {})
    return (found.get("version"), found.get("facelign")) == (row.version, facelign.__version__)


def keep(kept: dict[str, Any], row: str) -> None:
    """Write the numbers, a row a line; rows that another run has written meanwhile stay."""
    kept.update({**kept, **read(), row: kept[row]})
    order = {row.id: place for place, row in enumerate(ROWS)}
    rows = sorted(kept.items(), key=lambda item: order.get(item[0], len(order)))
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in rows)
    KEPT.write_text(f'{{"rows": {{\n{lines}\n}}}}\n', encoding="utf-8")


def pictures(kept: Mapping[str, Any]) -> dict[str, Plot]:
    """Return the pictures of the rows, by file name; none shows a photo of anybody."""
    drawn = {
        name: PICTURES[name](kept[row.id]["drawn"])
        for row in ROWS
        for name in row.pictures
        if row.id in kept
    }
    shown = [name for name, plot in drawn.items() if plot.photos]
    if shown:
        raise SystemExit(f"{', '.join(shown)} would show photos of people.")
    return drawn


def page(kept: Mapping[str, Any]) -> str:
    """Return docs/reproduction.md."""
    return render(
        kept,
        {name: plot.alt.replace("\n", " ") for name, plot in pictures(kept).items()},
        {row.id: weights_of(row) for row in ROWS},
    )


def write_page(kept: Mapping[str, Any]) -> None:
    """Write docs/reproduction.md and its pictures."""
    for name, plot in pictures(kept).items():
        plot.save(DRAWN / name)
    PAGE.write_text(page(kept), encoding="utf-8")
    here.say(f"written: docs/{PAGE.name}")


if __name__ == "__main__":
    sys.exit(main())
