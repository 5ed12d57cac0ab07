"""The tables of docs/benchmarks.md and README.md, from benchmarks/results/*.json.

    python benchmarks/tables.py [--check]

Each table stands between ``<!-- table: NAME -->`` and ``<!-- end -->`` and is written anew;
--check only says whether the pages are up to date (exit 1 when it is not).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

import machine

ROOT = machine.HERE.parent
PAGES = (
    ROOT / "docs" / "benchmarks.md",
    ROOT / "docs" / "stages" / "cameras.md",
    ROOT / "docs" / "stages" / "films.md",
    ROOT / "README.md",
)
#: rows and columns of README's table
PRESETS = ("default", "fast", "light", "accurate", "dlib")
PEERS = ("face_recognition", "OpenCV YuNet + SFace", "deepface dlib + Dlib")
BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Result = dict[str, Any]


def load(name: str) -> Result | None:
    """Return a result, or None where the benchmark was not run."""
    path = machine.RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    heads = list(head)
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


# -- targets -----------------------------------------------------------------------------------


def targets() -> list[tuple[str, str, str, bool]]:
    """Return (what, target, seen, met) for every target whose benchmark was run."""
    rows: list[tuple[str, str, str, bool]] = []

    def least(what: str, wanted: float, seen: float, unit: str = "x") -> None:
        rows.append((what, f"at least {wanted:g}{unit}", f"{seen:.3g}{unit}", seen >= wanted))

    def most(what: str, wanted: float, seen: float, unit: str) -> None:
        rows.append((what, f"under {wanted:g} {unit}", f"{seen:.3g} {unit}", seen < wanted))

    for add in (_speed, _parity, _limit, _starts, _large, _two, _flat, _gallery, _view2):
        add(least, most, rows)
    return rows


def _view2(least: Least, most: Least, rows: Rows) -> None:
    result = load("view2")
    if result is not None:
        most(
            f"LFW's View 2, {result['photos']:,} photos", result["target_s"], result["seconds"], "s"
        )
        what = "the same again, from the cache"
        rows.append((what, "seconds", f"{result['seconds_from_the_cache']:.3g} s", True))


Least = Callable[..., None]
Rows = list[tuple[str, str, str, bool]]


def _speed(least: Least, most: Least, rows: Rows) -> None:
    result = load("end_to_end") or {"times_faster": {}}
    for name, told in result["times_faster"].items():
        if "target" in told:
            fast, _, slow = name.partition(" over ")
            what = f"photo file to {'vector' if 'deepface' in slow else 'name'}: {fast} over {slow}"
            least(what, told["target"], told["median"])


def _parity(least: Least, most: Least, rows: Rows) -> None:
    result = load("dlib_parity")
    if result is None:
        return
    parts = result["rows"]
    differ = sum(row["differ"] for row in parts.values())
    compared = sum(row["compared"] for row in parts.values())
    seen = f"{differ} of {compared} comparisons differ"
    rows.append(
        ("dlib's boxes, points, chips, descriptors rebuilt", "none differs", seen, not differ)
    )
    vector = parts["descriptor, photo to vector"]["largest_difference"]
    rows.append(("descriptor, largest difference", "at most 1e-5", f"{vector:.1e}", vector <= 1e-5))
    ratio = parts["descriptor, batch 1"]["dlib_over_facelign"]
    least("descriptor over dlib-bin, one chip", 13, ratio)


def _limit(least: Least, most: Least, rows: Rows) -> None:
    result = load("sface_graph")
    if result is not None:
        (ours,) = (row for name, row in result["graphs"].items() if name.endswith("(ours)"))
        share = round(100 * ours["of_the_limit"])
        least("SFace: share of a matrix product's speed", 55, share, " %")


def _starts(least: Least, most: Least, rows: Rows) -> None:
    result = load("start_up") or {"commands": {}}
    for name, row in result["commands"].items():
        if "target_seconds" in row:
            most(name, 1e3 * row["target_seconds"], 1e3 * row["seconds_median"], "ms")
        if "target_mb" in row:
            most(f"{name}: peak of memory", row["target_mb"], row["peak_mb"], "MB")


def _large(least: Least, most: Least, rows: Rows) -> None:
    result = load("large_photo")
    if result is not None:
        row = result["presets"]["default"]
        what = f"12 megapixels, ten faces ({row['found_of_ten']} found), default"
        most(what, row["target_seconds"], row["seconds_median"], "s")
        most(f"{what}: peak of memory", row["target_mb"], row["peak_mb"], "MB")


def _two(least: Least, most: Least, rows: Rows) -> None:
    result = load("workers")
    if result is not None:
        least(
            f"two workers over one, {result['photos']:,} photos",
            result["target"],
            result["speed_up"],
        )
    if result is not None and "target_photos_per_second" in result:
        rate = result["two_workers_photos_per_second"]
        least("two workers", result["target_photos_per_second"], rate, " photos/s")


def _flat(least: Least, most: Least, rows: Rows) -> None:
    result = load("memory")
    if result is not None:
        what = f"memory over {result['photos']:,} photos: growth after the first 500"
        most(what, 100 * result["target_growth"], 100 * result["growth"], "%")


def _gallery(least: Least, most: Least, rows: Rows) -> None:
    result = load("gallery")
    if result is None:
        return
    least(
        "templates enrolled one by one, each durable", 1000, result["durable_singles_per_s"], "/s"
    )
    least("templates enrolled in bulk", 20_000, result["bulk_per_s"], "/s")
    most("exact search of 100,000 x 128", 4, result["search_100k"][0]["one_ms"]["median"], "ms")
    if "search_1m" in result:
        most("exact search of 1,000,000 x 128", 60, result["search_1m"]["one_ms"]["median"], "ms")


def short() -> list[str]:
    """Return one line a target, for the terminal."""
    return [
        f"{'met   ' if met else 'MISSED'} {what}: {seen} (target {wanted})"
        for what, wanted, seen, met in targets()
    ]


# -- tables ------------------------------------------------------------------------------------


def targets_table() -> str:
    rows = [
        (what, wanted, f"{seen}" if met else f"**{seen}**, missed")
        for what, wanted, seen, met in targets()
    ]
    return table(("what", "target", "seen"), rows)


def machines_table() -> str:
    rows = []
    for name in (
        "end_to_end", "networks", "dlib_parity", "sface_graph", "batches", "start_up",
        "large_photo", "workers", "memory", "gallery",
    ):  # fmt: skip
        told = (load(name) or {}).get("machine")
        if told:
            load_now = told["load"]
            minute = load_now[0] if isinstance(load_now, list) else round(load_now, 2)
            features = ", ".join(told.get("features", ()))
            where = f"{told['processor']}, {told['cores']} cores ({features})"
            rows.append((f"`{name}.py`", where, told.get("date", ""), minute))
    return table(("benchmark", "machine", "date", "load"), rows)


def versions_table() -> str:
    found: dict[str, str] = {}
    for path in sorted(machine.RESULTS.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8")).get("machine", {})
        found |= {"Python": told["python"]} if "python" in told else {}
        found |= told.get("versions", {})
    return table(("package", "version"), sorted(found.items(), key=lambda row: row[0].lower()))


def speed_table() -> str:
    result = load("end_to_end")
    if result is None:
        return ""
    peers = [name for name in result["sides"] if not name.startswith("facelign")]
    rows = []
    for name, row in result["sides"].items():
        over = []
        for peer in peers:
            told = result["times_faster"].get(f"{name} over {peer}")
            over.append(f"{told['median']:.1f}" if told else "")
        names = f"{row['right']} / {row['wrong']}" if "right" in row else "-"
        cells = (f"{row['ms_median']:.1f}", f"{row['processor_ms_median']:.1f}", *over, names)
        rows.append((name, *cells))
    heads = [f"times faster than {peer}" for peer in peers]
    return table(("", "ms", "ms on the processor", *heads, "named right / wrong"), rows)


#: the preset that ``tools/gate.py`` does not measure, as reproduction.json calls it
DLIB = "MMOD, dlib's five points and ResNet (preset dlib)"


def presets_table() -> str:
    """Accuracy and speed of each preset, the peers below."""
    speed, gate, kept = load("end_to_end"), load("gate"), load("reproduction")
    if speed is None or gate is None or kept is None:
        return ""
    pairs = {name: gate["parts"].get(f"lfw_dev, {name}") for name in PRESETS}
    pairs["dlib"] = kept["rows"]["A0-04"]["lines"][DLIB]
    peers = [name for name in PEERS if name in speed["sides"]]
    rows: list[tuple[str, ...]] = []
    for preset, one in pairs.items():
        side = speed["sides"].get(f"facelign {preset}")
        if one is None or side is None:
            continue
        ratios = speed["times_faster"]
        over = [ratios[f"facelign {preset} over {peer}"]["median"] for peer in peers]
        low, high = (100 * one["intervals"]["accuracy"][end] for end in ("low", "high"))
        accuracy = f"{100 * one['accuracy']:.2f} % ({low:.1f} to {high:.1f})"
        cells = (accuracy, f"{side['ms_median']:.0f} ms", *(f"{x:.1f}x" for x in over))
        rows.append((f"`{preset}`", *cells))
    rows += [
        (peer, "", f"{speed['sides'][peer]['ms_median']:.0f} ms", *("" for _ in peers))
        for peer in peers
    ]
    heads = [f"over {peer}" for peer in peers]
    return table(("", "LFW pairs, accuracy", "photo to name", *heads), rows)


def networks_table() -> str:
    result = load("networks")
    if result is None:
        return ""
    rows = [
        (
            name,
            f"{row['gflop']:.2f}",
            form,
            f"{row[form]['ms_best']:.1f}",
            f"{row[form]['ms_median']:.1f}",
            f"{row[form]['of_float32_peak']:.0%}",
            f"{row[form]['of_int8_peak']:.0%}",
        )
        for name, row in result["networks"].items()
        for form in ("float32", "int8")
        if form in row
    ]
    peak = result["peak_gflops"]
    rows.append(
        ("a product of matrices", "", "float32", "", "", f"{peak['float32']:.0f} GFLOP/s", "")
    )
    rows.append(("", "", "int8", "", "", "", f"{peak['int8']:.0f} GOP/s"))
    head = ("network", "GFLOP", "form", "ms, best", "ms, median", "of float32", "of int8")
    return table(head, rows)


def stages_table() -> str:
    result = load("end_to_end")
    if result is None:
        return ""
    rows = [
        (preset, *(f"{row[s]:.1f}" for s in ("read", "detect", "align", "embed", "whole")))
        for preset, row in result["stages_ms"].items()
    ]
    return table(("preset", "read", "detect", "align", "embed", "all, ms"), rows)


def parity_table() -> str:
    result = load("dlib_parity")
    if result is None:
        return ""
    rows = [
        (
            name,
            row["compared"],
            row["differ"],
            f"{row['largest_difference']:.1e}" if row["largest_difference"] else "0",
            row.get("dlib_ms", ""),
            row.get("facelign_ms", ""),
            row.get("dlib_over_facelign", ""),
        )
        for name, row in result["rows"].items()
    ]
    head = ("piece", "compared", "differ", "largest difference", "dlib-bin ms", "facelign ms", "x")
    return table(head, rows)


def batches_table() -> str:
    result = load("batches")
    if result is None:
        return ""
    sizes = list(next(iter(result["models"].values()))["ms_a_chip_best"])
    rows = [
        (
            name,
            *(f"{row['ms_a_chip_median'][n]:.1f} ({row['ms_a_chip_best'][n]:.1f})" for n in sizes),
        )
        for name, row in result["models"].items()
    ]
    return table(("model", *(f"batch {n}" for n in sizes)), rows)


def sface_table() -> str:
    result = load("sface_graph")
    if result is None:
        return ""
    rows = [
        (
            name,
            f"{row['ms_a_chip_best']['1']:.1f}",
            f"{row['ms_a_chip_median']['1']:.1f}",
            f"{row['of_the_limit']:.0%}",
            f"{row['difference']:.0e}",
        )
        for name, row in result["graphs"].items()
    ]
    head = ("graph", "ms, best", "ms, median", "of a matrix product", "relative difference")
    return table(head, rows)


def start_table() -> str:
    result = load("start_up")
    if result is None:
        return ""
    rows = [
        (
            name,
            f"{1e3 * row['seconds_median']:.0f}",
            f"{1e3 * row['processor_seconds_median']:.0f}",
            f"{row['peak_mb']:.0f}",
        )
        for name, row in result["commands"].items()
        if "peak_mb" in row
    ]
    return table(("process", "ms", "ms on the processor", "peak MB"), rows)


def large_table() -> str:
    result = load("large_photo")
    if result is None:
        return ""
    rows = [
        (
            preset,
            f"{row['seconds_median']:.2f}",
            f"{row['processor_seconds_median']:.2f}",
            row["peak_mb"],
            f"{row['found_of_ten']} of 10",
            row["vectors"],
        )
        for preset, row in result["presets"].items()
    ]
    head = ("preset", "s", "s on the processor", "peak MB", "faces", "vectors")
    return table(head, rows)


def gallery_table() -> str:
    result = load("gallery")
    if result is None:
        return ""
    rows = [("one by one, each durable", f"{result['durable_singles_per_s']:,} templates/s")]
    rows.append(("the disk's own syncs", f"{result['raw_fdatasync_per_s']:,}/s"))
    rows.append(("in bulk", f"{result['bulk_per_s']:,} templates/s"))
    searches = [*result["search_100k"], *([result["search_1m"]] if "search_1m" in result else [])]
    for row in searches:
        what = f"one query among {row['rows']:,} x 128, {row['metric']}"
        told = (
            f"{row['one_ms']['median']} ms ({row['bare_product_ms']['median']} the product alone)"
        )
        rows.append((what, told))
    return table(("what", "seen"), rows)


def tracking_table() -> str:
    result = load("tracking")
    if result is None:
        return "Not measured."
    head = (
        "films", "frames a second", "tracker", "switches", "tracks a visit", "tracks of two people",
        "IDF1",
    )  # fmt: skip
    rows = [
        (
            f"{row['films']}, {row['visits']} visits", row["fps"], row["tracker"], row["switches"],
            f"{row['tracks_a_visit']:.2f}", row["mixed"], f"{row['idf1']:.3f}",
        )
        for row in result["rows"]
    ]  # fmt: skip
    return table(head, rows)


def films_table() -> str:
    result = load("films")
    if result is None:
        return "Not measured."
    film, peer = result["film"], result.get("peer")
    rows = [
        ("facelign, two workers", f"{film['took_s']} s", f"{film['times_real_time']}x"),
    ]
    if peer is not None:
        rate = film["length_s"] / peer["film_s"]
        rows.append(("face_recognition, every frame", f"{peer['film_s']} s", f"{rate:.2f}x"))
    return table((f"a film of {film['length_s']:.0f} s", "takes", "of real time"), rows)


def rates_table() -> str:
    result = load("films")
    if result is None:
        return "Not measured."
    cells: dict[str, dict[str, str]] = {}
    for row in result["frames"]:
        column = f"{row['size']}, 1/{row['reduction']:g}"
        cells.setdefault(row["detector"], {})[column] = f"{row['fps']:.0f} ({row['faces']})"
    columns = list(dict.fromkeys(name for one in cells.values() for name in one))
    return table(
        ("detector", *columns),
        [(f"`{name}`", *(one.get(c, "") for c in columns)) for name, one in cells.items()],
    )


def delays_table() -> str:
    result = load("camera_to_event")
    if result is None:
        return "Not measured."
    words = {
        "picture_to_event": "from the picture that decided to the event",
        "seen_to_appeared": "from the first picture with the face to `appeared`",
        "seen_to_recognized": "from the first picture with the face to `recognized`",
    }
    rows = [
        (text, row["events"], f"{row['median_ms']} ms", f"{row['worst_ms']} ms")
        for name, text in words.items()
        if (row := result.get(name))
    ]
    return table(("delay", "events", "median", "worst"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "tracking": tracking_table,
    "films": films_table,
    "rates": rates_table,
    "delays": delays_table,
    "targets": targets_table,
    "machines": machines_table,
    "versions": versions_table,
    "speed": speed_table,
    "presets": presets_table,
    "networks": networks_table,
    "stages": stages_table,
    "parity": parity_table,
    "batches": batches_table,
    "sface": sface_table,
    "start": start_table,
    "large": large_table,
    "gallery": gallery_table,
}


def written(text: str) -> str:
    """Return the page with its tables made anew."""

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]]()}\n\n{match[3]}"

    return BLOCK.sub(block, text)


def rewrite() -> None:
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        texts = [page.read_text(encoding="utf-8") for page in PAGES]
        return 0 if all(written(text) == text for text in texts) else 1
    rewrite()
    print("\n".join(short()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
