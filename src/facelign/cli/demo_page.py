"""The page that demo writes: one file, no script, nothing from the network."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

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


@dataclass(frozen=True, slots=True)
class FaceStory:
    """One face through the stages: pictures are data URLs."""

    chip: str
    barcode: str
    candidates: tuple[tuple[str, float, float], ...]  # person, score, distance
    answer: str
    known: bool
    detail: str


@dataclass(frozen=True, slots=True)
class PhotoStory:
    """One photo: what it is, the annotated picture, its faces and the commands that do the same."""

    title: str
    note: str
    picture: str
    faces: tuple[FaceStory, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page shows."""

    summary: str
    facts: tuple[tuple[str, str], ...]
    enrolled: tuple[PhotoStory, ...]
    probes: tuple[PhotoStory, ...]
    commands: tuple[str, ...]


def html(page: Page) -> str:
    """Return the page as one HTML document; every text is escaped."""
    facts = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in page.facts
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>facelign demo</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>From photo to name</h1><p class='lead'>{escape(page.summary)}</p>"
        f"<table>{facts}</table>{_code(page.commands)}"
        "<h2>1. Enrolled</h2><p>Each reference photo is read, the face is found, its points place "
        "it in the frame that the model knows, and the model turns it into a vector. Only the "
        "vector, box and points are kept; the photo is not.</p>"
        f"{''.join(_photo(story) for story in page.enrolled)}"
        "<h2>2. Identified</h2><p>Every face of a probe photo goes the same way and is compared "
        "with every template. It gets a name only when its score reaches the threshold of the "
        "search; otherwise it stays unknown.</p>"
        f"{''.join(_photo(story) for story in page.probes)}"
        "<footer>Made by facelign. Vectors of faces are biometric data: "
        "<code>facelign people remove NAME</code> takes a person out of the bytes and proves it."
        "</footer></main></body></html>"
    )


def _photo(story: PhotoStory) -> str:
    faces = "".join(_face(face) for face in story.faces)
    return (
        f"<section class='photo'><h3>{escape(story.title)}</h3><p>{escape(story.note)}</p>"
        f"<div class='walk'><figure><img src='{story.picture}' alt='{escape(story.title)}'>"
        f"<figcaption>read, detected: box and points</figcaption></figure><div>{faces}</div></div>"
        f"{_code(story.commands)}</section>"
    )


def _face(face: FaceStory) -> str:
    rows = "".join(
        f"<tr><td>{escape(person)}</td><td>{score:.3f}</td><td>{distance:.3f}</td></tr>"
        for person, score, distance in face.candidates
    )
    table = (
        f"<table><tr><th>candidate</th><th>score</th><th>distance</th></tr>{rows}</table>"
        if rows
        else ""
    )
    kind = "known" if face.known else "unknown"
    return (
        f"<div class='walk'><figure><img class='chip' src='{face.chip}' alt='aligned face'>"
        "<figcaption>aligned: the chip</figcaption></figure>"
        f"<figure><img class='bar' src='{face.barcode}' alt='vector'>"
        "<figcaption>embedded: the vector, one bar a number</figcaption></figure>"
        f"<div>{table}<p class='answer {kind}'>{escape(face.answer)}</p>"
        f"<p>{escape(face.detail)}</p></div></div>"
    )


def _code(commands: tuple[str, ...]) -> str:
    return f"<pre>{escape(chr(10).join(commands))}</pre>" if commands else ""
