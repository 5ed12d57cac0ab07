"""Where templates live: one file a kind of store, each with its class as ``STORE``."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from facelign.errors import GalleryError
from facelign.files.home import store_address
from facelign.types.contracts import TemplateStore


def open_store(place: str | Path, **how: Any) -> TemplateStore:
    """Return the store at a place: a file is SQLite's, ``KIND://...`` that of the module KIND here.

    how: ``create``, ``readonly``, ``wait_s``, ``damaged`` (see ``Gallery.open``), handed to the
    store's class behind the place. Raises GalleryError for a kind that there is not.
    """
    address = store_address(place)
    kind = "sqlite" if address is None else address[0]
    name = f"{__name__}.{kind}"
    store = getattr(import_module(name), "STORE", None) if find_spec(name) else None
    if store is None:
        raise GalleryError(f"There is no gallery of the kind '{kind}'.", "Name a file.")
    opened: TemplateStore = store(
        Path(place) if address is None else f"{kind}://{address[1]}", **how
    )
    return opened
