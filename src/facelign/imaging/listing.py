"""Which photos the words of a command line mean: files, folders, patterns, pasted paths."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from facelign.errors import ConfigError, InputError
from facelign.files import ledger
from facelign.imaging.containers import FILM, MAGIC_BYTES, RAW, kind_of
from facelign.types.wording import counted

#: suffixes of the formats that are read
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif", ".tiff"}
    | {".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif", ".hif"}
)
#: suffixes of what is no photo and yet nothing to pass over without a word
_NAMED = {
    RAW: {
        ".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf",
        ".rw2", ".rwl", ".raw", ".pef", ".srw", ".3fr", ".fff", ".iiq", ".kdc", ".dcr", ".mos",
        ".mrw", ".mef", ".erf", ".x3f", ".gpr",
    },
    FILM: {
        ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".3gp", ".3g2", ".wmv",
        ".mpg", ".mpeg", ".flv", ".vob", ".ogv", ".insv",
    },
}  # fmt: skip
#: the word for standard input; a file of that name is ./-; and what its photo is called
STDIN, STDIN_NAME = "-", "<standard input>"
#: where a shell puts what it hands over: standard input, and the pipe of <(...)
_HANDED_OVER = re.compile(r"/dev/stdin|(?:/dev|/proc/self)/fd/(\d+)")
#: characters without width that come along when a path is copied: marks and embeddings of
#: direction (Unicode Standard Annex 9), zero-width space and joiners, byte order mark
_MARKS = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
#: folders that file systems, file servers and archivers keep for themselves, with thumbnails and
#: deleted files in them: Synology DSM, QNAP QTS, Windows, Linux, macOS. Compared in lower case.
RESERVED = frozenset(
    {"@eadir", "@tmp", "@sharebin", "#recycle", "#snapshot"}
    | {"@recycle", "@__thumb", "@recently-snapshot", "@transcode"}
    | {"$recycle.bin", "recycler", "system volume information", "found.000"}
    | {"lost+found", "__macosx", "network trash folder", "temporary items"}
)
_QUOTES = "\"'\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb`"


@dataclass(frozen=True, slots=True)
class Listing:
    """The photos that were meant, in order, and what became of everything else.

    files: each once; files of a folder sorted by their path. skipped: (path, reason) of files in
    folders that are no pictures. missing: (word, reason) of words that mean no photo: failures.
    notes: sentences worth telling. folders: the folders that were looked through.
    """

    files: tuple[Path, ...] = ()
    skipped: tuple[tuple[Path, str], ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True, slots=True)
class PeopleFolders:
    """A folder that holds one folder a person.

    people: name of the folder -> its photos at any depth, both sorted. loose: photos that lie
    beside the people's folders. skipped: (path, reason). empty: names without a photo. notes:
    sentences worth telling.
    """

    people: Mapping[str, tuple[Path, ...]]
    loose: tuple[Path, ...] = ()
    skipped: tuple[tuple[Path, str], ...] = ()
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    files: dict[str, Path] = field(default_factory=dict)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    repeated: int = 0
    #: where results go, made absolute; whether some of it was left out; it was named itself
    results: Path | None = None
    left_out: bool = False
    itself: Path | None = None
    known: dict[Path, bool] = field(default_factory=dict)

    def holds(self, folder: Path) -> bool:
        """Return whether a folder is that of the results, or lies in it."""
        if self.results is None:
            return False
        if folder not in self.known:
            place = folder.resolve()
            self.known[folder] = place == self.results or self.results in place.parents
        return self.known[folder]

    def tell(self) -> None:
        """Note what was passed over in folders that a person would take for photos."""
        for kind in _NAMED:
            passed = [path for path, reason in self.skipped if reason == kind]
            if passed:
                one = len(passed) == 1
                which = f"{kind} is" if one else f"{len(passed)} {kind[2:]}s are"
                more = "" if one else ", ..."
                self.notes.append(f"{which} not read: {passed[0]}{more}")

    def take(self, path: Path) -> None:
        key = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links, which are files too
        self.repeated += key in self.files
        self.files.setdefault(key, path)


def photos(
    paths: Iterable[str | Path], *, recursive: bool = True, results: Path | None = None
) -> Listing:
    """Return the photos that ``paths`` mean.

    A file is always taken, whatever it is called. In a folder (and its folders, unless recursive
    is false) files with a picture's suffix are taken, and files without any suffix whose first
    bytes are a picture's; hidden ones, ``RESERVED`` folders, folders below that were made for
    pictures of results and the copies of photos that were sorted into one are passed over. A
    pattern (``*.jpg``, ``**/*.png``) that the shell left alone is expanded. A text that names
    nothing is tried again as ``clean_path`` reads it.

    results: the folder that a run writes its pictures into. What lies there is left out of folders
    and patterns around it, so that a rerun takes no result for a photo. Raises ConfigError
    where that folder is all that was named.
    """
    found = _Found(results=results.resolve() if results and results.is_dir() else None)
    for word in paths:
        _take_word(word, found, recursive)
    if found.itself is not None and not found.files:
        raise ConfigError(
            f"The results would lie among the photos of {found.itself}, and be taken for photos.",
            f"Name another folder, such as {found.itself / 'results'}.",
        )
    found.tell()
    if found.left_out:
        found.notes.append(f"the folder of the results is left out: {results}")
    if found.repeated:
        one = found.repeated == 1
        said = "photo was named twice and is" if one else "photos were named twice and are"
        found.notes.append(f"{found.repeated} {said} taken once")
    return Listing(
        tuple(found.files.values()),
        tuple(found.skipped),
        tuple(found.missing),
        tuple(found.notes),
        tuple(found.folders),
    )


def _take_word(word: str | Path, found: _Found, recursive: bool) -> None:
    refused = _refused(word)
    if refused:
        found.missing.append((str(word), refused))
        return
    path, note = clean_path(word) if isinstance(word, str) else (word, None)
    if note:
        found.notes.append(note)
    if word == STDIN or named(path):
        if path.is_dir():
            _take_folder(path, str(word), found, recursive)
        else:
            found.take(path)
        return
    pattern = os.path.expanduser(path)  # noqa: PTH111 - an unknown user must not raise
    if not glob.has_magic(pattern):
        found.missing.append((str(word), f"There is no file {path}."))
        return
    _take_matches(pattern, str(word), found, recursive)


def _take_matches(pattern: str, word: str, found: _Found, recursive: bool) -> None:
    """Take what a pattern means."""
    matches = sorted(set(_matches(pattern, found.notes)))
    if not matches:
        found.missing.append((word, f"No file matches {pattern}."))
    around = not found.holds(_head(pattern))  # what is asked for by name is read
    for match in map(Path, matches):
        if around and found.holds(match.parent):
            found.left_out = True
        elif not match.is_dir():
            _take_if_picture(match, found)
        elif not pattern.endswith("**"):
            _take_folder(match, str(match), found, recursive)


def _refused(word: str | Path) -> str:
    """Return why a word can mean no photo, "" if it may."""
    if word == "":  # an unset variable of a shell must not mean this folder
        return "An empty word names no photo."
    if isinstance(word, str) and address(word):
        return f"{word} is an address; nothing is fetched from the network."
    return ""


def _matches(pattern: str, notes: list[str]) -> Iterator[str]:
    """Yield what a pattern means; unlike glob's own, its ``**`` never walks in a circle of links.

    Two links up suffice for glob to find every photo in 2 to the power of 40 ways.
    """
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from glob.iglob(pattern)  # noqa: PTH207 - Path.glob knows no absolute patterns
        return
    at = parts.index("**")
    head, tail = parts[:at], parts[at + 1 :] or ("*",)
    for start in glob.iglob(os.path.join(*head)) if head else (".",):  # noqa: PTH118, PTH207
        for folder, is_folder in _entries(Path(start), True, notes):
            if is_folder:
                yield from _matches(os.path.join(glob.escape(str(folder)), *tail), notes)  # noqa: PTH118


def _head(pattern: str) -> Path:
    """Return the folder from which a pattern looks."""
    head: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        head.append(part)
    return Path(*head)


def _take_folder(folder: Path, word: str, found: _Found, recursive: bool) -> None:
    before = len(found.files) + found.repeated
    found.folders.append(folder)
    inside = found.holds(folder)
    if inside and folder.resolve() == found.results:
        found.itself, found.left_out = folder, True
        return
    for path in _walk(folder, recursive, found.notes):
        if inside or not found.holds(path.parent):
            _take_if_picture(path, found)
        else:
            found.left_out = True
    if len(found.files) + found.repeated == before:
        found.missing.append((word, f"The folder {folder} holds no photo."))


def _take_if_picture(path: Path, found: _Found) -> None:
    reason = not_a_picture(path)
    if reason:
        found.skipped.append((path, reason))
    else:
        found.take(path)


def not_a_picture(path: Path) -> str:
    """Return why a file in a folder is not taken for a photo; "" when it is."""
    if path.suffix.lower() in SUFFIXES:
        return ""
    if path.suffix:
        ending = path.suffix.lower()
        return next((kind for kind, endings in _NAMED.items() if ending in endings), "no picture")
    try:
        if not path.is_file():  # a pipe would block
            return "no picture"
        with path.open("rb") as file:
            return "" if kind_of(file.read(MAGIC_BYTES)) else "no picture"
    except OSError as problem:
        return f"cannot be opened: {problem.strerror}"


def _walk(
    folder: Path,
    recursive: bool,
    notes: list[str],
    above: frozenset[tuple[int, int]] = frozenset(),
) -> Iterator[Path]:
    """Yield the files below a folder, sorted; links are followed, but never in a circle."""
    for path, is_folder in _entries(folder, recursive, notes, above):
        if not is_folder:
            yield path


def _entries(
    folder: Path,
    recursive: bool,
    notes: list[str],
    above: frozenset[tuple[int, int]] = frozenset(),
) -> Iterator[tuple[Path, bool]]:
    """Yield the folder and what is below it, sorted, and whether it is a folder.

    above: device and inode of the folders above, to which a link is not followed.
    """
    try:
        state = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as problem:
        notes.append(f"the folder {folder} cannot be read: {problem.strerror}")
        return
    here = (state.st_dev, state.st_ino)
    if here in above and here != (0, 0):
        notes.append(f"the folder {folder} is a link to a folder above it, and is not followed")
        return
    if above and any(entry.name == ledger.RESULTS for entry in entries):
        notes.append(f"the folder {folder} holds results and is left out; name it to read it")
        return
    yield folder, True
    copies = _copies(folder, entries) if above else []  # what is asked for by name is read
    if copies:
        notes.append(f"copies that were sorted into {folder} are left out; name it to read them")
    for entry in entries:
        if entry.name.startswith(".") or entry.name in copies:
            continue
        if not _is_folder(entry):
            yield folder / entry.name, False
        elif recursive and not passed_over(entry.name):
            yield from _entries(folder / entry.name, True, notes, above | {here})


def _copies(folder: Path, entries: Iterable[os.DirEntry[str]]) -> list[str]:
    """Return which folders of a folder hold copies that ``jobs.sorting`` made of other photos."""
    names = [entry.name for entry in entries]
    try:
        return ledger.sorted_into(folder, names) if ledger.SORTED in names else []
    except OSError:  # somebody else's
        return []


def people_folders(root: str | Path) -> PeopleFolders:
    """Return the people of a folder that holds one folder a person."""
    top = clean_path(root)[0] if isinstance(root, str) else root
    people: dict[str, tuple[Path, ...]] = {}
    found, loose, empty = _Found(), [], []
    state = top.stat()
    above = frozenset({(state.st_dev, state.st_ino)})  # a link up is nobody's folder
    for entry in _children(top):
        if _is_folder(entry):
            if passed_over(entry.name):
                continue
            inside = _Found()
            for path in _walk(entry, True, found.notes, above):
                _take_if_picture(path, inside)
            found.skipped += inside.skipped
            if inside.files:
                person = unicodedata.normalize("NFC", entry.name)
                people[person] = people.get(person, ()) + tuple(inside.files.values())
            else:
                empty.append(entry.name)
        elif not (reason := not_a_picture(entry)):
            loose.append(entry)
        else:
            found.skipped.append((entry, reason))
    found.tell()
    return PeopleFolders(
        people, tuple(loose), tuple(found.skipped), tuple(empty), tuple(found.notes)
    )


def remarks(found: Listing | PeopleFolders) -> list[str]:
    """Return what is worth telling of what was passed over."""
    others = sum(reason == "no picture" for _, reason in found.skipped)
    files = counted(others, "file that is no picture was", "files that are no pictures were")
    return [*found.notes, *([f"{files} skipped"] if others else [])]


def passed_over(name: str) -> bool:
    """Return whether a folder of that name is hidden or ``RESERVED``: nobody's photos are there."""
    return name.startswith(".") or name.lower() in RESERVED


def _is_folder(entry: os.DirEntry[str] | Path) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; reading it says what is wrong
        return False


def _children(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def address(text: str) -> bool:
    """Say whether a text is an address of the network, which is nothing that is fetched.

    >>> address("https://example.org/face.jpg"), address("C:/face.jpg"), address("file:///a.jpg")
    (True, False, False)
    """
    found = re.match(r"\s*([a-z][a-z0-9+.-]+)://", text, re.IGNORECASE)
    return found is not None and found[1].lower() != "file"


def local_path(text: str) -> tuple[Path, str | None]:
    """Return the path that a text means, as ``clean_path``; raises InputError for an address."""
    if address(text):
        raise InputError(
            f"{text} is an address; nothing is fetched from the network.",
            "Save what it leads to and name the file.",
        )
    return clean_path(text)


def clean_path(text: str | Path) -> tuple[Path, str | None]:
    """Return the path that a typed or pasted text means, and a note when it was not the text.

    A text that names something is taken as it is. Otherwise, in this order: invisible marks of
    direction are dropped (Windows puts U+202A before paths that are copied from a dialog), quotes
    and spaces around it, ``file://``, ``~``, backslashes before spaces or between folders, and
    the other Unicode form of accented letters (macOS stores them decomposed). The first that
    exists wins; when none does, the text without its marks is returned.
    """
    given = str(text)
    path = Path(given)
    if not given or named(path):
        return path, None
    bare = _MARKS.sub("", given)
    for tried in _readings(bare):
        if tried != given and named(Path(tried)):
            return Path(tried), _note(given, bare, tried)
    return Path(bare), _note(given, bare, bare) if bare != given else None


def _readings(bare: str) -> Iterator[str]:
    trimmed = bare.strip().strip(_QUOTES).strip()
    plain = [bare, trimmed]
    if trimmed.lower().startswith("file:"):
        plain.append(unquote(urlsplit(trimmed).path))
    if trimmed.startswith("~"):
        plain.append(os.path.expanduser(trimmed))  # noqa: PTH111 - an unknown user must not raise
    if "\\" in trimmed:
        plain += [re.sub(r"\\(.)", r"\1", trimmed), trimmed.replace("\\", "/")]
    for form in (None, "NFC", "NFD"):
        for one in plain:
            yield unicodedata.normalize(form, one) if form else one


def _note(given: str, bare: str, taken: str) -> str:
    if taken == bare:
        marks = ", ".join(sorted({f"U+{ord(c):04X}" for c in _MARKS.findall(given)}))
        return f"invisible marks ({marks}) were dropped from the path {taken}"
    return f"the path was read as {taken}"


def handed_over(photo: str | Path) -> bool:
    """Say whether a photo is one that a shell hands over: it can be read once and has no name."""
    return str(photo) in (STDIN, STDIN_NAME) or _HANDED_OVER.fullmatch(str(photo)) is not None


def named_as(photo: str | Path) -> Path:
    """Return the name by which a photo's results are called: that of its file, if it is one.

    >>> str(named_as("album/a.jpg")), str(named_as("-")), str(named_as("/dev/fd/63"))
    ('a.jpg', 'stdin', 'stdin-63')
    """
    number = _HANDED_OVER.fullmatch(str(photo))
    if number and number[1]:
        return Path(f"stdin-{number[1]}")
    return Path("stdin") if handed_over(photo) else Path(Path(photo).name)


def named(path: Path) -> bool:
    """Say whether the path names something; a text that can be no path names nothing."""
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False
