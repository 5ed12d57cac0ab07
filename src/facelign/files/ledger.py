"""The file in which a run writes down what it has done, without the name of a person or a photo.

One JSON object a line. The first holds a salt; everything else that could tell whose photos these
are is a digest with that salt, so that who is removed from a gallery is not left in here.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

#: the ledger of sorted photos, in the folder that holds a folder a person
SORTED = ".facelign-sort.jsonl"
#: marks a folder that was made for pictures of results, which are no photos of folders around it
RESULTS = ".facelign-results"
_SALT = "salt"


def veiled(text: str, salt: bytes) -> str:
    """Return a text as 32 hexadecimal digits that only who knows text and salt can make."""
    plain = unicodedata.normalize("NFC", text).encode(errors="surrogatepass")
    return blake2b(plain, digest_size=16, key=salt).hexdigest()


def new_salt() -> tuple[bytes, str]:
    """Return a salt and the line that holds it."""
    salt = os.urandom(16)
    return salt, json.dumps({_SALT: salt.hex()}) + "\n"


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a ledger; a line that was cut off is none. Nothing where no file is."""
    if not path.exists():
        return
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError):
            continue  # the last line of a run that was killed
        if isinstance(entry, dict):
            yield entry


def salt_of(entry: dict[str, Any]) -> bytes | None:
    """Return the salt that an entry holds, or None."""
    try:
        salt = bytes.fromhex(entry.get(_SALT, ""))
    except (TypeError, ValueError):
        return None
    return salt if len(salt) == 16 else None


def results_folder(folder: Path) -> None:
    """Make a folder for pictures of results, marked; one that is there already stays as it is."""
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / RESULTS).touch()


def sorted_into(folder: Path, names: list[str]) -> list[str]:
    """Return which of the folders in a folder hold copies that were sorted into them."""
    salt, known = None, set[str]()
    for entry in entries(folder / SORTED):
        salt = salt or salt_of(entry)
        folders = entry.get("folders")
        known |= {str(one) for one in folders} if isinstance(folders, list) else set()
    return [name for name in names if (veiled(name, salt) if salt else name) in known]
