"""Figures and pages, from plain arrays and records: the only room that knows matplotlib.

``plots`` has one file a figure; ``page`` has the records of a report; ``html`` turns them into one
self-contained file. Nothing here computes an error rate: numbers come in, pictures go out.
"""
