"""``facelign cache``: vectors of photos that were looked at before."""

from __future__ import annotations

import typer

from facelign.cli import options
from facelign.cli.exits import Exit

app = typer.Typer(help="Look at or clear the cache of vectors.", no_args_is_help=True)


@app.command("info")
def info(json: options.Json = False) -> int:
    """Show where the cache is and how much it holds."""
    from facelign.cli.output import emit, line
    from facelign.files.home import cache_path
    from facelign.gallery.cache import VectorCache

    with VectorCache(cache_path()) as cache:
        found = cache.info()
        files = cache.files()
    if json:
        emit(
            {
                "path": str(found.path),
                "photos": found.photos,
                "entries": found.entries,
                "bytes": found.bytes,
                "limit_bytes": found.limit_bytes,
                "files": [str(file) for file in files],
            }
        )
    else:
        line(str(found.path))
        line(
            f"{found.photos} photos, {found.entries} entries, "
            f"{found.bytes / 1e6:.1f} of {found.limit_bytes / 1e6:.0f} MB"
        )
    return Exit.DONE


@app.command("clear")
def clear(json: options.Json = False) -> int:
    """Delete every cached vector and overwrite its bytes; what is needed is computed again."""
    from facelign.cli.output import emit, line
    from facelign.files.home import cache_path
    from facelign.gallery.cache import VectorCache

    with VectorCache(cache_path()) as cache:
        gone = cache.clear()
    if json:
        emit({"cleared": gone})
    else:
        line(f"{gone} entries deleted.")
    return Exit.DONE
