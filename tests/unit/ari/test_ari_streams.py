"""What a listener reads."""

import asyncio

import pytest
from unit.support import soon

from controller.ari import Event, EventStream, ListenerOverflow
from controller.ari.streams import Router


def event(name: str) -> Event:
    return Event(type=name)


def test_given_several_listeners_when_an_event_concerns_two_objects_then_each_listener_gets_it_once() -> None:
    router = Router()
    both = EventStream(router, ["channel:a", "bridge:b"])
    one = EventStream(router, ["bridge:b"])
    other = EventStream(router, ["channel:c"])
    assert router.streams(["channel:a", "bridge:b"]) == [both, one]
    assert router.streams(["channel:c", "channel:none"]) == [other]
    assert router.streams(["channel:none"]) == []


async def test_given_events_when_read_then_they_come_in_order() -> None:
    stream = EventStream(Router(), ["channel:a"])
    for number in range(100):
        stream.put(event(str(number)))
    read = [(await soon(stream.get())).type for _ in range(100)]
    assert read == [str(number) for number in range(100)]


async def test_given_a_reader_that_waits_when_an_event_arrives_then_it_goes_on() -> None:
    stream = EventStream(Router(), ["channel:a"])
    reading = asyncio.ensure_future(stream.get())
    await asyncio.sleep(0)
    stream.put(event("a"))
    stream.put(event("b"))
    assert (await soon(reading)).type == "a"
    assert (await soon(stream.get())).type == "b"


async def test_given_a_reader_that_gave_up_when_an_event_arrives_then_the_next_reader_gets_it() -> None:
    stream = EventStream(Router(), ["channel:a"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await stream.get()
    stream.put(event("late"))
    assert (await soon(stream.get())).type == "late"


async def test_given_a_listener_that_does_not_read_when_its_mailbox_is_full_then_it_is_told_once() -> None:
    stream = EventStream(Router(), ["channel:a"], capacity=3)
    for name in ("1", "2", "3", "4", "5"):
        stream.put(event(name))
    with pytest.raises(ListenerOverflow):
        await soon(stream.get())
    assert [(await soon(stream.get())).type for _ in range(2)] == ["4", "5"]


async def test_given_a_full_mailbox_when_read_in_time_then_nothing_is_lost() -> None:
    stream = EventStream(Router(), ["channel:a"], capacity=3)
    for name in ("1", "2", "3"):
        stream.put(event(name))
    assert (await soon(stream.get())).type == "1"
    stream.put(event("4"))
    assert [(await soon(stream.get())).type for _ in range(3)] == ["2", "3", "4"]


def test_given_listeners_when_closed_then_the_router_forgets_them() -> None:
    router = Router()
    with EventStream(router, ["channel:a", "channel:a", "bridge:b"]) as first:
        second = EventStream(router, ["channel:a"])
        first.add("playback:p")
        first.add("playback:p")
        assert sorted(router.addresses()) == ["bridge:b", "channel:a", "playback:p"]
    assert router.addresses() == ["channel:a"]
    second.close()
    second.close()
    assert router.addresses() == []


async def test_given_a_tidings_of_one_object_when_told_then_its_listeners_get_it() -> None:
    router = Router()
    listeners = [EventStream(router, ["channel:a"]) for _ in range(2)]
    router.tell("channel:a", event("told"))
    router.tell("channel:b", event("not told"))
    assert [(await soon(listener.get())).type for listener in listeners] == ["told", "told"]
