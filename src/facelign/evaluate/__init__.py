"""Protocols, fitting and records of measurements: arrays in, plain records out.

Nothing here opens a photo or a model. scikit-learn and SciPy live in this room.
"""
