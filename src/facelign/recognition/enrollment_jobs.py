"""Who is to be enrolled with which photos, as folders, files and names say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facelign.errors import ConfigError, InputError, Remedy
from facelign.imaging import listing
from facelign.recognition.results import Enrollment
from facelign.types.templates import person_name


@dataclass(slots=True)
class EnrollmentJobs:
    """(person, photo) of each photo, what could not even be tried, and sentences worth telling."""

    photos: list[tuple[str, str]] = field(default_factory=list)
    failures: list[Enrollment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fail(self, image: object, person: str, reason: str) -> None:
        """Write down a photo that cannot be tried."""
        self.failures.append(Enrollment(str(image), person, False, reason, True))

    def take(self, person: str, files: Sequence[Path]) -> bool:
        """Take the photos of a person; a name that cannot be kept stops nobody else."""
        try:
            name = person_name(person)
        except ConfigError as error:
            for file in files:
                self.fail(file, person, str(error))
            return False
        self.photos += [(name, str(file)) for file in files]
        return True


def enrollment_jobs(
    paths: Sequence[str], name: str | None = None, *, flat: bool = False
) -> EnrollmentJobs:
    """Return what an enrollment is to do.

    paths: folders that hold one folder a person; photos of one person when ``name`` is given; or,
    when ``flat``, photos that are called as the people are. Raises ConfigError for a name that
    cannot be kept or contradicts the files', and for a folder of people that is none, InputError
    for one that is not there.
    """
    jobs = EnrollmentJobs()
    if flat or name is not None:
        if flat and name is not None:
            raise ConfigError("One name for all photos and their own names contradict each other.")
        _take_photos(paths, None if name is None else person_name(name), jobs)
    else:
        for word in paths:
            _take_people(word, jobs)
    return jobs


def _take_photos(paths: Sequence[str], person: str | None, jobs: EnrollmentJobs) -> None:
    """Take the photos of one person, or of those whose names the files bear."""
    found = listing.photos(paths, recursive=person is not None)
    jobs.notes += listing.remarks(found)
    for file in found.files:
        if person is None and listing.handed_over(file):
            jobs.fail(file, "", f"standard input has no file name; {Remedy.PERSON}")
        else:
            jobs.take(person or file.stem, [file])
    for word, reason in found.missing:
        jobs.fail(word, person or "", reason)


def _take_people(word: str, jobs: EnrollmentJobs) -> None:
    """Take a folder of people's folders."""
    root, mark = listing.local_path(word)
    jobs.notes += [mark] if mark else []
    if not root.exists():
        raise InputError(f"There is no folder {root}.", "Check the path.")
    if not root.is_dir():
        raise ConfigError(f"{root} is no folder of people.", Remedy.PEOPLE)
    people = listing.people_folders(root)
    for folder, files in people.people.items():
        if jobs.take(folder, files):
            _several_inside(root / folder, files, jobs)
    for file in people.loose:
        jobs.fail(file, "", f"it lies in no person's folder; {Remedy.LOOSE}")
    jobs.notes += listing.remarks(people)
    jobs.notes += [f"the folder of {folder} holds no photo" for folder in people.empty]


def _several_inside(folder: Path, files: Sequence[Path], jobs: EnrollmentJobs) -> None:
    """Say so when a folder taken for a person's holds several folders and no photo of its own."""
    inside = {file.relative_to(folder).parts[0] for file in files if folder in file.parents}
    if len(inside) > 1 and not any(file.parent == folder for file in files):
        jobs.notes.append(
            f"{folder.name} holds no photo but {len(inside)} folders, and is taken for one person. "
            f"If its folders are people: facelign people undo, then facelign enroll {folder}"
        )
