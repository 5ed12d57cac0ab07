"""Training of embedders: people's photos in, a network that tells people apart out."""
