"""Phones in browsers: what Asterisk is told of them, whom they let call, and when they end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from pydantic import SecretStr
from unit.support import soon

from controller.ari.fake import FakeAsterisk
from controller.asterisk.errors import NodeUnavailable, NoPhone
from controller.asterisk.node import Node
from controller.asterisk.simulated import absent
from controller.phone_number import PhoneNumber
from controller.settings import AsteriskSettings, PhoneSettings

ALPHA, BETA = "alpha", "beta"


class _Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 26, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


def _node(asterisk: FakeAsterisk, etc_dir: Path, clock: _Clock, **changes: object) -> Node:
    settings = AsteriskSettings(
        ari_url=asterisk.address.url,
        ari_user=asterisk.address.user,
        ari_password=SecretStr(asterisk.address.password),
        ami_port=1,
        etc_dir=etc_dir,
    )
    phone = PhoneSettings.model_validate(changes)
    return Node(settings, phone=phone, clock=clock, random=Random(1))


@asynccontextmanager
async def _ready(asterisk: FakeAsterisk, etc_dir: Path) -> AsyncIterator[tuple[Node, _Clock]]:
    clock = _Clock()
    async with _node(asterisk, etc_dir, clock) as node:
        await soon(node.ari.wait_ready())
        yield node, clock


def _kinds(asterisk: FakeAsterisk) -> list[str]:
    return sorted(kind for _module, kind, _name in asterisk.objects)


async def test_given_a_user_when_the_phone_is_switched_on_and_off_then_asterisk_has_it_just_as_long(
    tmp_path: Path,
) -> None:
    async with FakeAsterisk() as asterisk, _ready(asterisk, tmp_path) as (node, _):
        phone = await node.phones.switch_on("ann", ALPHA, "session")
        assert _kinds(asterisk) == ["aor", "auth", "endpoint"]
        auth = asterisk.objects["res_pjsip", "auth", phone.name]
        assert auth["password"] == phone.password.get_secret_value()
        endpoint = asterisk.objects["res_pjsip", "endpoint", phone.name]
        assert (endpoint["context"], endpoint["webrtc"]) == ("phones", "yes")

        await node.phones.switch_off(phone)
        assert asterisk.objects == {}
        assert phone.ended.is_set()
        assert node.phones.of_user("ann") is None


async def test_given_a_phone_when_it_is_switched_on_again_then_the_number_stays_and_the_old_one_ends(
    tmp_path: Path,
) -> None:
    async with FakeAsterisk() as asterisk, _ready(asterisk, tmp_path) as (node, _):
        first = await node.phones.switch_on("ann", ALPHA, "session")
        second = await node.phones.switch_on("ann", ALPHA, "other session")
        assert first.number == second.number
        assert first.number.e164.startswith("+990")
        assert first.password != second.password
        assert first.ended.is_set()
        assert _kinds(asterisk) == ["aor", "auth", "endpoint"]
        assert (await node.phones.switch_on("bob", ALPHA, "session")).number != first.number


async def test_given_a_phone_when_calls_come_then_it_rings_only_if_registered_and_for_its_account_alone(
    tmp_path: Path,
) -> None:
    async with FakeAsterisk() as asterisk, _ready(asterisk, tmp_path) as (node, _):
        phone = await node.phones.switch_on("ann", ALPHA, "session")
        assert [way.dial_string for way in node.ways(phone.number)] == [absent()]
        phone.registered = True
        assert [way.dial_string for way in node.ways(phone.number)] == [f"PJSIP/{phone.name}"]
        assert node.phones.may_be_called(phone.number, ALPHA)
        assert not node.phones.may_be_called(phone.number, BETA)
        operators = await node.phones.switch_on("olga", None, "session")
        assert node.phones.may_be_called(operators.number, BETA)
        # What nobody has does no harm: it is switched off for everybody.
        assert node.phones.may_be_called(PhoneNumber("+99012345678"), BETA)
        assert node.sip_status(phone.number, 20) == 480


async def test_given_a_phone_when_asterisk_restarts_then_it_is_there_again_and_waits_for_its_registration(
    tmp_path: Path,
) -> None:
    async with FakeAsterisk() as asterisk, _ready(asterisk, tmp_path) as (node, _):
        phone = await node.phones.switch_on("ann", ALPHA, "session")
        phone.registered = True
        asterisk.restart()
        await soon(node.ari.wait_lost())
        await soon(node.ari.wait_ready())
        assert _kinds(asterisk) == ["aor", "auth", "endpoint"]
        assert not phone.registered


async def test_given_phones_that_a_dead_controller_left_when_connected_then_they_go_and_others_stay(
    tmp_path: Path,
) -> None:
    async with FakeAsterisk() as asterisk:
        for name in ("phone-voicecall-left", "phone-other-theirs"):
            asterisk.objects["res_pjsip", "endpoint", name] = {}
        async with _ready(asterisk, tmp_path):
            assert [name for *_, name in asterisk.objects] == ["phone-other-theirs"]


async def test_given_a_phone_when_its_time_is_over_then_it_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.asterisk.phones._SWEEP", 0.01)
    async with FakeAsterisk() as asterisk, _ready(asterisk, tmp_path) as (node, clock):
        phone = await node.phones.switch_on("ann", ALPHA, "session")
        clock.time += timedelta(minutes=121)
        await soon(phone.ended.wait())
        assert asterisk.objects == {}


async def test_given_a_controller_when_it_ends_then_no_phone_is_left(tmp_path: Path) -> None:
    async with FakeAsterisk() as asterisk:
        async with _ready(asterisk, tmp_path) as (node, _):
            await node.phones.switch_on("ann", ALPHA, "session")
        assert asterisk.objects == {}


async def test_given_no_asterisk_or_no_prefix_when_switched_on_then_it_is_said_why(tmp_path: Path) -> None:
    async with FakeAsterisk() as asterisk:
        with pytest.raises(NodeUnavailable):
            await _node(asterisk, tmp_path, _Clock()).phones.switch_on("ann", ALPHA, "session")
        node = _node(asterisk, tmp_path, _Clock(), prefix="")
        assert not node.phones.has(PhoneNumber("+99012345678"))
        with pytest.raises(NoPhone, match=r"phone\.prefix"):
            await node.phones.switch_on("ann", ALPHA, "session")
