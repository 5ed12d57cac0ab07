"""Several chains over one set, or two saved runs."""
