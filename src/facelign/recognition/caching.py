"""Analyses to and from the vector cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

from facelign.gallery.cache import CachedPhoto, VectorCache
from facelign.recognition.results import Analysis, PhotoInfo
from facelign.types.embeddings import Space


def get(cache: VectorCache, chain: str, photo: Path, space: Space) -> Analysis | None:
    """Return what the cache knows about the file's bytes, or None."""
    try:
        digest = hashlib.sha256(photo.read_bytes()).hexdigest()
    except OSError:
        return None  # reading it again says what is wrong
    entry = cache.get(digest, chain)
    if entry is None or space.id not in entry.embeddings:
        return None
    return Analysis(
        PhotoInfo(str(photo), digest, entry.faces.image_size),
        entry.faces,
        entry.embedded,
        entry.embeddings[space.id],
        entry.dropped,
        entry.attempts,
        cached=True,
    )


def put(cache: VectorCache, chain: str, analysis: Analysis) -> None:
    """Keep an analysis; one of an array has no digest of a file and is kept by its pixels'."""
    if analysis.embeddings is None:
        return
    vectors = {analysis.embeddings.space.id: analysis.embeddings}
    entry = CachedPhoto(
        analysis.faces, analysis.embedded, vectors, analysis.dropped, analysis.attempts
    )
    cache.put(analysis.photo.digest, chain, entry)
