"""What tests of spoken calls work with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration.support import Bench

from testbed.push_receiver import StatusPush

PARCEL = "您好，您的快递已到达${TXT_8}。"
TEMPLATES = f"""
[[accounts]]
id = "test"
[[accounts.templates]]
id = "parcel"
name = "A parcel has come"
text = "{PARCEL}"
[[accounts.templates]]
id = "meeting"
text = "会议在${{DATE}}，${{TIME}}开始，编号${{NUM_4}}。"
[[accounts.templates]]
id = "draft"
text = "还没有审核。"
approved = false
[[accounts]]
id = "other"
[[accounts.templates]]
id = "foreign"
text = "别人的模板。"
"""
EAST_GATE = {"templateId": "parcel", "templateParas": ["东门"]}


StartSpeaking = Callable[..., Any]


def kinds(statuses: list[StatusPush]) -> list[str]:
    return [status.event_type for status in statuses]


def spoken_files(b: Bench) -> list[Path]:
    """What was synthesised, in the order in which it was made."""
    return sorted(b.home.settings.speech_dir.glob("*/*.alaw"), key=lambda path: path.stat().st_mtime_ns)
