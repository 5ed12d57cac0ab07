"""From photo to name: the only place that joins stages."""
