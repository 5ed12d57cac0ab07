"""Protocols, fitting and records of measurements: arrays in, plain records out.

``photos`` alone opens photos, through a recognizer. scikit-learn and SciPy live in this room.
"""
