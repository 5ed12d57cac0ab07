"""Names on moving pictures: films and cameras, tracks, votes over looks, visits, events.

PyAV lives in ``sources`` and nowhere else.
"""
