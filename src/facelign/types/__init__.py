"""The values that travel between the rooms, and the contracts of the rooms."""
