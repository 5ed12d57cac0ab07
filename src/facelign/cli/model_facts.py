"""What is known of a model, as a record and as lines: one alone, or two side by side."""

from __future__ import annotations

import importlib.util
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facelign.errors import ConfigError
from facelign.wire.records import Record, plain, some

if TYPE_CHECKING:
    from facelign.models import Registry
    from facelign.models.weights.store import Store
    from facelign.types.arrays import Float64Array
    from facelign.types.contracts import Layout
    from facelign.types.specs import ModelSpec

#: columns and rows of a layout that is drawn with letters (a letter is twice as high as wide)
_COLUMNS, _ROWS = 36, 18
#: how many times as large as its chip a layout is drawn
_ENLARGED = 4


def size(spec: ModelSpec) -> int:
    """Return the bytes of the files as their first source has them."""
    return sum(file.sources[0].size for file in spec.weights)


def extra_is_here(spec: ModelSpec) -> bool:
    """Return whether the packages that the model needs besides weights are installed."""
    return not spec.extra or importlib.util.find_spec(spec.extra) is not None


def short(spec: ModelSpec, store: Store) -> Record:
    """Return what a list says of a model."""
    return {
        "id": spec.id,
        "task": spec.task.value,
        "title": spec.title,
        "present": store.present(spec) and extra_is_here(spec),
        "refused": store.refused(spec),  # by the guard of licenses
        "size": size(spec),
        "variant": spec.variant,
        "extra": spec.extra,
        "license": plain(spec.license),
    }


def full(spec: ModelSpec, store: Store, registry: Registry) -> Record:
    """Return everything that is known of a model."""
    from facelign.recognition import measured

    record = short(spec, store) | {"entry": spec.entry, "engine": spec.engine.value}
    record["defined"] = registry.place(spec)
    for name in ("input", "output", "paper", "origin", "published", "unseen"):
        record[name] = plain(getattr(spec, name))
    record["defaults"] = {key: str(value) for key, value in spec.defaults.items()}
    record["measured"] = [plain(figure) for figure in measured.accuracy(spec)]
    speed = measured.speed(spec)
    record["speed"] = plain(speed) if speed else None
    layout = layout_of(spec, registry)
    record["layout"] = _layout(layout) if layout else None
    record["weights"] = [
        some(file, "name", "convert")
        | {"sources": [{k: v for k, v in plain(s).items() if v} for s in file.sources]}
        for file in spec.weights
    ]
    return record


def layout_of(spec: ModelSpec, registry: Registry) -> Layout | None:
    """Return the layout of the chips that the model reads, None for what reads none."""
    layout_id = getattr(spec.output, "layout", "")
    return registry.layout_of_size(layout_id, spec.input.size) if layout_id else None


def _layout(layout: Layout) -> Record:
    template = _template(layout)
    points = [] if template is None else [[round(float(v), 2) for v in p] for p in template]
    return {
        "id": layout.id,
        "size": list(layout.size),
        "needs": list(layout.needs),
        "points": points,
    }


def _template(layout: Layout) -> Float64Array | None:
    """Return where a layout puts its points, px (k, 2), or None when it goes by the box."""
    found: Float64Array | None = getattr(layout, "template", None)
    return found


def lines(record: Record) -> Iterator[str]:
    """Yield everything that is known of a model as text; empty fields are left out."""
    layout, measured, speed = (record[key] for key in ("layout", "measured", "speed"))
    yield from _indented({k: v for k, v in record.items() if k not in _APART})
    yield f"published: {'nothing' if not record['published'] else ''}".rstrip()
    for claim in record["published"]:
        yield f"  {claim['what']}: {claim['value']} ({claim['source']})"
    yield f"measured: {'nothing' if not measured else ''}".rstrip()
    for figure in measured:
        yield f"  {_figure(figure)} ({figure['source']})"
    yield f"speed: {_speed(speed)}"
    if layout:
        width, height = layout["size"]
        yield f"layout: {layout['id']}, {width}x{height} px, placed by {_or(layout['needs'])}"
        yield from drawn(layout)


_APART = ("layout", "measured", "speed", "published")


def _figure(figure: Mapping[str, Any]) -> str:
    return (
        f"{figure['what']}: {figure['value']:.4f} (95 %: {figure['low']:.4f} to "
        f"{figure['high']:.4f}, of {figure['units']})"
    )


def _speed(speed: Mapping[str, Any] | None) -> str:
    return f"{speed['ms']:.1f} ms ({speed['what']})" if speed else "not measured"


def _or(words: list[str]) -> str:
    return " or ".join(words)


def drawn(layout: Record) -> Iterator[str]:
    """Yield the chip of a layout as letters: its frame, and an o where each point lies."""
    width, height = layout["size"]
    cells = [[" "] * _COLUMNS for _ in range(_ROWS)]
    for x, y in layout["points"]:
        column = min(max(int((x + 0.5) / width * _COLUMNS), 0), _COLUMNS - 1)
        row = min(max(int((y + 0.5) / height * _ROWS), 0), _ROWS - 1)
        cells[row][column] = "o"
    yield f"  +{'-' * _COLUMNS}+"
    yield from (f"  |{''.join(row)}|" for row in cells)
    yield f"  +{'-' * _COLUMNS}+"


