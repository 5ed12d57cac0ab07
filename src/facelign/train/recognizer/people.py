"""Whose photos teach: read from a folder, a CSV or RecordIO, left out by name, split and stated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facelign.datasets.folder import read_folder
from facelign.datasets.people_csv import read_people_csv
from facelign.datasets.recordio import RecordFile
from facelign.datasets.records import PeopleFolder, Photo, list_text
from facelign.errors import ConfigError, DatasetMissing
from facelign.files.home import expanded
from facelign.train.recognizer.config import PeopleDataOptions, RecognizerConfig
from facelign.types.arrays import IntArray
from facelign.types.wording import counted


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Photos with their people, sorted by person.

    photos: n. labels: (n,) int64 numbers of people. names: by number. left_out: people who were
    left out by name. scarce: people with too few photos, who were left out too. skipped: files that
    are no photos, with the reason. repeated: lines of a list that say one thing, the first and the
    later. records: the file that holds the pictures, where they are no
    files of their own; a photo is then called after the number of its record.
    """

    source: str
    photos: tuple[Photo, ...]
    labels: IntArray
    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    scarce: int = 0
    skipped: tuple[tuple[Path, str], ...] = ()
    repeated: tuple[tuple[int, int], ...] = ()
    records: RecordFile | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.photos)

    def picture(self, place: int) -> Path | bytes:
        """Return what can be read as the photo at ``place``."""
        photo = self.photos[place]
        if self.records is None:
            return photo.path
        return self.records.read(int(photo.path.name)).picture


def read_people(options: PeopleDataOptions, without: Iterable[str] = ()) -> People:
    """Return the photos that a configuration names.

    without: further people who are left out, by name. Raises DatasetMissing, DatasetMalformed,
    ConfigError.
    """
    source = expanded(options.source)
    records: RecordFile | None = None
    if source.is_dir():
        listed = read_folder(source)
    elif source.suffix.lower() == ".rec":
        records = RecordFile(source)
        numbers = zip(records.keys.tolist(), records.people().tolist(), strict=True)
        photos = tuple(Photo(Path(str(key)), str(person)) for key, person in numbers)
        listed = PeopleFolder(source.parent, photos)
    elif source.suffix.lower() in (".csv", ".tsv"):
        listed = read_people_csv(source, options.images or None)
    else:
        raise DatasetMissing(
            f"{source} is no folder, no CSV and no .rec file, or is not there.",
            "Give a folder of people, one folder a person.",
        )
    banned = {plain_name(name) for name in without}
    if options.leave_out:
        banned |= names_of_list(expanded(options.leave_out))
    return _kept(str(source), listed, banned, options, records)


def _kept(
    source: str,
    listed: PeopleFolder,
    banned: Collection[str],
    options: PeopleDataOptions,
    records: RecordFile | None,
) -> People:
    photos = listed.photos
    counts = Counter(photo.person for photo in photos)
    left_out = sorted(name for name in counts if plain_name(name) in banned)
    scarce = {name for name, count in counts.items() if count < options.least}
    names = sorted(set(counts) - set(left_out) - scarce, key=_order)
    if options.limit:
        names = _within(names, counts, options.limit)
    number = {name: n for n, name in enumerate(names)}
    kept = sorted((p for p in photos if p.person in number), key=lambda p: number[p.person])
    if len(names) < 2:
        there = counted(len(names), "person", "people")
        raise ConfigError(
            f"{source} gives {there} with {options.least} photos or more"
            f"{f' ({len(left_out)} left out by name)' if left_out else ''}: "
            "telling people apart takes at least two.",
            "Add people, or lower data.least.",
        )
    labels = np.array([number[photo.person] for photo in kept], np.int64)
    return People(
        source,
        tuple(kept),
        labels,
        tuple(names),
        tuple(left_out),
        len(scarce - set(left_out)),
        listed.skipped,
        listed.repeated,
        records,
    )


def _order(name: str) -> tuple[int, str]:
    """Numbers of people in their order, names by the alphabet."""
    return (int(name), name) if name.isdecimal() and len(name) < 10 else (-1, name)


