"""From chips to vectors."""
