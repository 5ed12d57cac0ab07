"""Boxes and transforms: arrays in, arrays out."""
