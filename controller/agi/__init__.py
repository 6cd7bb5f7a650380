"""The dialplan's door to the controller: FastAGI scripts, bounded and time-limited.

The room knows neither HTTP nor the database nor calls: what its scripts can do is handed in (`Abilities`).
"""

from controller.agi.errors import AgiError, Refused
from controller.agi.probe import answers
from controller.agi.scripts import Abilities, Announcement
from controller.agi.server import Limits, agi_server

__all__ = ["Abilities", "AgiError", "Announcement", "Limits", "Refused", "agi_server", "answers"]
