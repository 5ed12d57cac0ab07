"""Error rates over pairs of photos."""
