"""Where events go, a file a sink: two logs that last, and what passes events on."""
