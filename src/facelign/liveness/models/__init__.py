"""One file a liveness model, or a family of them."""
