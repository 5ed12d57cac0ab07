"""Changes of a gallery and how they are taken back. The history holds no vectors.

A row names the people it is about by id and by name. When a person is removed, every row that
tells of them goes too, and only the removal itself stays: how many templates, and when.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from facelign.errors import GalleryError
from facelign.types.templates import Change

Named = tuple[int, str]
#: actions of which ``undo`` takes several back as one, when they belong to one run
_ADDING = ("enroll", "import")


def _write(
    db: sqlite3.Connection,
    time: str,
    action: str,
    templates: int,
    detail: dict[str, Any],
    person: Named | None = None,
    other: Named | None = None,
    run: str | None = None,
) -> None:
    db.execute(
        "INSERT INTO history (time, action, person, name, other, other_name, templates, detail,"
        " run) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            time,
            action,
            *(person or (None, None)),
            *(other or (None, None)),
            templates,
            json.dumps(detail, separators=(",", ":")),
            run,
        ),
    )


# -- changes -------------------------------------------------------------------------------------


def enrolled(
    db: sqlite3.Connection,
    time: str,
    *,
    person: Named | None,
    templates: tuple[int, int],
    people: tuple[int, int],
    run: str | None,
    action: str = "enroll",
) -> None:
    """Write down an enrollment. templates, people: first id and the one after the last new one."""
    detail = {"templates": templates, "people": people}
    _write(db, time, action, templates[1] - templates[0], detail, person, None, run)


def rename(db: sqlite3.Connection, time: str, person: Named, new: str) -> None:
    """Give a person another name."""
    _refuse_taken(db, new)
    db.execute("UPDATE people SET name = ? WHERE id = ?", (new, person[0]))
    _write(db, time, "rename", 0, {}, person, (person[0], new))


def merge(db: sqlite3.Connection, time: str, source: Named, target: Named) -> int:
    """Give the templates and rejections of ``source`` to ``target``; returns how many templates."""
    moved = _ids(db, "SELECT id FROM templates WHERE person = ? ORDER BY id", source[0])
    created = db.execute("SELECT created FROM people WHERE id = ?", (source[0],)).fetchone()[0]
    rejected = db.execute(
        "SELECT digest, reference, created FROM rejections WHERE person = ?", (source[0],)
    ).fetchall()
    held = {
        row[0] for row in db.execute("SELECT digest FROM rejections WHERE person = ?", (target[0],))
    }
    db.execute("UPDATE templates SET person = ? WHERE person = ?", (target[0], source[0]))
    db.execute("DELETE FROM rejections WHERE person = ?", (source[0],))
    db.executemany(
        "INSERT OR IGNORE INTO rejections VALUES (?, ?, ?, ?)",
        [(target[0], *row) for row in rejected],
    )
    db.execute("DELETE FROM people WHERE id = ?", (source[0],))
    detail = {
        "moved": _ranges(moved),
        "created": created,
        "rejected": [row[0] for row in rejected],
        "both": [row[0] for row in rejected if row[0] in held],
    }
    _write(db, time, "merge", len(moved), detail, source, target)
    return len(moved)


def split(
    db: sqlite3.Connection, time: str, person: Named, new: Named, templates: Sequence[int]
) -> None:
    """Make a new person of some templates of another one."""
    _refuse_taken(db, new[1])
    db.execute("INSERT INTO people VALUES (?, ?, ?)", (*new, time))
    _give(db, templates, new[0])
    _write(db, time, "split", len(templates), {"moved": _ranges(templates)}, person, new)


def reject(
    db: sqlite3.Connection, time: str, person: Named, digest: str, reference: str, templates: int
) -> bool:
    """Write down that a photo does not show a person; False when that was known."""
    row = (person[0], digest, reference, time)
    if not db.execute("INSERT OR IGNORE INTO rejections VALUES (?, ?, ?, ?)", row).rowcount:
        return False
    _write(db, time, "reject", templates, {"digest": digest}, person)
    return True


def removed(db: sqlite3.Connection, time: str, person: int, name: str, templates: int) -> None:
    """Write down a removal, and drop every row that tells of the person under any name."""
    ids, names = _all_of(db, person, name)
    db.execute(
        "DELETE FROM history WHERE person IN (SELECT value FROM json_each(?1))"
        " OR other IN (SELECT value FROM json_each(?1))"
        " OR name IN (SELECT value FROM json_each(?2))"
        " OR other_name IN (SELECT value FROM json_each(?2))",
        (json.dumps(ids), json.dumps(names)),
    )
    _write(db, time, "remove", templates, {})


def _all_of(db: sqlite3.Connection, person: int, name: str) -> tuple[list[int], list[str]]:
    """Return the ids that became this person by merges, and the names that they ever had."""
    ids, todo = {person}, [person]
    while todo:
        query = "SELECT person FROM history WHERE action = 'merge' AND other = ?"
        for (source,) in db.execute(query, (todo.pop(),)).fetchall():
            if source not in ids:
                ids.add(source)
                todo.append(source)
    names = {name}
    for number in ids:
        query = (
            "SELECT name FROM history WHERE person = ?1 AND name IS NOT NULL"
            " UNION SELECT other_name FROM history WHERE other = ?1 AND other_name IS NOT NULL"
        )
        names |= {row[0] for row in db.execute(query, (number,))}
    return sorted(ids), sorted(names)


# -- what the history says -----------------------------------------------------------------------


def changes(db: sqlite3.Connection) -> list[Change]:
    """Return the history, oldest first."""
    query = "SELECT number, time, action, name, other_name, templates, undone FROM history"
    return [_change(*row) for row in db.execute(query + " ORDER BY number")]


def _change(
    number: int,
    time: str,
    action: str,
    name: str | None,
    other: str | None,
    templates: int,
    undone: str | None,
) -> Change:
    count = f"{templates} template{'' if templates == 1 else 's'}"
    text = {
        "enroll": f"{count} of {name or 'several people'}",
        "import": count,
        "rename": f"{name} is now {other}",
        "merge": f"{name} went into {other}, with {count}",
        "split": f"{count} of {name} became {other}",
        "reject": f"a photo is not {name}" + (f", {count} set aside" if templates else ""),
        "remove": f"one person with {count}",
    }.get(action, count)
    return Change(number, time, action, text, templates, undone)


# -- undo ----------------------------------------------------------------------------------------


def undo(db: sqlite3.Connection, time: str) -> list[Change]:
    """Take the last change back (all enrollments of its run as one); returns what was undone.

    Raises GalleryError when there is none, or when it is a removal.
    """
    query = (
        "SELECT number, action, person, name, other, detail, run FROM history"
        " WHERE undone IS NULL ORDER BY number DESC"
    )
    rows: list[Any] = []
    for row in db.execute(query):
        first = rows[0] if rows else row
        if rows and not (row[1] in _ADDING and row[6] == first[6]):
            if row[1] in _ADDING:
                continue  # of another run, enrolled at the same time
            break
        rows.append(row)
        if row[1] not in _ADDING or row[6] is None:
            break
    if not rows:
        raise GalleryError("There is nothing to undo.", "See: facelign people history")
    if rows[0][1] == "remove":
        raise GalleryError(
            "The last change was a removal, which cannot be undone.", "Enroll the person again."
        )
    for number, action, person, name, other, detail, _ in rows:
        _UNDO[action](db, json.loads(detail), person, name, other)
        db.execute("UPDATE history SET undone = ? WHERE number = ?", (time, number))
    done = {row[0] for row in rows}
    return [change for change in changes(db) if change.number in done]


def _undo_enroll(
    db: sqlite3.Connection, detail: dict[str, Any], person: int, name: str, other: int
) -> None:
    query = "SELECT DISTINCT person FROM templates WHERE id >= ? AND id < ?"
    owners = {*_ids(db, query, *detail["templates"]), *range(*detail["people"])}
    db.execute("DELETE FROM vectors WHERE template >= ? AND template < ?", detail["templates"])
    db.execute("DELETE FROM templates WHERE id >= ? AND id < ?", detail["templates"])
    # Whoever has nothing left came with this enrollment, or with one that was undone before it.
    db.executemany(
        "DELETE FROM people WHERE id = ?"
        " AND NOT EXISTS (SELECT 1 FROM templates t WHERE t.person = people.id)"
        " AND NOT EXISTS (SELECT 1 FROM rejections r WHERE r.person = people.id)",
        [(owner,) for owner in owners],
    )
    db.execute("UPDATE state SET unscrubbed = 1")


def _undo_rename(
    db: sqlite3.Connection, detail: dict[str, Any], person: int, name: str, other: int
) -> None:
    db.execute("UPDATE people SET name = ? WHERE id = ?", (name, person))


def _undo_merge(
    db: sqlite3.Connection, detail: dict[str, Any], person: int, name: str, other: int
) -> None:
    db.execute("INSERT INTO people VALUES (?, ?, ?)", (person, name, detail["created"]))
    _give(db, _listed(detail["moved"]), person)
    for digest in detail["rejected"]:
        db.execute(
            "INSERT INTO rejections SELECT ?, digest, reference, created FROM rejections"
            " WHERE person = ? AND digest = ?",
            (person, other, digest),
        )
        if digest not in detail["both"]:
            db.execute("DELETE FROM rejections WHERE person = ? AND digest = ?", (other, digest))


def _undo_split(
    db: sqlite3.Connection, detail: dict[str, Any], person: int, name: str, other: int
) -> None:
    _give(db, _listed(detail["moved"]), person)
    db.execute("DELETE FROM people WHERE id = ?", (other,))


def _undo_reject(
    db: sqlite3.Connection, detail: dict[str, Any], person: int, name: str, other: int
) -> None:
    query = "DELETE FROM rejections WHERE person = ? AND digest = ?"
    db.execute(query, (person, detail["digest"]))


_UNDO: dict[str, Callable[[sqlite3.Connection, dict[str, Any], int, str, int], None]] = {
    "enroll": _undo_enroll,
    "import": _undo_enroll,
    "rename": _undo_rename,
    "merge": _undo_merge,
    "split": _undo_split,
    "reject": _undo_reject,
}


def _refuse_taken(db: sqlite3.Connection, name: str) -> None:
    if db.execute("SELECT 1 FROM people WHERE name = ?", (name,)).fetchone():
        raise GalleryError(
            f"There is a '{name}' already.", "Choose another name, or merge the two."
        )


def _give(db: sqlite3.Connection, templates: Iterable[int], person: int) -> None:
    query = "UPDATE templates SET person = ? WHERE id = ?"
    db.executemany(query, [(person, template) for template in templates])


def _ids(db: sqlite3.Connection, query: str, *values: object) -> list[int]:
    return [int(row[0]) for row in db.execute(query, values)]


def _ranges(ids: Iterable[int]) -> list[list[int]]:
    """Return rising ids as [first, after the last] pairs."""
    found: list[list[int]] = []
    for number in sorted(ids):
        if found and found[-1][1] == number:
            found[-1][1] += 1
        else:
            found.append([number, number + 1])
    return found


def _listed(ranges: Iterable[Sequence[int]]) -> list[int]:
    return [number for first, end in ranges for number in range(first, end)]
