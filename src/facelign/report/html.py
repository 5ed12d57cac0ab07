"""A report as one HTML file that needs nothing else: no network, no script to read it.

Style and pictures are inside; a content security policy in the page forbids every load from
elsewhere, so that a mistake here cannot become a request. All text goes through ``_text``.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path

from facelign._version import __version__
from facelign.files import disk
from facelign.files.home import expanded
from facelign.report.facemap import HOVER, drawn_map
from facelign.report.page import FaceMap, Fact, Report, Section, Table, Thumbnail, Wall
from facelign.report.plot import Plot
from facelign.report.publish import published
from facelign.wire.cells import ENCODING

#: an SVG larger than this is written as PNG: thousands of points draw slowly in a browser
SVG_LIMIT = 350_000

#: a table of more columns than this does not fit on a telephone
WIDE = 5

#: pairs of more rows than this stand in columns, side by side
LONG = 24

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

CSS = """
:root{color-scheme:light dark;--ink:#1b1b1f;--soft:#5c5c66;--line:#dcdce2;--card:#f6f7f9;
 --blue:#0072b2;--paper:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e7e8ea;--soft:#a9aeb6;--line:#3b4048;--card:#1f242b;
 --blue:#6bbcee;--paper:#14171c}}
*{box-sizing:border-box}
body{margin:0;color:var(--ink);background:var(--paper);
 font:16px/1.55 system-ui,"Segoe UI",sans-serif}
main{max-width:70rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0}
h2{margin:3rem 0 .6rem;padding-top:.8rem;border-top:2px solid var(--line);font-size:1.35rem}
h3{margin:1.8rem 0 .4rem;font-size:1.05rem}
p{max-width:46rem}
.scope,.note,figcaption,.interval{color:var(--soft);font-size:.9rem}
.verdict{font-size:1.2rem;border-left:.4rem solid var(--blue);background:var(--card);
 margin:1.2rem 0;padding:.9rem 1.1rem;max-width:none}
.verdict.good{border-color:#009e73}.verdict.bad{border-color:#d55e00}
.facts{display:grid;gap:.8rem;margin:0;
 grid-template-columns:repeat(auto-fit,minmax(max(12rem,100%/var(--row) - .8rem),1fr))}
.fact{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.8rem 1rem}
.fact dt{font-size:.9rem;color:var(--soft)}
.fact dd{margin:0}.fact .value{font-size:1.7rem;font-weight:650;line-height:1.25}
.caveat{border:1px solid #e69f00;border-radius:.5rem;padding:.5rem 1rem;margin:.6rem 0}
a{color:var(--blue)}nav ol{columns:2;padding-left:1.2rem}
figure{margin:1.2rem 0;break-inside:avoid}
figure>img,figure>svg{max-width:100%;height:auto;border:1px solid var(--line);border-radius:.4rem;
 background:#fff}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.92rem;margin:.4rem 0}
th,td{border-bottom:1px solid var(--line);padding:.3rem .9rem .3rem 0;text-align:left;
 vertical-align:top}
.long,.long thead,.long tbody{display:block}.long tbody{columns:9rem;column-gap:2rem}
.long tr{display:flex;justify-content:space-between;break-inside:avoid}.long thead{max-width:9rem}
.long thead th{border:0;padding-right:0}.long td{flex:1}.long td.number{padding-right:0}
thead th{border-bottom:2px solid var(--ink)}
.number{text-align:right;white-space:nowrap}thead .number,.words{white-space:normal}
td.number{font-variant-numeric:tabular-nums}
.provenance td{font-family:ui-monospace,monospace;font-size:.85rem;overflow-wrap:anywhere}
.provenance th{overflow-wrap:anywhere;min-width:9rem;font-weight:600}
.wall{display:grid;grid-template-columns:repeat(auto-fill,minmax(13.5rem,1fr));gap:.8rem}
.tile{border:1px solid var(--line);border-radius:.5rem;padding:.6rem;break-inside:avoid}
.tile .photos{display:flex;gap:.4rem}
.tile figure{margin:0;flex:1;min-width:0}
.tile img{width:100%;border:0}.tile figcaption{overflow-wrap:anywhere;font-size:.78rem}
.tile p{margin:.4rem 0 0;font-size:.88rem;overflow-wrap:anywhere}
.csv{font-size:.82rem;white-space:nowrap}
.map{position:relative}.map>svg{max-width:100%;height:auto;border:1px solid var(--line);
 border-radius:.4rem;background:#fff}.key{white-space:nowrap;margin-right:.6rem}
.key svg{background:#fff;border-radius:50%;vertical-align:-2px;margin-right:.15rem}
.map text{font:11px system-ui,sans-serif}
.map .peek{position:absolute;display:none;pointer-events:none;background:var(--paper);padding:.3rem;
 border:1px solid var(--line);border-radius:.4rem;font-size:.8rem;box-shadow:0 2px 8px #0003}
.map .peek img{display:block;max-width:9rem;max-height:9rem}
footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
@media (max-width:40rem){main{padding:1rem .75rem 3rem}nav ol{columns:1}
 th,td{padding-right:.6rem}table{font-size:.85rem}
 td:not(.number){overflow-wrap:anywhere;min-width:5.5rem}
 .tile figcaption{font-size:.72rem}.wide,.wide tbody{display:block}.wide thead{display:none}
 .wide tr{display:grid;grid-template-columns:1fr 1fr;gap:0 1.2rem;padding:.4rem 0;
 border-bottom:1px solid var(--line)}
 .wide td,.wide td.number{display:flex;justify-content:space-between;gap:.6rem;border:0;
 padding:.1rem 0;min-width:0;text-align:right;white-space:normal}
 .wide td::before{content:attr(data-of);color:var(--soft);text-align:left;flex:0 0 auto;
 max-width:60%}.wide td:first-child{font-weight:600}
 .provenance tr,.provenance th,.provenance td{display:block;border:0;padding:0}
 .provenance tr{border-bottom:1px solid var(--line);padding:.35rem 0}}
@media print{:root{color-scheme:light}main{max-width:none;padding:0}nav,.csv{display:none}
 h2,h3{break-after:avoid}tr{break-inside:avoid}}
"""

NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?( ?%)?", re.IGNORECASE)


def render(report: Report, *, photos: bool = True) -> str:
    """Return the report as one HTML document.

    photos: False leaves out every picture in which a person can be recognized, averages of faces
    too, and the folders of the machine (and says so), for publishing. Names in captions and tables
    are the caller's.
    """
    return "\n".join(_document(report if photos else published(report), photos))


def write(report: Report, path: str | Path, *, photos: bool = True) -> Path:
    """Write the report and return its path; one with photos may be read by its owner only."""
    target = expanded(path)
    disk.write(target, render(report, photos=photos).encode(), private=photos)
    return target


def _document(report: Report, photos: bool) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_text(POLICY)}">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f'<meta name="generator" content="facelign {_text(__version__)}">'
    yield f"<title>{_text(report.title)}</title><style>{CSS}</style></head><body><main>"
    yield from _first_screen(report, photos)
    for number, section in enumerate(_filled(report.sections), start=1):
        yield from _section(section, number, photos)
    yield from _provenance(report)
    yield "</main>"
    if any(section.maps for section in report.sections):
        yield f"<script>{HOVER}</script>"
    yield "</body></html>"


def _first_screen(report: Report, photos: bool) -> Iterator[str]:
    yield f"<header><h1>{_text(report.title)}</h1>"
    if report.scope:
        yield f'<p class="scope">{_text(report.scope)}</p>'
    yield f'<p class="verdict {report.mood}">{_text(report.verdict)}</p>'
    # five in a row at most, and no row of one card below a full one
    cards = len(report.headline)
    row = cards if cards <= 5 else math.ceil(cards / math.ceil(cards / 4))
    yield f'<dl class="facts" style="--row:{max(1, row)}">'
    yield from (_fact(fact) for fact in report.headline)
    yield "</dl>"
    for caveat in report.caveats:
        yield f'<p class="caveat"><strong>Caveat.</strong> {_text(caveat)}</p>'
    if not photos:
        yield '<p class="note">Made without photos, for publishing: pictures of people, '
        yield "averages of faces too, and folders of this machine are left out.</p>"
    yield '</header><nav aria-label="Contents"><ol>'
    for number, section in enumerate(_filled(report.sections), start=1):
        yield f'<li><a href="#s{number}">{_text(section.title)}</a></li>'
    yield '<li><a href="#provenance">How these numbers were made</a></li></ol></nav>'


def _fact(fact: Fact) -> str:
    interval = f'<div class="interval">{_text(fact.interval)}</div>' if fact.interval else ""
    note = f'<div class="note">{_text(fact.note)}</div>' if fact.note else ""
    return (
        f'<div class="fact"><dt>{_text(fact.label)}</dt>'
        f'<dd><div class="value">{_text(fact.value)}</div>{interval}{note}</dd></div>'
    )


def _filled(sections: Sequence[Section]) -> list[Section]:
    """Return the sections that hold anything."""
    return [s for s in sections if s.text or s.figures or s.tables or s.walls or s.maps]


def _section(section: Section, number: int, photos: bool) -> Iterator[str]:
    yield f'<section><h2 id="s{number}">{_text(section.title)}</h2>'
    yield from (f"<p>{_text(paragraph)}</p>" for paragraph in section.text)
    for place, plot in enumerate(section.figures, start=1):
        yield from _figure(plot, f"{number}.{place}", photos)
    for table in section.tables:
        yield from _table(table)
    for wall in section.walls:
        yield from _wall(wall, photos)
    for shown in section.maps:
        yield from _map(shown, photos)
    yield "</section>"


def _figure(plot: Plot, number: str, photos: bool) -> Iterator[str]:
    if plot.photos and not photos:
        yield f'<p class="note">Figure {number} is left out, since it shows people: '
        yield f"{_text(plot.alt)} {_download(plot.csv(), plot.name)}</p>"
        return
    svg = plot.svg()
    source = (
        _data("image/svg+xml", svg.encode())
        if len(svg) <= SVG_LIMIT
        else _data("image/png", plot.png())
    )
    yield f'<figure id="f{number}"><img src="{source}" alt="{_text(plot.alt)}">'
    yield f"<figcaption>Figure {number}. {_text(plot.alt)} {_download(plot.csv(), plot.name)}"
    yield "</figcaption></figure>"


def _table(table: Table) -> Iterator[str]:
    yield f"<h3>{_text(table.title)} {_download(table.csv(), table.title)}</h3>"
    # on a telephone the cells of a wide row stand below each other, each with its column's name
    wide = len(table.columns) > WIDE
    long = len(table.columns) == 2 and len(table.rows) > LONG
    look = ' class="wide"' if wide else ' class="long"' if long else ""
    yield f'<div class="scroll"><table{look}><thead><tr>'
    kinds = [_kind([row[k] for row in table.rows]) for k in range(len(table.columns))]
    yield "".join(
        f'<th scope="col"{kind}>{_text(name)}</th>'
        for name, kind in zip(table.columns, kinds, strict=True)
    )
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = map(_cell, row, kinds, table.columns if wide else repeat(""))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"
    if table.note:
        yield f'<p class="note">{_text(table.note)}</p>'


def _kind(column: Sequence[object]) -> str:
    """Return the class of a column: head and cells of numbers stand right, one below the other."""
    told = [text for text in map(_shown, column) if text not in ("", "-")]
    numbers = sum(NUMBER.fullmatch(text) is not None for text in told)
    return ' class="number"' if numbers and 2 * numbers >= len(told) else ""


def _cell(value: object, kind: str, column: str) -> str:
    of = f' data-of="{_text(column)}"' if column else ""
    text = _shown(value)
    if kind and not NUMBER.fullmatch(text):
        kind = ' class="number words"'  # such as "too few pairs": its words may stand in lines
    return f"<td{kind}{of}>{_breakable(text)}</td>"


def _shown(value: object) -> str:
    """Return a cell as a reader wants it: whole numbers in groups of three."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _wall(wall: Wall, photos: bool) -> Iterator[str]:
    yield f'<h3>{_text(wall.title)}</h3><div class="wall">'
    for tile in wall.tiles:
        yield '<div class="tile"><div class="photos">'
        yield from (_photo(photo, photos) for photo in tile.photos)
        yield f"</div><p>{_text(tile.text)}</p></div>"
    yield "</div>"
    if wall.note:
        yield f'<p class="note">{_text(wall.note)}</p>'


def _photo(photo: Thumbnail, photos: bool) -> str:
    caption = f"<figcaption>{_breakable(photo.caption)}</figcaption>" if photo.caption else ""
    if not photos:
        return f"<figure>{caption}</figure>"
    source = _data(photo.kind, photo.data)
    return f'<figure><img src="{source}" alt="{_text(photo.caption)}">{caption}</figure>'


def _map(shown: FaceMap, photos: bool) -> Iterator[str]:
    sources: Sequence[str] = ()
    if photos and shown.photos:
        sources = [_data(p.kind, p.data) if p else "" for p in shown.photos]
    yield f"<h3>{_text(shown.title)} {_download(shown.plot().csv(), shown.title)}</h3>"
    yield drawn_map(shown, sources)
    if shown.note:
        yield f'<p class="note">{_text(shown.note)}</p>'


def _provenance(report: Report) -> Iterator[str]:
    yield '<section><h2 id="provenance">How these numbers were made</h2>'
    yield '<div class="scroll"><table class="provenance"><tbody>'
    for name, value in report.provenance.items():
        yield f'<tr><th scope="row">{_breakable(name)}</th><td>{_text(value)}</td></tr>'
    yield "</tbody></table></div></section>"
    yield f"<footer>Written by facelign {_text(__version__)}. This file loads nothing from "
    yield "anywhere and may be kept, printed and sent as it is.</footer>"


def _download(text: str, name: str) -> str:
    """Return a link that saves ``text`` as CSV; a data address, so nothing is fetched."""
    file = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "numbers"
    source = _data("text/csv", text.encode(ENCODING))
    return f'<a class="csv" download="{file}.csv" href="{source}">numbers (CSV)</a>'


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _breakable(value: object) -> str:
    """Return text whose long names break between their words."""
    return _text(value).replace("_", "_<wbr>")


def _text(value: object) -> str:
    """Return text that cannot become markup, in an element or in a quoted attribute."""
    return html.escape(str(value), quote=True)
