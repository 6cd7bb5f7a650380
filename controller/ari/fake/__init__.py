"""A fake Asterisk for tests and simulations: it speaks ARI as 22.10.1 does, on a loopback port.

What a called phone does is a script, what goes wrong is ordered::

    def phones(endpoint: str, variables: Mapping[str, str]) -> Behaviour:
        return Behaviour(answer_after=0.1, digits=((0.2, "1"),))

    async with FakeAsterisk(phones, sounds=lambda media: 3.0) as asterisk:
        async with Client(asterisk.address, "app") as client:
            ...
            await asterisk.told("Dial", dialstatus="ANSWER")
            asterisk.drop_sockets()

It waits only by way of the running event loop and takes no random decision but from the `Random` it is
given, so it also runs on a loop with a clock and a seed of its own.
"""

from controller.ari.fake.asterisk import FakeAsterisk, FakePhone
from controller.ari.fake.faults import ANY, Faults
from controller.ari.fake.objects import FakeChannel
from controller.ari.fake.phones import (
    ANSWERS,
    WAITS,
    Behaviour,
    Phones,
    Sounds,
    cause_of,
    cause_text,
    sip_status_of,
)
from controller.ari.fake.rest import Request
from controller.ari.fake.switch import Refusal

__all__ = [
    "ANSWERS",
    "ANY",
    "WAITS",
    "Behaviour",
    "FakeAsterisk",
    "FakeChannel",
    "FakePhone",
    "Faults",
    "Phones",
    "Refusal",
    "Request",
    "Sounds",
    "cause_of",
    "cause_text",
    "sip_status_of",
]
