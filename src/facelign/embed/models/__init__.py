"""One file an embedding model."""
