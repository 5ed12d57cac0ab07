"""Enroll a folder of people, then name the faces of an album.

python examples/family_album.py people album
"""

import sys
import tempfile
from pathlib import Path

import facelign


def main(people: str, album: str) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        facelign.open_gallery(Path(folder) / "family.db", create=True) as gallery,
    ):
        for person in sorted(Path(people).iterdir()):
            for done in gallery.enroll(person.name, sorted(person.iterdir())):
                print(f"{done.image}: {'enrolled' if done.enrolled else done.reason}")
        for result in gallery.identify_many(sorted(Path(album).iterdir())):
            names = [face.person or f"Unknown ({face.answer.reason})" for face in result.faces]
            print(f"{result.analysis.photo.source}: {', '.join(names) or 'no face'}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
