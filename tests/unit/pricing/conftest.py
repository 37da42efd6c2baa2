"""Property tests share the machine with others: no deadline for a single example."""

from hypothesis import settings

settings.register_profile("pricing", deadline=None)
settings.load_profile("pricing")
