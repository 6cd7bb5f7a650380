"""What a phone hears: A-law and WAV, sound files, templates, reading rules, speech engines, cache.

This room imports nothing of the other rooms. Everything that leaves it for a phone is 8 kHz A-law at an even
loudness.
"""
