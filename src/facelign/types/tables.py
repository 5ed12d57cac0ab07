"""What a notebook shows of a value: a small table, all text made harmless."""

from __future__ import annotations

from collections.abc import Sequence


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a title and a table as HTML; without rows, the title alone."""
    import html  # notebooks want it, commands do not

    head = f"<p>{html.escape(title)}</p>"
    if not rows:
        return head
    names = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"{head}<table><thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>"
