"""The articles' figures beside facelign's own, row by row, and the page that shows them.

    python tools/reproduce.py            every row that is not measured yet, then the page
    python tools/reproduce.py A3-10      this row anew (one command a figure)
    python tools/reproduce.py --again    every row anew (vectors still come from the cache)
    python tools/reproduce.py --page     only page and pictures, from the numbers that were kept
    python tools/reproduce.py --list     the rows

Numbers are kept in benchmarks/results/reproduction.json after every row, so that a run that was
interrupted goes on where it was; docs/reproduction.md is written from them and never by hand.
The photos lie beside the checkout (../shared); where they do not, kept numbers stay.
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

import real_faces as here
from reproduction import others, page, third
from reproduction.bench import Bench, Unavailable
from reproduction.rows import Row

import facelign
from facelign.errors import FacelignError

KEPT = here.RESULTS / "reproduction.json"
PAGE = here.ROOT / "docs" / "reproduction.md"
PICTURES = here.ROOT / "docs" / "pictures" / "reproduction"
ROWS: tuple[Row, ...] = (*others.ROWS, *third.ROWS)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", help="rows by id; all when none is named")
    parser.add_argument("--again", action="store_true", help="measure kept rows too")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--list", action="store_true", help="name the rows")
    options = parser.parse_args()
    here.settle()
    if options.list:
        for row in ROWS:
            print(f"{row.id:12} {row.title}")
        return 0
    known = {row.id: row for row in ROWS}
    unknown = [name for name in options.rows if name not in known]
    if unknown:
        here.say(f"There is no row '{unknown[0]}': --list names them.")
        return 2
    chosen = [known[name] for name in options.rows] or list(ROWS)
    kept = read()
    status = 0
    if not options.page:
        status = measure(chosen, kept, again=options.again or bool(options.rows))
    write_page(kept)
    return status


def read() -> dict[str, Any]:
    """Return the numbers that were kept."""
    if KEPT.is_file():
        found: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
        return found
    return {"rows": {}}


def measure(rows: Iterable[Row], kept: dict[str, Any], *, again: bool) -> int:
    """Measure rows and keep each at once; return 1 where one could not be measured."""
    bench = Bench()
    done: dict[Any, Mapping[str, Any]] = {}  # rows that share a measurement make it once
    status = 0
    for row in rows:
        if row.measure is None or (not again and fresh(row, kept)):
            continue
        start = time.perf_counter()
        here.say(f"{row.id}: {row.title}")
        try:
            if row.measure not in done:
                done[row.measure] = row.measure(bench)
        except (Unavailable, FacelignError) as error:
            here.say(f"{row.id}: not measured: {error}")
            status = 1
            continue
        kept["rows"][row.id] = {
            "version": row.version,
            "facelign": facelign.__version__,
            "date": time.strftime("%Y-%m-%d"),
            "found": slimmed(row, done[row.measure]),
        }
        keep(kept, row.id)
        for what, figure in row.tell(done[row.measure]) if row.tell else ():
            print(f"{row.id}  {what}: {figure}")
        here.say(f"{row.id}: {time.perf_counter() - start:.1f} s")
    return status


def fresh(row: Row, kept: Mapping[str, Any]) -> bool:
    """Say whether the kept numbers of a row are of this version of it and of facelign."""
    found = kept["rows"].get(row.id)
    return (
        found is not None
        and found["version"] == row.version
        and found["facelign"] == facelign.__version__
    )


def slimmed(row: Row, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the numbers without those that only pictures need, where the row has no picture."""
    if row.pictures:
        return found
    drawn = {"curve", "curves", "distances", "points", "people"}

    def without(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {k: without(v) for k, v in value.items() if k not in drawn or isinstance(v, int)}

    slim: Mapping[str, Any] = without(found)
    return slim


def draw(row: Row, found: Mapping[str, Any]) -> None:
    """Draw the pictures of a row; none shows a photo of anybody."""
    for name, made in (row.pictures or {}).items():
        plot = made(found)
        if plot.photos:
            raise SystemExit(f"{row.id}: {name} shows photos of people.")
        PICTURES.mkdir(parents=True, exist_ok=True)
        plot.save(PICTURES / name)


def keep(kept: dict[str, Any], row: str) -> None:
    """Write the numbers, a row a line; rows that another run has written meanwhile stay."""
    kept["rows"] = {**kept["rows"], **read()["rows"], row: kept["rows"][row]}
    order = {row.id: place for place, row in enumerate(ROWS)}
    rows = sorted(kept["rows"].items(), key=lambda item: order.get(item[0], len(order)))
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in rows)
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(f'{{"rows": {{\n{lines}\n}}}}\n', encoding="utf-8")


def write_page(kept: Mapping[str, Any]) -> None:
    """Write docs/reproduction.md and its pictures."""
    for row in ROWS:
        if row.id in kept["rows"]:
            draw(row, kept["rows"][row.id]["found"])
    PAGE.write_text(page.render(ROWS, kept["rows"]), encoding="utf-8")
    here.say(f"written: docs/{PAGE.name}")


if __name__ == "__main__":
    sys.exit(main())
