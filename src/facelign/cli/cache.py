"""``facelign cache``: vectors of photos that were looked at before."""

from __future__ import annotations

from facelign.cli import building
from facelign.cli.flags import Commands, JsonFlag
from facelign.cli.output import answer
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
        f"{size.photos} photos, {size.entries} entries, "
        f"{size.bytes / 1e6:.1f} of {size.limit_bytes / 1e6:.0f} MB",
        json=output.json,
    )


@app.add("clear")
def clear(output: JsonFlag) -> None:
    """Delete every cached vector and overwrite its bytes; what is needed is computed again."""
    with building.cache() as cache:
        count = cache.clear()
    answer({"cleared": count}, f"{count} entries deleted.", json=output.json)
