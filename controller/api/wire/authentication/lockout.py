"""Addresses that fail authentication too often are locked for a while (1020176)."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from controller.api.wire.results import WireError

_ADDRESSES_REMEMBERED = 100_000
_IPV6_CUSTOMER = 64
"""Bits of an IPv6 address that tell one customer from another."""


class WrongProof(WireError):
    """The sender's proof of who they are is wrong: it may be a guess."""


@dataclass
class _Failures:
    since: datetime
    count: int = 0
    locked_until: datetime | None = None


class Lockout:
    """Counts failures by address; `after` of them within `window` lock it for `duration`.

    What this process knows; the addresses that were heard of least lately are forgotten when there are too
    many.
    """

    def __init__(
        self, after: int, window: timedelta, duration: timedelta, capacity: int = _ADDRESSES_REMEMBERED
    ) -> None:
        self._after = after
        self._window = window
        self._duration = duration
        self._capacity = capacity
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def is_locked(self, address: str, now: datetime) -> bool:
        """Whether requests from there are refused, right or wrong."""
        if not self._failures:
            return False
        failures = self._failures.get(customer_of(address))
        return failures is not None and failures.locked_until is not None and now < failures.locked_until

    def failed(self, address: str, now: datetime) -> None:
        """A request from there could not prove who it is from."""
        customer = customer_of(address)
        failures = self._failures.pop(customer, None)
        if failures is None or now - failures.since > self._window:
            failures = _Failures(now)
        failures.count += 1
        if failures.count >= self._after:
            failures = _Failures(now, 0, now + self._duration)
        if len(self._failures) >= self._capacity:
            self._failures.popitem(last=False)
        self._failures[customer] = failures


@lru_cache(4096)
def customer_of(address: str) -> str:
    """Who has the address: with IPv6, whoever has its network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_CUSTOMER), strict=False))
