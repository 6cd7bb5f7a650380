"""Reading rules: from a text to the words that an engine says. Pure functions."""

from controller.prompts.reading.marks import BOUNDARY
from controller.prompts.reading.passage import Language, Passage
from controller.prompts.reading.passages import read_aloud

__all__ = ["BOUNDARY", "Language", "Passage", "read_aloud"]
