"""One file a landmarker."""
