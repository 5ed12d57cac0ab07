"""Where things are: read once from the environment and the flags, handed down as values."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the folder of weights, cache and the default gallery (``FACELIGN_HOME``)."""
    from facelign.weights.store import home_folder

    return home_folder()


def gallery_path(option: Path | None) -> Path:
    """Return the gallery that a command means: the one named, or ``gallery.db`` in the home."""
    return option if option is not None else home() / "gallery.db"


def may_write(path: Path) -> bool:
    """Return whether a gallery may be changed; SQLite also makes files beside it."""
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)


def cache_path() -> Path:
    """Return the file of the vector cache."""
    return home() / "cache" / "vectors.db"
