"""What customers ask for and what called phones do, drawn from a seed."""

import math
from collections.abc import Mapping
from random import Random

from controller.ari.fake import Behaviour
from controller.calls.call import (
    Callback,
    CalleeMedia,
    CallRequest,
    Notification,
    Plan,
    PlayItem,
    Prompt,
    Verification,
)
from controller.calls.collection import ReplayRule
from controller.phone_number import PhoneNumber
from controller.store.tables import PushProfile, Service

ACCOUNT = "account-1"
SHOWN = PhoneNumber("+8657126880001")
APPS = {service: f"app-{service}" for service in Service}
RING_TIMEOUT = 8.0
MINUTE = 3.0
"""Seconds that a minute of maximum duration and bill has."""

_LONGEST = 15.0
"""Seconds for which a phone is off the hook when nothing else would end the call."""


class Workload:
    """Calls to numbers that nobody else calls; `secrets` are what no log may have."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._phones: dict[str, Behaviour] = {}
        self._next = random.randrange(10_000_000, 80_000_000)
        self.secrets: set[str] = {SHOWN.digits}
        self.profiles = {
            service: random.choice([PushProfile.COMPAT, PushProfile.COMPAT, PushProfile.DURABLE])
            for service in Service
        }

    def phones(self, endpoint: str, _variables: Mapping[str, str]) -> Behaviour:
        """What the phone does that Asterisk calls."""
        return self._phones[endpoint.partition("sip:")[2].partition("@")[0]]

    def sound(self, media: str) -> float | None:
        """How long a medium lasts."""
        if media == "tone:ring":
            return math.inf
        return None if media == "sound:missing" else (len(media) % 7) * 0.4 + 0.2

    def request(self) -> CallRequest:
        """The next call."""
        service = self._random.choice(list(Service))
        plan = {
            Service.NOTIFICATION: self._notification,
            Service.VERIFICATION: self._verification,
            Service.CALLBACK: self._callback,
        }[service]()
        return CallRequest(
            account_id=ACCOUNT,
            app_key=APPS[service],
            display_number=SHOWN,
            callee=self._number(_ends(plan)),
            plan=plan,
            user_data="data",
            status_url=f"http://customer.test/status/{service}",
            fee_url=f"http://customer.test/fee/{service}",
            push_profile=self.profiles[service],
        )

    def _number(self, patient: bool) -> PhoneNumber:
        """A phone; a patient one may wait until the other side hangs up, however long that takes."""
        self._next += 1
        number = PhoneNumber(f"+86139{self._next}")
        self.secrets.add(number.digits)
        self._phones[number.e164] = self._behaviour(patient)
        return number

    def _behaviour(self, patient: bool) -> Behaviour:
        random = self._random
        ring = random.choice([None, random.uniform(0, 2)])
        what = random.random()
        if what < 0.1:
            return Behaviour(ring_after=ring, answer_after=None)
        if what < 0.22:
            status = random.choice([404, 480, 486, 503, 603])
            return Behaviour(ring_after=ring, answer_after=random.uniform(0, 5), sip_status=status)
        digits = self._random.choices("0123456789*#", k=random.randrange(0, 7))
        at, pressed = 0.0, []
        for digit in digits:
            at += random.uniform(0.05, 2)
            pressed.append((at, digit))
        return Behaviour(
            ring_after=ring,
            answer_after=random.uniform(0, 6),
            early_media=random.random() < 0.2,
            digits=tuple(pressed),
            hang_up_after=random.choice(
                [random.uniform(0, 3), random.uniform(0, 12), None if patient else _LONGEST]
            ),
        )

    def _prompt(self) -> Prompt:
        name = "p" * self._random.randrange(1, 8)
        return Prompt(name, f"sound:{name}", seconds=1.0)

    def _notification(self) -> Plan:
        items = []
        for _ in range(self._random.randrange(1, 4)):
            collect = self._random.choice([0, 0, 4])
            replay = ReplayRule(collect > 0 and self._random.random() < 0.3, "1")
            items.append(PlayItem(self._prompt(), collect, replay))
        return Notification(tuple(items))

    def _verification(self) -> Plan:
        code = f"{self._random.randrange(10**7, 10**8)}"
        self.secrets.add(code)
        digits = tuple(Prompt("digit", f"sound:{code}-{place}") for place in range(len(code)))
        times = self._random.choice([0, 1, 2, 3])
        return Verification(self._prompt(), digits, self._random.choice([None, self._prompt()]), times)

    def _callback(self) -> Plan:
        random = self._random
        max_minutes = random.choice([0, 0, 1, 2])
        return Callback(
            callee=self._number(max_minutes > 0),
            display_number=SHOWN,
            pre_voice=random.choice([None, self._prompt()]),
            wait_voice=random.choice([None, self._prompt()]),
            callee_media=random.choice([CalleeMedia.ALL, CalleeMedia.NONE]),
            max_minutes=max_minutes,
            last_minute_voice=random.choice([None, self._prompt()]),
            record=random.random() < 0.3,
            tells_party=random.random() < 0.5,
        )


def _ends(plan: Plan) -> bool:
    """Whether a call ends by itself when no phone hangs up."""
    match plan:
        case Verification():
            return plan.times > 0
        case Callback():
            return plan.max_minutes > 0
        case _:
            return True
