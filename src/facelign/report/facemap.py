"""Faces in the plane as SVG whose points show a photo under the pointer.

Without a script it is still the picture, with each name as a tooltip of the browser.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from facelign.report.page import FaceMap
from facelign.report.plots.scatter import LEGEND_LIMIT, looks

WIDTH, HEIGHT, EDGE = 860, 560, 24

#: corners of a mark of radius 1, y down; the circle is drawn as such
SHAPES: dict[str, tuple[tuple[float, float], ...]] = {
    "s": ((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)),
    "^": ((0, -1), (0.95, 0.8), (-0.95, 0.8)),
    "v": ((0, 1), (0.95, -0.8), (-0.95, -0.8)),
    "<": ((-1, 0), (0.8, -0.95), (0.8, 0.95)),
    ">": ((1, 0), (-0.8, -0.95), (-0.8, 0.95)),
    "D": ((0, -1.1), (1.1, 0), (0, 1.1), (-1.1, 0)),
    "P": (
        *((-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35), (1, 0.35), (0.35, 0.35)),
        *((0.35, 1), (-0.35, 1), (-0.35, 0.35), (-1, 0.35), (-1, -0.35), (-0.35, -0.35)),
    ),
    "X": (
        *((-0.5, -1), (0, -0.5), (0.5, -1), (1, -0.5), (0.5, 0), (1, 0.5)),
        *((0.5, 1), (0, 0.5), (-0.5, 1), (-1, 0.5), (-0.5, 0), (-1, -0.5)),
    ),
    "p": tuple((math.sin(2 * math.pi * k / 5), -math.cos(2 * math.pi * k / 5)) for k in range(5)),
}

#: shows the photo of the mark under the pointer; reads only what is in the page
HOVER = """
for (const map of document.querySelectorAll('.map')) {
  const peek = map.querySelector('.peek');
  const show = event => {
    const mark = event.target.closest('.mark');
    if (!mark) { peek.style.display = 'none'; return; }
    peek.replaceChildren();
    if (mark.dataset.photo) {
      const img = document.createElement('img');
      img.src = mark.dataset.photo; img.alt = '';
      peek.append(img);
    }
    peek.append(mark.dataset.name);
    const place = map.getBoundingClientRect(), at = mark.getBoundingClientRect();
    peek.style.left = Math.min(at.right - place.left + 6, place.width - 160) + 'px';
    peek.style.top = (at.bottom - place.top + 6) + 'px';
    peek.style.display = 'block';
  };
  map.addEventListener('pointerover', show);
  map.addEventListener('pointerleave', () => { peek.style.display = 'none'; });
}
"""


def drawn_map(shown: FaceMap, photos: Sequence[str]) -> str:
    """Return the figure as HTML. photos: data addresses, one a point, or empty."""
    low, high = shown.points.min(axis=0), shown.points.max(axis=0)
    room = (WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE)
    scale = min(r / max(h - a, 1e-9) for r, a, h in zip(room, low, high, strict=True))
    # the frame is that of the points, so that no part of it is empty
    wide, tall = (max(240.0, (h - a) * scale + 2 * EDGE) for a, h in zip(low, high, strict=True))
    left, base = (
        (side - (h - a) * scale) / 2 for side, a, h in zip((wide, tall), low, high, strict=True)
    )
    style = looks(shown.people)
    parts = [
        '<figure><div class="map">',
        f'<svg viewBox="0 0 {wide:.0f} {tall:.0f}" width="{wide:.0f}" role="img" '
        f'aria-label="{_text(shown.title)}">',
    ]
    for k, (name, at) in enumerate(zip(shown.people, shown.points, strict=True)):
        x, y = left + (at[0] - low[0]) * scale, tall - base - (at[1] - low[1]) * scale
        photo = f' data-photo="{photos[k]}"' if photos and photos[k] else ""
        picture = shown.photos[k] if photo else None
        if picture is not None and picture.caption:
            name = f"{name}: {picture.caption}"
        parts.append(
            f'<g class="mark" data-name="{_text(name)}"{photo}><title>{_text(name)}</title>'
            f"{_mark(style[shown.people[k]], x, y)}</g>"
        )
    parts.append("</svg>")
    parts.append('<div class="peek" aria-hidden="true"></div></div>')
    parts.append(f"<figcaption>{_legend(style)}</figcaption></figure>")
    return "".join(parts)


def _mark(look: tuple[str, str], x: float, y: float, radius: float = 6.0) -> str:
    color, shape = look
    paint = f'fill="{color}" stroke="#fff" stroke-width="1"'
    if shape not in SHAPES:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" {paint}/>'
    corners = " ".join(f"{x + radius * dx:.1f},{y + radius * dy:.1f}" for dx, dy in SHAPES[shape])
    return f'<polygon points="{corners}" {paint}/>'


def _legend(style: dict[str, tuple[str, str]]) -> str:
    if len(style) > LEGEND_LIMIT:
        return f"{len(style)} people; a name appears under the pointer."
    return " ".join(
        f'<span class="key"><svg width="14" height="14" aria-hidden="true">{_mark(look, 7, 7, 5)}'
        f"</svg>{_text(name)}</span>"
        for name, look in style.items()
    )


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
