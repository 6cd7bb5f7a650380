"""The settings: a section each for what belongs together, and `Settings`, which has them all.

docs/reference/configuration.md is made from the descriptions here.
"""

from controller.settings.api import AuthenticationSettings, HttpSettings, ManagementSettings
from controller.settings.asterisk import AgiSettings, AsteriskSettings, CaptureSettings
from controller.settings.billing import AlarmSettings, BillingSettings
from controller.settings.calls import CallSettings, PhoneSettings
from controller.settings.content import MailSettings, SoundSettings
from controller.settings.limits import DiallingSettings, LimitSettings
from controller.settings.observability import MetricSettings, TraceSettings
from controller.settings.pushes import PushSettings
from controller.settings.records import DatabaseSettings, DetailSettings, RecordingSettings
from controller.settings.speech import SpeechSettings
from controller.settings.whole import Settings, load_settings

__all__ = [
    "AgiSettings",
    "AlarmSettings",
    "AsteriskSettings",
    "AuthenticationSettings",
    "BillingSettings",
    "CallSettings",
    "CaptureSettings",
    "DatabaseSettings",
    "DetailSettings",
    "DiallingSettings",
    "HttpSettings",
    "LimitSettings",
    "MailSettings",
    "ManagementSettings",
    "MetricSettings",
    "PhoneSettings",
    "PushSettings",
    "RecordingSettings",
    "Settings",
    "SoundSettings",
    "SpeechSettings",
    "TraceSettings",
    "load_settings",
]
