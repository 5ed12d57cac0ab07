"""Templates of people: the store, its index, the vector cache."""
