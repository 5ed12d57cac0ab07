"""Finding models by id and loading them."""