def draw(path: Path, record: Record) -> None:
    """Write a picture of the chip that a model reads, with the points of its layout.

    Raises ConfigError for a model that reads no chips, and where the file is no picture.
    """
    import numpy as np

    from facelign.cli.pictures import SUFFIXES
    from facelign.imaging.draw import contact_sheet
    from facelign.imaging.write import write

    layout = record["layout"]
    if not layout:
        raise ConfigError(
            f"'{record['id']}' reads whole photos, so it has no layout to draw.",
            "Leave --draw out.",
        )
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path} is no name of a picture.", f"End it in {_or(list(SUFFIXES))}.")
    width, height = (side * _ENLARGED for side in layout["size"])
    chip = np.full((height, width, 3), 235, np.uint8)
    points = (np.array(layout["points"]).reshape(-1, 2) + 0.5) * _ENLARGED - 0.5
    for x, y in np.rint(points).astype(int).tolist():
        chip[max(y - 1, 0) : y + 2, max(x - 9, 0) : x + 10] = 20
        chip[max(y - 9, 0) : y + 10, max(x - 1, 0) : x + 2] = 20
    pixels = record["input"]
    caption = f"{layout['id']}, {layout['size'][0]}x{layout['size'][1]} px, {pixels['order']}"
    write(path, contact_sheet([chip], [f"{record['id']}: {caption}"], columns=1))


def _rows(record: Record) -> Iterator[tuple[str, str]]:
    """Yield what two models are compared by."""
    said, read, layout = record["license"], record["input"], record["layout"]
    given = record["output"]
    yield "id", record["id"]
    yield "title", record["title"]
    yield "here", "yes" if record["present"] else "no"
    yield "size", f"{record['size'] / 1e6:.1f} MB"
    yield "commercial use", said["commercial"]
    yield "license of the weights", said["weights"]
    yield "license of the code", said["code"]
    yield "training data", said["training_data"]
    yield "note", said["note"]
    yield "needs", f"facelign[{record['extra']}]" if record["extra"] else ""
    side = f"{read['size'][0]}x{read['size'][1]} px" if read["size"] else "any size"
    mean, std = (", ".join(f"{v:g}" for v in dict.fromkeys(read[k])) for k in ("mean", "std"))
    yield "input", f"{side}, {read['order']}, (x - {mean}) / {std}, {read['axes']}"
    yield "layout", f"{layout['id']}, placed by {_or(layout['needs'])}" if layout else ""
    yield "output", ", ".join(f"{k} {v}" for k, v in given.items() if v not in ("", None, 0, 0.0))
    yield "published", "\n".join(f"{c['what']}: {c['value']}" for c in record["published"])
    yield "measured", "\n".join(_figure(f) for f in record["measured"]) or "nothing"
    yield "speed", _speed(record["speed"])
    yield "not seen", record["unseen"]


def side_by_side(a: Record, b: Record, width: int = 0) -> Iterator[str]:
    """Yield two models as lines of a table; rows that both leave empty are left out.

    width: columns of the terminal, 0 for what it has.
    """
    width = width or shutil.get_terminal_size((120, 24)).columns
    rows = [(name, x, y) for (name, x), (_, y) in zip(_rows(a), _rows(b), strict=True) if x or y]
    first = max(len(name) for name, _, _ in rows)
    column = max((width - first - 4) // 2, 24)
    for name, *cells in rows:
        left, right = (_wrapped(cell, column) for cell in cells)
        for i in range(max(len(left), len(right))):
            one, two = (part[i] if i < len(part) else "" for part in (left, right))
            head = name if not i else ""
            yield f"{head:<{first}}  {one:<{column}}  {two}".rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    found = [part for row in text.split("\n") for part in textwrap.wrap(row, width)]
    return found or ["-"]


def _indented(value: object, depth: int = 0) -> Iterator[str]:
    """Yield a record as indented text; empty fields are left out."""
    pad = "  " * depth
    if isinstance(value, dict):
        for key, part in value.items():
            if part in ("", None, [], {}):
                continue
            if isinstance(part, dict) or (isinstance(part, list) and _nested(part)):
                yield f"{pad}{key}:"
                yield from _indented(part, depth + 1)
            else:
                yield f"{pad}{key}: {_text(part)}"
    elif isinstance(value, list):
        for part in value:
            first, *rest = _indented(part, depth + 1)
            yield f"{pad}- {first.strip()}"
            yield from rest
    else:
        yield f"{pad}{value}"


def _nested(part: list[object]) -> bool:
    return any(isinstance(entry, dict | list) for entry in part)


def _text(part: object) -> str:
    if isinstance(part, bool):
        return "yes" if part else "no"
    return ", ".join(map(str, part)) if isinstance(part, list) else str(part)
