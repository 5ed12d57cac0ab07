"""The page that demo writes: one file, no script, nothing from the network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facelign.types.decisions import Candidate

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--good:#0072b2;
--no:#8c5a00;--paper:#fff;--ground:#f6f8fa}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#a2abb5;--line:#3a414a;
--good:#63b8ec;--no:#e5a53a;--paper:#1c2128;--ground:#12161b}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0}
main{max-width:82rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{margin:.2rem 0}h2{margin:2.2rem 0 .5rem}h3{margin:0}p{max-width:46rem;margin:.4rem 0}
p.lead{font-size:1.1rem;color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,36rem),1fr));gap:1rem}
section.photo{background:var(--paper);border:1px solid var(--line);border-radius:8px;
padding:1rem;min-width:0}
.walk{display:grid;grid-template-columns:minmax(0,min(14rem,36%)) minmax(0,1fr);gap:1rem;
margin:.6rem 0}
.several{grid-column:1/-1}.several .faces{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr))}
.faces,.face,.said{min-width:0}
.face{display:flex;flex-wrap:wrap;gap:.3rem 1rem;align-content:flex-start}
h3,p,td{overflow-wrap:anywhere}td+td,th{overflow-wrap:normal}
figure{margin:0}figcaption{font-size:.85rem;color:var(--soft)}
img{max-width:100%;border-radius:4px;display:block}.walk>figure img{width:100%}
img.chip{width:96px;height:96px}img.bar{width:100%;height:28px;image-rendering:pixelated}
.vector{flex:1 1 9rem}
.said{flex:1 1 100%}.answer{font-weight:600}.known{color:var(--good)}.unknown{color:var(--no)}
table{border-collapse:collapse;margin:.4rem 0}td,th{padding:.2rem .7rem .2rem 0;text-align:left;
vertical-align:top;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
pre{background:#0d1117;color:#e6edf3;padding:.6rem .9rem;border-radius:6px;margin:.4rem 0;
white-space:pre-wrap;overflow-wrap:anywhere;font-size:.82rem}
footer{color:var(--soft);font-size:.9rem;margin-top:3rem}
@media (max-width:24rem){.walk{grid-template-columns:minmax(0,1fr)}}
"""


def html(
    summary: str,
    facts: Iterable[tuple[str, str]],
    enrolled: Iterable[str],
    probes: Iterable[str],
    command: str,
    next_steps: Iterable[tuple[str, str]],
    *,
    unshown: int = 0,
) -> str:
    """Return the page as one HTML document, of photos as ``photo`` tells them.

    unshown: photos that were enrolled too. next_steps: (what one may do now, the command). Every
    text is escaped, here and below.
    """
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts
    )
    more = f"<p>{unshown} more enrolled in the same way.</p>" if unshown else ""
    steps = "".join(
        f"<section class='photo'>{escape(what)}<pre>{escape(words)}</pre></section>"
        for what, words in next_steps
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
        f"<div class='cards'>{''.join(enrolled)}</div>{more}"
        "<h2>2. Identified</h2><p>Every face of a probe photo goes the same way and is compared "
        "with every template. It gets a name only when its score reaches the threshold of the "
        "search; otherwise it stays unknown.</p>"
        f"<div class='cards'>{''.join(probes)}</div>"
        f"<h2>3. What next</h2><div class='cards'>{steps}</div>"
        "<footer>Made by facelign. Vectors of faces are biometric data: "
        "<code>facelign people remove NAME</code> takes a person out of the bytes and proves it."
        "</footer></main></body></html>"
    )


def photo(
    title: str, note: str, picture: str, faces: Iterable[str], command: str, *, shown: str
) -> str:
    """Return one photo: what it is, the annotated picture, its faces, and what does the same.

    picture: a data URL. faces: as ``face`` tells them. shown: what is drawn on the picture, where
    there is a face.
    """
    told = list(faces)
    if not told:
        shown = "read; no face to mark"
    nobody = "<p class='answer unknown'>No face that could be used, so there is nobody to name.</p>"
    return (
        f"<section class='photo{' several' * (len(told) > 1)}'><h3>{escape(title)}</h3>"
        f"<p>{escape(note)}</p>"
        f"<div class='walk'><figure><img src='{picture}' alt='{escape(title)}'>"
        f"<figcaption>{escape(shown)}</figcaption></figure>"
        f"<div class='faces'>{''.join(told) or nobody}</div></div>"
        f"<pre>{escape(command)}</pre></section>"
    )


def face(
    chip: str, barcode: str, candidates: Iterable[Candidate], answer: str, detail: str, kind: str
) -> str:
    """Return one face through the stages. chip, barcode: data URLs. kind: known or unknown."""
    table = "".join(
        f"<tr><td>{escape(c.person).replace('_', '_<wbr>')}</td>"
        f"<td>{c.score:.3f}</td><td>{c.distance:.3f}</td></tr>"
        for c in candidates
    )
    if table:
        heads = "<tr><th>candidate</th><th>score</th><th>distance</th></tr>"
        table = f"<table>{heads}{table}</table>"
    return (
        f"<div class='face'><figure><img class='chip' src='{chip}' alt='aligned face'>"
        "<figcaption>aligned</figcaption></figure>"
        f"<figure class='vector'><img class='bar' src='{barcode}' alt='vector'>"
        "<figcaption>embedded: one bar a number</figcaption></figure>"
        f"<div class='said'>{table}<p class='answer {kind}'>{escape(answer)}</p>"
        f"<p>{escape(detail)}</p></div></div>"
    )
