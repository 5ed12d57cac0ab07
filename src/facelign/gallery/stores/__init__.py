"""Where templates live."""
