"""``facelign cache``: vectors of photos that were looked at before."""

from __future__ import annotations

import shutil

from facelign.cli import building
from facelign.cli.flags import Commands, JsonFlag
from facelign.cli.output import answer
from facelign.files.home import training_path
from facelign.types.wording import counted
from facelign.wire.records import plain

app = Commands("Look at or clear the cache of vectors.")


@app.add("info")
def info(output: JsonFlag) -> None:
    """Show where the cache is and how much it holds."""
    with building.cache() as cache:
        size, files = cache.info(), cache.files()
    answer(
        plain(size) | {"files": plain(files)},
        str(size.path),
        f"{counted(size.photos, 'photo')}, {counted(size.entries, 'entry', 'entries')}, "
        f"{size.bytes / 1e6:.1f} of {size.limit_bytes / 1e6:.0f} MB",
        json=output.json,
    )


@app.add("clear")
def clear(output: JsonFlag) -> None:
    """Delete every cached vector and overwrite its bytes; what is needed is computed again.

    Faces that were aligned for training go too.
    """
    with building.cache() as cache:
        count = cache.clear()
    faces = training_path()
    if faces.exists():
        shutil.rmtree(faces)
    answer({"cleared": count}, f"{counted(count, 'entry', 'entries')} deleted.", json=output.json)
