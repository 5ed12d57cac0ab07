"""Names out of a gallery, and strangers kept out of it."""
