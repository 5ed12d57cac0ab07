"""The best view of each visit as a file, for as long as was said."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from facelign.errors import ConfigError
from facelign.files import disk, ledger
from facelign.files.home import expanded
from facelign.imaging.write import encode
from facelign.types.arrays import ByteArray

#: how often files that are too old are looked for
_LOOK_EVERY = timedelta(minutes=10)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def span(name: str, text: str) -> timedelta:
    """Return how long "7d", "12h", "90m" or "30s" is; raises ConfigError for anything else.

    >>> span("--keep", "7d").days
    7
    """
    found = re.fullmatch(r"(\d{1,6})\s*([smhdw])", text.strip())
    if found is None or not int(found[1]):
        raise ConfigError(f"{name} {text} is no time.", "Give such as 12h, 7d or 4w.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


class Snapshots:
    """JPEG files that only their owner may read, in a folder a camera and day.

    keep: how long a file stays; None: for ever.
    """

    def __init__(self, folder: Path, keep: timedelta | None = None) -> None:
        # events tell where a file is: also to who stands in another folder
        self._folder, self._keep = expanded(folder).absolute(), keep
        self._looked = datetime.min.replace(tzinfo=UTC)
        ledger.results_folder(self._folder)

    def write(
        self, camera: str, pixels: ByteArray, taken: datetime, path: str | None = None
    ) -> str:
        """Write a view, (h, w, 3) uint8 RGB, and return its file.

        path: of an earlier view of the same visit, in whose place this one comes. Raises InputError
        where it cannot be written.
        """
        self._clean(taken)
        if path is None:
            day = self._folder / plain(camera) / f"{taken:%Y-%m-%d}"
            stem, number = f"{taken:%H%M%S-%f}", 1
            place = day / f"{stem}.jpg"
            while place.exists():
                number += 1
                place = day / f"{stem}-{number}.jpg"
            path = str(place)
        disk.write(Path(path), encode(pixels, "jpeg"), private=True)
        return path

    def _clean(self, now: datetime) -> None:
        """Delete files that are older than is wanted, and folders that are empty then."""
        if self._keep is None or now - self._looked < _LOOK_EVERY:
            return
        self._looked = now
        oldest = (now - self._keep).timestamp()
        for day in self._folder.glob("*/????-??-??"):
            for file in day.glob("*.jpg"):
                if file.stat().st_mtime < oldest:
                    file.unlink(missing_ok=True)
            if not any(day.iterdir()):
                day.rmdir()


def plain(camera: str) -> str:
    """Return a folder's name that any file system takes."""
    return re.sub(r"[^\w.-]+", "_", camera).strip("._")[:80] or "camera"
