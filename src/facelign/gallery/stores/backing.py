"""A copy of a gallery that is whole and consistent, also while others write."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from facelign.errors import GalleryCorrupt, GalleryError, InputError, Remedy
from facelign.files.disk import replacing
from facelign.gallery.stores import connection as sql
from facelign.gallery.stores.checking import check
from facelign.gallery.stores.migrations import APPLICATION_ID
from facelign.types.templates import Checkup

#: pages that are copied between two words of how far it is: a megabyte with the pages of today
_PAGES = 256

Told = Callable[[int, int], None]


def back_up(gallery: Path, target: Path, told: Told = lambda _done, _all: None) -> Checkup:
    """Copy a gallery by SQLite's online backup (sqlite.org/backup), readable by its owner only.

    The copy is one state of the gallery: others may write meanwhile. It is checked before it takes
    its place. told: called with the bytes done and the bytes of all. Raises GalleryCorrupt where
    the gallery is damaged, InputError where the target cannot be written.
    """
    try:
        with replacing(target) as scratch:
            os.close(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            with (
                sql.translated(gallery),
                closing(sql.connect(gallery, readonly=True)) as source,
                closing(sqlite3.connect(scratch, isolation_level=None)) as copy,
            ):
                copy.execute("PRAGMA journal_mode = OFF")  # nothing of it lies beside the copy
                size = source.execute("PRAGMA page_size").fetchone()[0]
                source.execute("BEGIN")  # one state, however long the copy takes
                source.execute("SELECT revision FROM state").fetchone()
                source.backup(
                    copy,
                    pages=_PAGES,
                    progress=lambda _, left, every: told((every - left) * size, every * size),
                    sleep=0,
                )
            done = check(scratch, alone=True)
            if not done.sound:
                raise GalleryCorrupt(
                    f"{gallery} is damaged, and no copy of it was made.",
                    "See what is damaged: facelign gallery check",
                )
    except OSError as error:
        raise InputError(
            f"{target} cannot be written: {error.strerror or error}.", "Name another place."
        ) from error
    return Checkup(target, done.findings)


def refuse_taken(gallery: Path | None, target: Path, replace: bool) -> None:
    """Raise GalleryError where a copy may not go."""
    if target == gallery:
        raise GalleryError(f"{target} is the gallery itself.", "Name another place.")
    if target.is_dir():
        raise GalleryError(f"{target} is a folder.", "Name another place.")
    if target.exists() and not replace:
        raise GalleryError(f"{target} is there already.", Remedy.REPLACE_FILE)
    if target.exists() and sql.kind_of(target) != APPLICATION_ID:  # somebody's photos or model
        raise GalleryError(
            f"{target} is no gallery, and only a gallery is replaced by a back-up.",
            "Name another file, or move that one away.",
        )
    if not target.parent.exists():
        raise GalleryError(
            f"There is no folder {target.parent}.", "Make it first, or name another place."
        )
    log = target.with_name(target.name + "-wal")
    if log.is_file() and log.stat().st_size:  # SQLite would play it into the copy
        raise GalleryError(f"{target} is in use by another program.", "Name another place.")
