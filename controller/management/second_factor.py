"""The second factor of a login: codes of six digits that an app makes every 30 s (TOTP, RFC 6238)."""

from datetime import datetime
from typing import Final

import pyotp

from controller.management.passwords import same
from controller.management.roles import Role
from controller.settings import ManagementSettings

ISSUER: Final = "voicecall"
CODE: Final = r"^[0-9]{6}$"
_STEP: Final = 30
"""Seconds that a code is of."""


def new_secret() -> str:
    """160 random bits, in the form that apps take."""
    return pyotp.random_base32()


def address_of(secret: str, login: str) -> str:
    """What an app reads from a picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: datetime, *, after: int) -> int | None:
    """The step that the code is of; None: it is wrong, or of no step after the last that was used.

    The code of the step before is taken too, for slow hands and clocks (RFC 6238, section 5.2).
    """
    totp, present = pyotp.TOTP(secret), int(now.timestamp()) // _STEP
    right = [step for step in (present - 1, present) if same(totp.generate_otp(step), code)]
    return max((step for step in right if step > after), default=None)


def is_demanded(settings: ManagementSettings, role: Role) -> bool:
    """Whether somebody with this role may do nothing without one."""
    demanded = settings.second_factor
    return demanded == "everybody" or (demanded == "administrators" and role is Role.ADMINISTRATOR)
