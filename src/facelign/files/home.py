"""Where things are: read once from the environment and the flags, handed down as values."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """Return the path that a person means: ``~`` is the home of its user, as for a shell.

    A shell leaves ``--out=~/t.csv`` alone. A path that names something is taken as it is, so that
    what lies in a folder called "~" can be reached; the ``~`` of nobody stays.
    """
    given = os.fspath(path)
    if not given.startswith("~") or os.path.lexists(given):
        return path if isinstance(path, Path) else Path(path)
    return Path(os.path.expanduser(given))  # noqa: PTH111 - an unknown user must not raise


def home_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder of everything facelign keeps: FACELIGN_HOME, else the user's data folder.

    Not the cache folder, which people empty: the default gallery lies here too.
    """
    read = os.environ if environment is None else environment
    named = read.get("FACELIGN_HOME", "")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_data_path("facelign", appauthor=False)


def gallery_path(option: Path | None) -> Path:
    """Return the gallery that a command means: the one named, or ``gallery.db`` in the home."""
    return option if option is not None else home_folder() / "gallery.db"


def store_address(place: str | Path) -> tuple[str, str] | None:
    """Return (kind, rest) of a gallery that is no file, such as ``KIND://host/name``, or None.

    A path that such an address was made into has lost one of its slashes and means the same.
    """
    found = re.fullmatch(r"([a-z][a-z0-9]+):/+(.*)", str(place))
    return None if found is None else (found[1], found[2])


def may_write(path: Path) -> bool:
    """Return whether a gallery may be changed; SQLite also makes files beside it.

    Of a gallery that is no file, its server says so when it is changed.
    """
    if store_address(path):
        return True
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)


def cache_path() -> Path:
    """Return the file of the vector cache."""
    return home_folder() / "cache" / "vectors.db"


def training_path() -> Path:
    """Return the folder in which training keeps aligned faces, and vectors of its teachers."""
    return home_folder() / "cache" / "training"
