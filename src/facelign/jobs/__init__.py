"""Many photos at once: aligned, sorted."""
