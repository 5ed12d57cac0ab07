"""The page that demo writes: one file, no script, nothing from the network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facelign.types.decisions import Candidate

_STYLE = """
:root{--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--good:#0072b2;--no:#8c5a00;--paper:#fff}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:#f6f8fa;margin:0}
main{max-width:62rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{margin:.2rem 0}h2{margin:2.5rem 0 .5rem}h3{margin:0 0 .3rem}
p.lead{font-size:1.1rem;color:var(--soft);max-width:46rem}
section.photo{background:var(--paper);border:1px solid var(--line);border-radius:8px;
padding:1rem;margin:1rem 0}
.walk{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}
figure{margin:0}figcaption{font-size:.85rem;color:var(--soft);max-width:16rem}
img{max-width:100%;border-radius:4px;display:block}
img.chip{width:112px;height:112px}img.bar{width:256px;height:48px;image-rendering:pixelated}
.answer{font-weight:600}.known{color:var(--good)}.unknown{color:var(--no)}
table{border-collapse:collapse;margin:.4rem 0}td,th{padding:.2rem .7rem .2rem 0;text-align:left;
border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
pre{background:#0d1117;color:#e6edf3;padding:.7rem 1rem;border-radius:6px;overflow:auto;
white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}
footer{color:var(--soft);font-size:.9rem;margin-top:3rem}
"""


def html(
    summary: str,
    facts: Iterable[tuple[str, str]],
    enrolled: Iterable[str],
    probes: Iterable[str],
    command: str,
) -> str:
    """Return the page as one HTML document, of photos as ``photo`` tells them.

    Every text is escaped, here and below.
    """
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>facelign demo</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>From photo to name</h1><p class='lead'>{escape(summary)}</p>"
        f"<table>{rows}</table><pre>{escape(command)}</pre>"
        "<h2>1. Enrolled</h2><p>Each reference photo is read, the face is found, its points place "
        "it in the frame that the model knows, and the model turns it into a vector. Only the "
        "vector, box and points are kept; the photo is not.</p>"
        f"{''.join(enrolled)}"
        "<h2>2. Identified</h2><p>Every face of a probe photo goes the same way and is compared "
        "with every template. It gets a name only when its score reaches the threshold of the "
        "search; otherwise it stays unknown.</p>"
        f"{''.join(probes)}"
        "<footer>Made by facelign. Vectors of faces are biometric data: "
        "<code>facelign people remove NAME</code> takes a person out of the bytes and proves it."
        "</footer></main></body></html>"
    )


def photo(title: str, note: str, picture: str, faces: Iterable[str], command: str) -> str:
    """Return one photo: what it is, the annotated picture, its faces, and what does the same.

    picture: a data URL. faces: as ``face`` tells them.
    """
    return (
        f"<section class='photo'><h3>{escape(title)}</h3><p>{escape(note)}</p>"
        f"<div class='walk'><figure><img src='{picture}' alt='{escape(title)}'>"
        "<figcaption>read, detected: box and points</figcaption></figure>"
        f"<div>{''.join(faces)}</div></div><pre>{escape(command)}</pre></section>"
    )


def face(
    chip: str, barcode: str, candidates: Iterable[Candidate], answer: str, detail: str, kind: str
) -> str:
    """Return one face through the stages. chip, barcode: data URLs. kind: known or unknown."""
    table = "".join(
        f"<tr><td>{escape(c.person)}</td><td>{c.score:.3f}</td><td>{c.distance:.3f}</td></tr>"
        for c in candidates
    )
    if table:
        heads = "<tr><th>candidate</th><th>score</th><th>distance</th></tr>"
        table = f"<table>{heads}{table}</table>"
    return (
        f"<div class='walk'><figure><img class='chip' src='{chip}' alt='aligned face'>"
        "<figcaption>aligned: the chip</figcaption></figure>"
        f"<figure><img class='bar' src='{barcode}' alt='vector'>"
        "<figcaption>embedded: the vector, one bar a number</figcaption></figure>"
        f"<div>{table}<p class='answer {kind}'>{escape(answer)}</p>"
        f"<p>{escape(detail)}</p></div></div>"
    )
