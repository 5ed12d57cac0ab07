"""Chips: faces warped into the frame that an embedder was trained on."""
