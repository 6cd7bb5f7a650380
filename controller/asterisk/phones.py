"""Phones in browsers: test numbers of users, and how a node comes to know them and forgets them.

A phone is a PJSIP endpoint in Asterisk's memory, put there over ARI with a name and a password that are good
until it is switched off. docs/decisions/0015-phone-in-the-browser.md says why.
"""

import asyncio
import hashlib
import logging
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from controller import ari
from controller.asterisk import simulated
from controller.asterisk.errors import NodeUnavailable, NoPhone
from controller.clock import Clock
from controller.phone_number import PhoneNumber
from controller.settings import PhoneSettings

log = logging.getLogger(__name__)

_MODULE: Final = "res_pjsip"
_KINDS: Final = ("endpoint", "aor", "auth")
"""What makes a phone, in the order in which it is taken away; it is made in the opposite one."""
_DIGITS: Final = 8
_SWEEP: Final = 5.0
"""Seconds between two looks for phones whose time is over."""

_ENDPOINT: Final = {
    "transport": "transport-ws",
    # DTLS-SRTP with a certificate made at each start, ICE, RTCP and RTP on one port.
    "webrtc": "yes",
    "context": "phones",
    "identify_by": "username",
    "disallow": "all",
    # Every browser has them, and the calls are in A-law: nothing is transcoded.
    "allow": "alaw,ulaw",
    "dtmf_mode": "rfc4733",
    "timers": "no",
    "send_connected_line": "no",
    # A browser that has gone ends the call.
    "rtp_timeout": "20",
}


@dataclass(eq=False)
class Phone:
    """A phone that is switched on, and whose it is."""

    number: PhoneNumber
    user_id: str
    account_id: str | None
    """None: of the operator's people; every account may call it."""
    session: str
    """Digest of the login session that it belongs to."""
    name: str
    """Of the endpoint; also the SIP user."""
    password: SecretStr
    expires_at: datetime
    registered: bool = False
    """Whether calls reach it now."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """It was switched off."""


class Phones:
    """The phones of one node. A user has one at most, always with the same number."""

    def __init__(self, asterisk: ari.Client, settings: PhoneSettings, application: str, clock: Clock) -> None:
        self._ari = asterisk
        self._prefix = settings.prefix
        self._lifetime = timedelta(minutes=settings.minutes)
        # Controllers that share an Asterisk take away their own phones alone.
        self._names = f"phone-{application}-"
        self._clock = clock
        self._on: dict[PhoneNumber, Phone] = {}
        self._changing = asyncio.Lock()

    @property
    def enabled(self) -> bool:
        """Whether there are phones at all."""
        return bool(self._prefix)

    def has(self, number: PhoneNumber) -> bool:
        """Whether the number is kept for phones, whether it is anybody's or not."""
        return self.enabled and number.e164.startswith(self._prefix)

    def may_be_called(self, number: PhoneNumber, account_id: str) -> bool:
        """Whether an account's calls may reach the phone; a number that is nobody's does no harm."""
        phone = self._on.get(number)
        return phone is None or phone.account_id in (None, account_id)

    def dial_string(self, number: PhoneNumber) -> str:
        """What Asterisk dials; one that is switched off, or not registered, is absent as in any network."""
        phone = self._on.get(number)
        return f"PJSIP/{phone.name}" if phone is not None and phone.registered else simulated.absent()

    def of_user(self, user_id: str) -> Phone | None:
        """The phone that a user has switched on."""
        return next((phone for phone in self._on.values() if phone.user_id == user_id), None)

    async def switch_on(self, user_id: str, account_id: str | None, session: str) -> Phone:
        """A new phone for a user, instead of one that they have. Raises NoPhone, NodeUnavailable."""
        if not self.enabled:
            raise NoPhone("phones in browsers are switched off here (phone.prefix)")
        name = f"{self._names}{secrets.token_hex(8)}"
        async with self._changing:
            if (before := self.of_user(user_id)) is not None:
                await self._remove(before)
            phone = Phone(
                self._number(user_id),
                user_id,
                account_id,
                session,
                name,
                SecretStr(secrets.token_urlsafe(24)),
                self._clock.now() + self._lifetime,
            )
            if not self._ari.ready:
                raise NodeUnavailable("Asterisk can't be reached now")
            try:
                await self._provide(phone)
            except ari.AriError as error:
                await self._take_away(name)
                raise NoPhone(f"Asterisk did not take the phone: {error}") from error
            self._on[phone.number] = phone
        return phone

    async def switch_off(self, phone: Phone) -> None:
        """Take a phone away; a call that it has goes on."""
        async with self._changing:
            await self._remove(phone)

    async def _remove(self, phone: Phone) -> None:
        if self._on.get(phone.number) is not phone:
            return
        del self._on[phone.number]
        phone.registered = False
        try:
            await self._take_away(phone.name)
        finally:
            phone.ended.set()

    async def settle(self) -> None:
        """Have Asterisk know the phones that there are and no others: after each connect."""
        if not self.enabled:
            return
        try:
            there = {it.resource for it in await self._ari.endpoints.list("PJSIP")}
            wanted = {phone.name: phone for phone in self._on.values()}
            for name in there - wanted.keys():
                if name.startswith(self._names):
                    await self._take_away(name)
            for name in wanted.keys() - there:
                # Asterisk was restarted; the browser registers again by itself.
                wanted[name].registered = False
                await self._provide(wanted[name])
        except ari.AriError as error:
            log.warning("Phones in browsers can't be provided", extra={"error": str(error)})

    async def run(self) -> None:
        """End phones whose time is over, until cancelled."""
        while self.enabled:
            now = self._clock.now()
            for phone in [phone for phone in self._on.values() if phone.expires_at <= now]:
                await self.switch_off(phone)
            await asyncio.sleep(_SWEEP)

    async def close(self) -> None:
        """Switch all phones off."""
        for phone in list(self._on.values()):
            await self.switch_off(phone)

    def _number(self, user_id: str) -> PhoneNumber:
        """The user's number: always the same, unless another one's phone happens to have it now."""
        start = int.from_bytes(hashlib.sha256(user_id.encode()).digest()[:8])
        for step in range(len(self._on) + 1):
            number = PhoneNumber(f"{self._prefix}{(start + step) % 10**_DIGITS:0{_DIGITS}}")
            if number not in self._on:
                return number
        raise AssertionError("there are more numbers than phones")

    async def _provide(self, phone: Phone) -> None:
        password = phone.password.get_secret_value()
        name = phone.name
        fields = {
            "endpoint": {**_ENDPOINT, "aors": name, "auth": name},
            "aor": {"max_contacts": "1", "remove_existing": "yes", "default_expiration": "120"},
            "auth": {"auth_type": "userpass", "username": name, "password": password},
        }
        for kind in reversed(_KINDS):
            await self._ari.asterisk.put_object(_MODULE, kind, name, fields[kind])

    async def _take_away(self, name: str) -> None:
        """As far as Asterisk can be reached; what is left over goes at the next connect."""
        for kind in _KINDS:
            try:
                await self._ari.asterisk.delete_object(_MODULE, kind, name)
            except ari.NotFound:
                continue
            except ari.AriError as error:
                log.debug("A phone can't be taken away now", extra={"error": str(error)})
                return
