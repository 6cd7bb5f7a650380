"""`voicecall doctor`: finds the usual misconfigurations and says what to do about each.

Every check looks at the real thing; one that can't look says so.
"""

from controller.doctor.examination import examine
from controller.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