def _within(names: Sequence[str], counts: Counter[str], limit: int) -> list[str]:
    """Return the first people whose photos together are no more than ``limit``, two at least."""
    kept: list[str] = []
    photos = 0
    for name in names:
        photos += counts[name]
        if photos > limit and len(kept) >= 2:
            break
        kept.append(name)
    return kept


def plain_name(name: str) -> str:
    """Return a name as it is compared: LFW writes Tony_Blair, others Tony Blair.

    >>> plain_name("Tony Blair") == plain_name("tony_blair")
    True
    """
    return "_".join(name.replace("_", " ").replace("-", " ").casefold().split())


def names_of_list(path: Path) -> set[str]:
    """Return the people of a list, as ``plain_name``: a line is a name, or begins with one."""
    names: set[str] = set()
    for line in list_text(path).splitlines():
        if line.strip() and not line.startswith("#"):
            names |= {plain_name(line), plain_name(line.split("\t")[0])}
            names.add(plain_name(line.split()[0]))
    return names


@dataclass(frozen=True, slots=True, eq=False)
class PeopleSplit:
    """Places of photos that train, validate and test; no photo is in two of them.

    by_person: whether the people of the three are others. people: how many train.
    """

    train: IntArray
    validation: IntArray
    test: IntArray
    by_person: bool
    people: int

    @property
    def words(self) -> str:
        """How the photos were split, in words."""
        how = "by person" if self.by_person else "by photo within each person"
        parts = (("train", self.train), ("validate", self.validation), ("test", self.test))
        told = ", ".join(f"{len(places):,} {name}" for name, places in parts)
        return f"Split {how}: {told}."


def split(people: People, config: RecognizerConfig) -> PeopleSplit:
    """Return the split of a configuration: the same for the same photos and seed.

    A set that a list of pairs stands for gets no photos. Raises ConfigError for too few people.
    """
    shares = (
        0.0 if config.validation.pairs else config.data.validation,
        0.0 if config.test.pairs else config.data.test,
    )
    random = np.random.default_rng((config.seed, 0x5711))
    if config.by_person:
        return _by_person(people, shares, random)
    return _by_photo(people, shares, random)


#: of photos or people that validate and that test
_Shares = tuple[float, float]


def _by_photo(
    people: People, shares: tuple[float, float], random: np.random.Generator
) -> PeopleSplit:
    parts: tuple[list[IntArray], ...] = ([], [], [])
    # photos are sorted by person
    ends = np.cumsum(np.bincount(people.labels, minlength=len(people.names)))[:-1]
    for mine in np.split(np.arange(len(people.labels)), ends):
        places = random.permutation(mine)
        first = _taken(len(places), shares[0], leave=1)
        second = _taken(len(places) - first, shares[1], leave=1)
        for part, taken in zip(
            parts,
            (places[first + second :], places[:first], places[first : first + second]),
            strict=True,
        ):
            part.append(taken)
    train, validation, test = (np.sort(np.concatenate(part)) for part in parts)
    return PeopleSplit(train, validation, test, by_person=False, people=len(people.names))


def _taken(count: int, share: float, leave: int) -> int:
    """Return how many of ``count`` are taken for a share of them, ``leave`` staying."""
    return min(max(round(count * share), 1), max(0, count - leave)) if share else 0


def _by_person(
    people: People, shares: tuple[float, float], random: np.random.Generator
) -> PeopleSplit:
    order = random.permutation(len(people.names))
    # two people are the fewest of whom pairs of both kinds can be made
    first, second = (max(2, round(len(order) * share)) if share else 0 for share in shares)
    if len(order) - first - second < 2:
        raise ConfigError(
            f"{len(order)} people are too few to split by person: 2 or more must train, validate "
            "and test.",
            "Add people, split by photo, or name lists of pairs.",
        )
    validation, test, train = np.split(order, (first, first + second))
    sets = [np.flatnonzero(np.isin(people.labels, part)) for part in (train, validation, test)]
    return PeopleSplit(sets[0], sets[1], sets[2], by_person=True, people=len(train))
