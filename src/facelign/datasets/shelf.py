"""Where the photos of a list are: in a folder, or among vectors that were saved before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from facelign.errors import DatasetMalformed
from facelign.files.home import expanded

#: suffixes under which copies of LFW keep their photos
SUFFIXES = (".jpg", ".png", ".jpeg", ".JPG", ".PNG", ".bmp", ".pgm", ".ppm", ".webp")
_ENDS = frozenset({suffix.lower() for suffix in SUFFIXES} | {".gif", ".tif", ".tiff", ".avif"})
#: a folder with more folders in it than this holds people, not copies of a set
_COPIES = 20
#: copies lie up to this deep, as in lfw-deepfunneled/lfw-deepfunneled/NAME
_DEPTH = 2


class Shelf(Protocol):
    """Finds the photos that a list names."""

    title: str

    def numbered(self, person: str, number: int) -> Path:
        """Return the photo of that number of a person, whether or not it is there."""
        ...

    def named(self, name: str) -> Path:
        """Return the photo that a list calls ``name``, whether or not it is there."""
        ...

    def holds(self, path: Path) -> bool:
        """Return whether a photo is there."""
        ...


class FolderShelf:
    """Photos below a folder, in the shapes in which copies of LFW are about.

    ``NAME/NAME_0001.jpg`` or ``NAME_0001.jpg``, with any usual suffix, in the folder itself or in
    the only folder inside it that has them, such as ``lfw_home/lfw_funneled``.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = expanded(root)
        self.title = str(root)

    def numbered(self, person: str, number: int) -> Path:
        """Return the photo of a person; ``NAME/NAME_0001.jpg`` of the folder if there is none.

        Raises DatasetMalformed where two copies inside the folder have it.
        """
        stem = f"{person}_{number:04d}"
        names = (f"{person}/{stem}", stem)
        found = _first(self.root, names)
        if found is None:
            tries = (_first(base, names) for base in self._copies)
            inside = list(dict.fromkeys(path for path in tries if path))
            if len(inside) > 1:
                raise DatasetMalformed(
                    f"{inside[0].name} is in {inside[0].parent} and in {inside[1].parent}.",
                    "Give the folder of one copy.",
                )
            found = inside[0] if inside else None
        return found or self.root / f"{person}/{stem}{SUFFIXES[0]}"

    def named(self, name: str) -> Path:
        """Return the photo of that path, or of its last part where its folders are not there."""
        plain = PurePosixPath(name.replace("\\", "/"))
        tries = (self.root / name, self.root / plain, self.root / plain.name)
        return next((path for path in tries if path.is_file()), tries[0])

    def holds(self, path: Path) -> bool:
        """Return whether the file is there."""
        return path.is_file()

    @cached_property
    def _copies(self) -> tuple[Path, ...]:
        return tuple(_folders(self.root, _DEPTH))


class SavedShelf:
    """Photos of saved vectors, by their paths as saved.

    A list may name a photo by its whole path, by its last folder and name, or by its name alone,
    with or without the suffix, as far as that means one photo. The longest match counts.
    """

    def __init__(self, title: str, files: Sequence[str]) -> None:
        if not files:
            raise DatasetMalformed(
                f"{title} does not say of which photos the vectors are.",
                "Wanted for a list of pairs: an array of paths, called files.",
            )
        self.title = title
        self._paths = {Path(file) for file in files}
        self._by_key: dict[str, set[Path]] = {}
        for path in self._paths:
            for key in _keys(str(path)):
                self._by_key.setdefault(key, set()).add(path)

    def numbered(self, person: str, number: int) -> Path:
        """Return the photo of that number of a person, as saved."""
        return self.named(f"{person}/{person}_{number:04d}")

    def named(self, name: str) -> Path:
        """Return the photo that ``name`` means, as saved, or ``name`` itself where there is none.

        Raises DatasetMalformed for a name that means several photos.
        """
        for key in _keys(name):
            found = self._by_key.get(key, set())
            if len(found) == 1:
                return next(iter(found))
            if found:
                one, other = sorted(found)[:2]
                raise DatasetMalformed(
                    f"{name} may be {one} or {other} of {self.title}.",
                    "Name photos in the list as the saved vectors name them.",
                )
        return Path(name)

    def holds(self, path: Path) -> bool:
        """Return whether a vector of the photo is there."""
        return path in self._paths


def shelf_of(images: str | Path | Shelf) -> Shelf:
    """Return the shelf of a folder, or the shelf that is given."""
    return FolderShelf(images) if isinstance(images, str | Path) else images


def _first(base: Path, names: Sequence[str]) -> Path | None:
    tries = (base / f"{name}{suffix}" for name in names for suffix in SUFFIXES)
    return next((path for path in tries if path.is_file()), None)


def _folders(root: Path, depth: int) -> Iterator[Path]:
    """Yield folders below ``root`` that may hold a copy of the set."""
    if not depth or not root.is_dir():
        return
    inner = sorted(e for e in root.iterdir() if e.is_dir() and not e.name.startswith("."))
    if len(inner) > _COPIES:
        return
    for folder in inner:
        yield folder
        yield from _folders(folder, depth - 1)


def _keys(name: str) -> list[str]:
    """Return what a photo may be called, from the whole path to the bare name."""
    path = PurePosixPath(name.replace("\\", "/"))
    suffix = path.suffix if path.suffix.lower() in _ENDS else ""
    keys = ["/".join(path.parts[-count:]) for count in (len(path.parts), 2, 1)]
    return list(dict.fromkeys(kept for key in keys for kept in (key, key.removesuffix(suffix))))
