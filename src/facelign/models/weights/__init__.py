"""Weight files: where they live, how they arrive, how they are converted."""
