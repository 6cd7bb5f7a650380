"""Short cuts for the tests of the ARI client."""

from collections.abc import Mapping
from random import Random
from typing import Any

from controller.ari import Client, EventStream, retry_unless_refused
from controller.ari.fake import WAITS, Behaviour, FakeAsterisk, FakePhone

PHONE = "PJSIP/100@trunk"


def waiting_phones(_endpoint: str, _variables: Mapping[str, str]) -> Behaviour:
    """Phones that do nothing but what the test says."""
    return WAITS


def retry_at_once(error: BaseException, attempt: int, random: Random) -> float | None:
    """What is fatal stays fatal; everything else is tried again in no time."""
    return None if retry_unless_refused(error, attempt, random) is None else 0.001


def client_of(asterisk: FakeAsterisk, **options: Any) -> Client:
    return Client(asterisk.address, "app", **{"retry": retry_at_once, **options})


async def answered(
    client: Client, asterisk: FakeAsterisk, channel_id: str, variables: Mapping[str, Any] | None = None
) -> FakePhone:
    """A phone that has been called and has answered."""
    phone = await called(client, asterisk, channel_id, variables)
    phone.answer()
    return phone


async def called(
    client: Client, asterisk: FakeAsterisk, channel_id: str, variables: Mapping[str, Any] | None = None
) -> FakePhone:
    """A phone that is being called."""
    with client.listen(f"channel:{channel_id}") as events:
        await client.channels.create(PHONE, channel_id=channel_id, variables=variables)
        await next_of(events, "StasisStart")
        await client.channels.dial(channel_id)
        await next_of(events, "Dial")
    return asterisk.phone(channel_id)


async def next_of(events: EventStream, kind: str) -> Any:
    """The next event of this type; others are skipped."""
    async for event in events:
        if event.type == kind:
            return event
    raise AssertionError("an event stream has no end")


async def lost_and_regained(client: Client, asterisk: FakeAsterisk) -> None:
    """The connection is cut and made again."""
    asterisk.drop_sockets()
    await client.wait_lost()
    await client.wait_ready()
