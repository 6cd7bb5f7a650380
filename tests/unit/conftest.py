"""For all unit tests."""

from hypothesis import settings

# A machine that is busy with other tests is slow without anything being wrong.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")
