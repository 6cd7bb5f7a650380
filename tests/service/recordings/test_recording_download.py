"""What a customer gets from a link, and who gets one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from service.recordings.support import SOUND, Room
from unit.calls.support import ACCOUNT
from yarl import URL

from controller.prompts import wav
from controller.recordings.download import RecordingDownloads, recording_location
from controller.recordings.errors import RecordingNotReady, RecordingUnknown
from controller.recordings.links import LinkSigner
from controller.store.recordings import RecordingState

pytestmark = pytest.mark.requirement("A1.5")

FILE = wav.write(SOUND)
LIFETIME = timedelta(minutes=30)


class Customer:
    """Someone with links."""

    def __init__(self, room: Room, client: "TestClient[web.Request, web.Application]") -> None:
        self.room = room
        self.signer = LinkSigner(bytes(32), room.clock, LIFETIME)
        self._client = client

    async def location(self, name: str = "call-1.wav", account: str = ACCOUNT) -> str:
        return await recording_location(self.room.database, self.signer, account, name)

    async def get(self, location: str, method: str = "GET", **headers: str) -> ClientResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.request(method, URL(location, encoded=True), headers=named)

    def signed(self, name: str) -> str:
        """A path with a good signature for any name, as only we could make it."""
        return f"/recordings/{quote(name, safe='')}?{self.signer.sign(name)}"


@pytest.fixture
async def customer(waiting_room: Room) -> AsyncIterator[Customer]:
    room = waiting_room
    downloads = RecordingDownloads(room.database, LinkSigner(bytes(32), room.clock, LIFETIME), room.directory)
    app = web.Application()
    app.add_routes(downloads.routes())
    async with TestClient(TestServer(app)) as client:
        yield Customer(room, client)


async def test_given_a_link_when_followed_then_the_wav_file_comes(customer: Customer) -> None:
    await customer.room.add_kept(content=FILE)
    answer = await customer.get(await customer.location())
    assert answer.status == 200
    assert await answer.read() == FILE
    assert answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="call-1.wav"'
    assert answer.headers["Cache-Control"] == "private, no-store"


async def test_given_asterisk_still_has_its_copy_when_followed_then_the_file_comes(
    customer: Customer,
) -> None:
    await customer.room.add_kept(content=FILE, state=RecordingState.FETCHED)
    assert (await customer.get(await customer.location())).status == 200


async def test_given_a_range_when_followed_then_that_part_comes(customer: Customer) -> None:
    await customer.room.add_kept(content=FILE)
    location = await customer.location()
    answer = await customer.get(location, Range="bytes=58-157")
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes 58-157/{len(FILE)}"
    assert await answer.read() == SOUND[:100]
    tail = await customer.get(location, Range="bytes=-10")
    assert (tail.status, await tail.read()) == (206, FILE[-10:])
    assert (await customer.get(location, Range=f"bytes={len(FILE)}-")).status == 416


async def test_given_a_range_of_an_older_file_when_followed_then_the_whole_file_comes(
    customer: Customer,
) -> None:
    await customer.room.add_kept(content=FILE)
    location = await customer.location()
    current = (await customer.get(location)).headers["Last-Modified"]
    same = await customer.get(location, Range="bytes=0-9", If_Range=current)
    older = await customer.get(location, Range="bytes=0-9", If_Range="Mon, 01 Jan 2001 00:00:00 GMT")
    assert (same.status, await same.read()) == (206, FILE[:10])
    assert (older.status, await older.read()) == (200, FILE)


async def test_given_a_link_when_asked_for_its_head_then_the_size_comes(customer: Customer) -> None:
    await customer.room.add_kept(content=FILE)
    answer = await customer.get(await customer.location(), "HEAD")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(FILE)))


async def test_given_a_bad_or_old_link_when_followed_then_403_with_a_body(customer: Customer) -> None:
    await customer.room.add_kept("call-1", FILE)
    await customer.room.add_kept("call-2", FILE)
    location = await customer.location()
    path, _, query = location.partition("?")
    for bad in (path, f"{location}0", f"/recordings/call-2.wav?{query}", "/recordings/none.wav"):
        answer = await customer.get(bad)
        assert answer.status == 403
        assert set(await answer.json()) == {"resultcode", "resultdesc"}
    customer.room.clock.time += LIFETIME
    assert (await customer.get(location)).status == 403


@pytest.mark.parametrize(
    "state",
    [
        RecordingState.PENDING,
        RecordingState.FAILED,
        RecordingState.PURGED,
        RecordingState.DISCARD,
        RecordingState.DISCARDED,
    ],
)
async def test_given_a_recording_that_is_not_kept_when_followed_then_404(
    customer: Customer, state: RecordingState
) -> None:
    await customer.room.add_kept(content=FILE, state=state)
    answer = await customer.get(customer.signed("call-1.wav"))
    assert answer.status == 404
    assert await answer.json() == {"resultcode": "1016002", "resultdesc": "The record does not exist."}


async def test_given_the_file_was_lost_when_followed_then_404(customer: Customer) -> None:
    (await customer.room.add_kept()).unlink()
    assert (await customer.get(await customer.location())).status == 404


NAMES = ["..", "../secret.wav", "../../test.db", "/etc/passwd", "call\0.wav", "%2e%2e/x", "号.wav", "a" * 300]


@pytest.mark.parametrize("name", NAMES)
async def test_given_an_odd_name_when_asked_for_then_no_file_comes_even_with_our_signature(
    customer: Customer, name: str, tmp_path: Path
) -> None:
    await customer.room.add_kept(content=FILE)
    (tmp_path / "secret.wav").write_bytes(b"secret")
    answer = await customer.get(customer.signed(name))
    assert answer.status in (403, 404)
    assert b"secret" not in await answer.read()
    with pytest.raises(RecordingUnknown):
        await customer.location(name)


@pytest.mark.parametrize(
    "state",
    [RecordingState.FAILED, RecordingState.PURGED, RecordingState.DISCARD, RecordingState.DISCARDED],
)
async def test_given_a_recording_that_is_not_kept_when_asked_where_then_it_is_unknown(
    customer: Customer, state: RecordingState
) -> None:
    await customer.room.add(state=state)
    with pytest.raises(RecordingUnknown):
        await customer.location()


async def test_given_another_account_s_recording_when_asked_where_then_it_is_unknown(
    customer: Customer,
) -> None:
    await customer.room.add_kept(content=FILE)
    for name, account in (("call-1.wav", "account-2"), ("call-2.wav", ACCOUNT), ("", ACCOUNT)):
        with pytest.raises(RecordingUnknown):
            await customer.location(name, account)


async def test_given_a_recording_on_its_way_when_asked_where_then_not_yet(customer: Customer) -> None:
    await customer.room.add()
    with pytest.raises(RecordingNotReady):
        await customer.location()
