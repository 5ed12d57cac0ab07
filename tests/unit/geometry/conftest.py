"""Properties take as long as a busy machine lets them: no deadline for single examples."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
