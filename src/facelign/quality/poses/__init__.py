"""One file a model of head pose."""
