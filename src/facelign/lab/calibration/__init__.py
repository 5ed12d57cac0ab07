"""A threshold with the evidence that earns it."""
