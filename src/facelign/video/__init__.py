"""Names on moving pictures: films and cameras, tracks, votes over looks, visits, events."""
