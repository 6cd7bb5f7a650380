"""Trunks and routes: which way a number goes, and how that is said to PJSIP."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address

from controller.asterisk import simulated
from controller.asterisk.configuration import CREDENTIAL
from controller.asterisk.errors import NoRoute
from controller.phone_number import PhoneNumber, check_prefix

CONTACT_ENDPOINT = "voicecall-contact"
"""The PJSIP endpoint over which fixed contacts are dialled."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_CONTACT = re.compile(
    r"sips?:(\{number\}|[A-Za-z0-9+._~-]{1,64})@[A-Za-z0-9.\[\]:-]{1,253}(;transport=(udp|tcp|tls))?"
)
_PREFIX = re.compile(r"\+[0-9]{0,30}")


@dataclass(frozen=True)
class TrunkConfiguration:
    """A SIP peer that takes calls; with `register` the node registers there as `user`.

    Every part is checked, as it becomes a line of Asterisk's configuration. Raises ValueError.
    """

    name: str
    host: str
    port: int = 5060
    user: str | None = None
    password: str | None = None
    register: bool = False
    qualify_seconds: int = 30
    """How often it is asked whether it is there (SIP OPTIONS); 0: never, for peers that don't answer that."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name == CONTACT_ENDPOINT:
            raise ValueError(f"trunk name {self.name!r}: lower-case letters, digits and - only")
        if not _HOST.fullmatch(self.host) and _ipv6(self.host) is None:
            raise ValueError(f"trunk {self.name}: {self.host!r} is not a host")
        if not 0 < self.port < 65536:
            raise ValueError(f"trunk {self.name}: port {self.port} is not a port")
        for value in (self.user, self.password):
            if value is not None and not CREDENTIAL.fullmatch(value):
                raise ValueError(f"trunk {self.name}: user or password has characters that SIP can't carry")
        if not 0 <= self.qualify_seconds <= 86400:
            raise ValueError(
                f"trunk {self.name}: qualify_seconds {self.qualify_seconds} is not in 0 to 86400"
            )
        if self.register and not (self.user and self.password):
            raise ValueError(f"trunk {self.name}: registration needs a user and a password")


def _ipv6(host: str) -> str | None:
    """The address that is meant, in brackets or not; None: it is none, such as a host with its port."""
    bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    try:
        return IPv6Address(bare).compressed if "%" not in bare else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a number: what Asterisk dials, and the trunk that carries it if one does."""

    dial_string: str
    trunk: str | None = None


@dataclass(frozen=True)
class RouteConfiguration:
    """Numbers with this prefix go over trunks, or to a fixed contact such as `sip:{number}@127.0.0.1:5070`.

    The first trunk carries them; one that comes later does when those before it fail.
    """

    prefix: str
    trunks: tuple[str, ...] = ()
    contact: str | None = None

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"route prefix {self.prefix!r} is not the start of a number such as +86")
        if bool(self.trunks) == (self.contact is not None):
            raise ValueError(f"route {self.prefix}: give trunks or a contact, one of the two")
        if len(set(self.trunks)) < len(self.trunks):
            raise ValueError(f"route {self.prefix}: a trunk stands twice")
        if self.contact is not None and not _CONTACT.fullmatch(self.contact):
            raise ValueError(f"route {self.prefix}: {self.contact!r} is not a SIP contact")

    def ways(self, number: PhoneNumber) -> tuple[Way, ...]:
        """The ways to a number, in the order in which they are tried."""
        if self.contact is None:
            return tuple(Way(f"PJSIP/{number.e164}@{trunk}", trunk) for trunk in self.trunks)
        return (Way(f"PJSIP/{CONTACT_ENDPOINT}/{self.contact.replace('{number}', number.e164)}"),)


class RoutingTable:
    """The longest prefix wins, but numbers below `simulated_prefix` never go to a trunk or a contact.

    If it is empty there are no simulated callees. Raises ValueError if it can't be a prefix.
    """

    def __init__(self, routes: Iterable[RouteConfiguration] = (), simulated_prefix: str = "") -> None:
        self._routes: Mapping[str, RouteConfiguration] = {route.prefix: route for route in routes}
        self._simulated_prefix = check_prefix(simulated_prefix) if simulated_prefix else ""

    def is_simulated(self, number: PhoneNumber) -> bool:
        """Whether a callee without a phone answers for `number`."""
        return bool(self._simulated_prefix) and simulated.is_simulated(number, self._simulated_prefix)

    def ways(self, number: PhoneNumber) -> tuple[Way, ...]:
        """The ways to `number`, one at least, in the order of the route. Raises NoRoute."""
        if self.is_simulated(number):
            try:
                return (Way(simulated.dial_string(number, self._simulated_prefix)),)
            except ValueError as error:
                raise NoRoute(number, str(error)) from error
        for length in range(len(number.e164), 0, -1):
            route = self._routes.get(number.e164[:length])
            if route is not None:
                return route.ways(number)
        raise NoRoute(number, f"no route leads to {number}")


_ENDPOINT = """
[{name}]
type = endpoint
; By the address that a call comes from, never by what it says of itself.
identify_by = ip
transport = transport-udp
context = from-trunk
disallow = all
allow = alaw,ulaw
dtmf_mode = rfc4733
direct_media = no
rtp_symmetric = yes
timers = no
; What a carrier is asked to call is said here alone: a REFER makes no call.
allow_transfer = no
trust_id_inbound = no
send_pai = no
send_connected_line = no
{extra}"""

_AOR = """
[{name}.aor]
type = aor
contact = sip:{host}:{port}
qualify_frequency = {qualify}
qualify_timeout = 3

[{name}.identify]
type = identify
endpoint = {name}
match = {address}
"""

_AUTH = """
[{name}.auth]
type = auth
auth_type = userpass
username = {user}
password = {password}
"""

_REGISTRATION = """
[{registration}]
type = registration
transport = transport-udp
outbound_auth = {name}.auth
server_uri = sip:{host}:{port}
client_uri = sip:{user}@{host}:{port}
contact_user = {user}
retry_interval = 30
forbidden_retry_interval = 300
"""


def registration_of(trunk: str) -> str:
    """The section that registers a trunk of this name, which is also what AMI calls it."""
    return f"{trunk}.registration"


def render_trunks(trunks: Iterable[TrunkConfiguration]) -> str:
    """The text of pjsip_trunks.conf, whose sections all differ: no trunk's name has a dot."""
    parts = ["; Written by the controller; changes made here are lost.\n"]
    parts.append(_ENDPOINT.format(name=CONTACT_ENDPOINT, extra=""))
    for trunk in sorted(trunks, key=lambda trunk: trunk.name):
        ipv6 = _ipv6(trunk.host)
        values = {
            "name": trunk.name,
            "host": trunk.host if ipv6 is None else f"[{ipv6}]",
            "address": ipv6 or trunk.host,
            "port": trunk.port,
            "qualify": trunk.qualify_seconds,
            "registration": registration_of(trunk.name),
        }
        extra = f"aors = {trunk.name}.aor\n"
        if trunk.user and trunk.password:
            extra += f"outbound_auth = {trunk.name}.auth\nfrom_user = {trunk.user}\n"
        parts.append(_ENDPOINT.format(name=trunk.name, extra=extra))
        parts.append(_AOR.format(**values))
        if trunk.user and trunk.password:
            credentials = {**values, "user": trunk.user, "password": trunk.password}
            parts.append(_AUTH.format(**credentials))
            if trunk.register:
                parts.append(_REGISTRATION.format(**credentials))
    return "".join(parts)
