"""A mirror: a folder, or an address, in which weight files are found by their SHA-256."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

from facelign.errors import DownloadFailed
from facelign.files.disk import digest
from facelign.types.specs import Source

#: a folder with more files than this is not a mirror but somebody's disk
MOST_FILES = 100_000


def is_address(mirror: str) -> bool:
    """Say whether ``mirror`` names an address rather than a folder."""
    return mirror.lower().startswith(("https://", "http://"))


class Folder:
    """The files below a folder, found by size first, so that few have to be read."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DownloadFailed(
                f"The mirror {root} is no folder.", "Let FACELIGN_MIRROR name a folder that exists."
            )
        self.root = root
        self._by_size: dict[int, list[Path]] = defaultdict(list)
        count = 0
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder) / name
                count += 1
                if count > MOST_FILES:
                    raise DownloadFailed(
                        f"The mirror {root} holds more than {MOST_FILES} files.",
                        "Let FACELIGN_MIRROR name the folder of the weights alone.",
                    )
                try:
                    self._by_size[path.stat().st_size].append(path)
                except OSError:
                    continue  # a dangling link: it cannot be the file we look for
        self._digests: dict[Path, str] = {}

    def find(self, source: Source) -> Path | None:
        """Return the file with the bytes of ``source``, or None."""
        for path in self._by_size.get(source.size, ()):
            if path not in self._digests:
                try:
                    self._digests[path] = digest(path)
                except OSError:
                    self._digests[path] = ""
            if self._digests[path] == source.sha256:
                return path
        return None


def addresses(mirror: str, source: Source, name: str) -> tuple[str, ...]:
    """Return where a mirror that is an address may keep the file: by digest, then by name."""
    base = mirror.rstrip("/")
    own = (source.member or source.url).rstrip("/").rsplit("/", 1)[-1]
    places = [f"{base}/{source.sha256}", f"{base}/{own}" if own else "", f"{base}/{name}"]
    return tuple(dict.fromkeys(place for place in places if place))
