"""Landmark models: from annotated photos to points as shares of a square around the face."""
