"""Numbers that explain a refusal."""
