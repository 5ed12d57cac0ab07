"""``facelign enroll``: people into the gallery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building
from facelign.cli.flags import Photos, command, completed_option, only
from facelign.cli.hints import flagged
from facelign.cli.output import answer, note, progress
from facelign.cli.results import reporting
from facelign.errors import ConfigError, Remedy
from facelign.files.home import gallery_path
from facelign.recognition.options import ALREADY, EnrollOptions
from facelign.types.wording import counted
from facelign.wire import records
from facelign.wire.options import ChainFlags, FaceFlags, GalleryFlags, OutputFlags

if TYPE_CHECKING:
    from facelign.recognition.enrollment_jobs import EnrollmentJobs
    from facelign.recognition.results import Enrollment

Name = Annotated[
    str | None,
    completed_option(
        "--name", "All photos show this person (else: one folder a person).", "person"
    ),
]
Flat = Annotated[
    bool, typer.Option("--flat", help="The file name of each photo is the person's name.")
]


@command
def enroll(
    photos: Photos,
    name: Name = None,
    flat: Flat = False,
    *,
    where: GalleryFlags,
    output: Annotated[OutputFlags, only("json", "out")],
    which: FaceFlags,
    how: EnrollOptions,
    chain: ChainFlags,
) -> int:
    """Enroll a folder of folders (one a person), or photos of one person with --name.

    With --flat, a folder of photos that are called as the people are.

    A photo must show one face; a face under half the height of the largest does not count. A face
    that is like another person's, or unlike the person's other photos, is held back (exit 3).
    """
    jobs = _jobs(photos, name, flat=flat)
    recognizer = building.recognizer(chain)
    options = replace(how, policy=which.policy(how.policy))
    counts: Counter[str] = Counter()
    people: set[str] = set()
    wanted: dict[str, str] = {}  # everybody who was to be enrolled, with the first reason against

    def take(found: Enrollment) -> None:
        kinds = (("enrolled", found.enrolled), ("failed", found.failed), ("held", found.held))
        counts.update(("files", next((kind for kind, so in kinds if so), "skipped")))
        if found.enrolled or found.reason == ALREADY:
            people.add(found.person)
        elif found.person:
            wanted.setdefault(found.person, found.reason)
        said = f"enrolled as {found.person}" if found.enrolled else found.reason
        record = records.enroll_record(found)
        results.add(record, [f"{found.image}: {said}"], failed=found.failed or found.held)

    path = gallery_path(where.gallery)
    with (
        reporting(output, "enroll") as results,
        building.opened(path, recognizer, create=True) as gallery,
    ):
        if gallery.calibration is None and not how.force:
            note(
                f"note: space {recognizer.space.id} is uncalibrated: faces like another person's, "
                "and photos unlike the others, cannot be told"
            )
        for failed in jobs.failures:
            take(failed)
        with progress("enrolling", len(jobs.photos)) as done:
            for found in gallery.enroll_many(jobs.photos, options, done=done):
                take(found)
        there = {person.name for person in gallery.people() if person.templates}
    words = ("files", "enrolled", "skipped", "failed")
    summary = {word: counts[word] for word in words} | {"people": len(people)}
    summary["held"] = counts["held"]
    missing = [person for person in wanted if person not in people | there]
    people_of = counted(len(people), "person", "people")
    ends = (f"{counts[word]} {word}" for word in words[1:])
    lines = [", ".join((counted(counts["files"], "file"), *ends, people_of))]
    if counts["held"]:
        lines[0] += f", {counts['held']} held back"
    lines += (f"NOT ENROLLED: {who} ({wanted[who]})" for who in missing)
    if counts["held"]:
        lines.append("Look at the photos that were held back; --force enrolls them all the same.")
    answer({"summary": summary | {"missing": missing}}, *lines, json=output.json)
    return results.code


def _jobs(photos: Sequence[str], name: str | None, *, flat: bool) -> EnrollmentJobs:
    """Return what is to be enrolled; raises ConfigError where that is nothing."""
    from facelign.recognition.enrollment_jobs import enrollment_jobs

    if flat and name is not None:
        raise ConfigError("--name and --flat contradict each other.", "Use one.")
    jobs = enrollment_jobs(photos, name, flat=flat)
    for text in jobs.notes:
        note(f"note: {flagged(text)}")
    if not jobs.photos and not jobs.failures:
        raise ConfigError(f"No folder of a person lies in {', '.join(photos)}.", Remedy.PEOPLE)
    return jobs
