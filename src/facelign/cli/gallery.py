"""``facelign gallery``: the file as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from facelign.cli.exits import Exit
from facelign.cli.flags import Commands, JsonFlag
from facelign.cli.output import answer
from facelign.files.home import gallery_path
from facelign.wire.options import GalleryFlags
from facelign.wire.records import plain

if TYPE_CHECKING:
    from facelign.types.templates import Checkup

app = Commands("Look a gallery through for damage.")


@app.add("check")
def check(where: GalleryFlags, output: JsonFlag) -> int:
    """Look a whole gallery through for damage, changing nothing; exit 6 where there is some.

    Pages, layout, rows and vectors against their checksums, what belongs to nothing, removals.
    """
    from facelign.gallery.gallery import Gallery

    done = Gallery.check_file(gallery_path(where.gallery))
    record = {"gallery": str(done.gallery), "sound": done.sound, "checks": plain(done.findings)}
    answer(record, *_told(done), json=output.json)
    return Exit.DONE if done.sound else Exit.DAMAGED


def _told(done: Checkup) -> Iterator[str]:
    """Yield what each check found, and how it is mended."""
    for one in done.findings:
        yield f"{one.check:<10} {one.state if one.state != 'damaged' else 'DAMAGED'}"
        for text in one.found:
            yield f"    {text}"
        if one.mend:
            yield f"    -> {one.mend}"
    yield f"{done.gallery} is {'sound' if done.sound else 'DAMAGED'}."
