"""Photometric changes; never moves a pixel."""
