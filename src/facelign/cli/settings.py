"""Where things are: read once from the environment and the flags, handed down as values."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the folder of cache, settings and the default gallery (``FACELIGN_HOME``)."""
    named = os.environ.get("FACELIGN_HOME")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_data_path

    return user_data_path("facelign", appauthor=False)


def gallery_path(option: Path | None) -> Path:
    """Return the gallery that a command means: the one named, or ``gallery.db`` in the home."""
    return option if option is not None else home() / "gallery.db"


def cache_path() -> Path:
    """Return the file of the vector cache."""
    return home() / "cache" / "vectors.db"
