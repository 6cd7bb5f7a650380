"""Who can reach Asterisk's own doors: on a real node, with the files that are shipped."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from integration.support import StartBench

_LISTENS = "0A"


def _listening(port: int) -> Iterator[str]:
    """The local addresses at which something listens to this TCP port, as the kernel has them."""
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            host, _, number = local.partition(":")
            if state == _LISTENS and int(number, 16) == port:
                words = [bytes.fromhex(host[at : at + 8])[::-1] for at in range(0, len(host), 8)]
                yield socket.inet_ntop(family, b"".join(words))


def _own_address() -> str:
    """An address of this machine that others on its network see."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: the kernel only says from where it would be.
        with contextlib.suppress(OSError):
            probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


async def _answers(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(2):
            _reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


@pytest.mark.requirement("E1")
async def test_E1_given_a_node_with_every_default_when_asked_from_elsewhere_then_ari_and_ami_are_not_there(
    bench: StartBench,
) -> None:
    b = await bench()
    node = b.home.asterisk.configuration

    elsewhere = _own_address()
    for port in (node.http_port, node.ami_port):
        assert list(_listening(port)) == ["127.0.0.1"], port
    assert await _answers("127.0.0.1", node.ami_port)
    if not elsewhere.startswith(("127.", "0.")):
        assert not await _answers(elsewhere, node.http_port)
        assert not await _answers(elsewhere, node.ami_port)


@pytest.mark.requirement("E1")
async def test_E1_given_no_password_or_a_wrong_one_when_ari_is_asked_then_401_and_nothing_is_told(
    bench: StartBench,
) -> None:
    b = await bench()
    node = b.home.asterisk.configuration
    strangers = (None, ("voicecall", "wrong"), ("admin", "admin"), ("asterisk", "asterisk"))

    async with aiohttp.ClientSession(f"http://127.0.0.1:{node.http_port}") as http:
        for stranger in strangers:
            headers = {} if stranger is None else {"Authorization": aiohttp.encode_basic_auth(*stranger)}
            for path in ("/ari/channels", "/ari/asterisk/info", "/ari/events?app=voicecall"):
                async with http.get(path, headers=headers) as answer:
                    assert answer.status == 401, (stranger, path)
                    assert "version" not in await answer.text()
        for path in ("/", "/httpstatus", "/static/", "/manager", "/rawman", "/metrics"):
            async with http.get(path) as answer:
                assert answer.status == 404, path


async def _ami(port: int, user: str, secret: str, *actions: str) -> str:
    """What AMI answers to a login, and to the actions that follow it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    told = ""
    try:
        for action in (f"Action: Login\r\nUsername: {user}\r\nSecret: {secret}", *actions):
            writer.write(f"{action}\r\n\r\n".encode())
            async with asyncio.timeout(5):
                while "Response:" not in (part := (await reader.readuntil(b"\r\n\r\n")).decode()):
                    pass
            told += part
    except asyncio.IncompleteReadError as ended:
        told += ended.partial.decode()
    finally:
        writer.transport.abort()
    return told


@pytest.mark.requirement("E1")
async def test_E1_given_a_node_on_a_network_when_ami_is_asked_from_beside_the_controllers_then_it_refuses(
    bench: StartBench,
) -> None:
    """`control_networks` are asked even of somebody who knows the password."""
    b = await bench(controller=False)
    node = b.home.asterisk.configuration
    assert "Response: Error" in await _ami(node.ami_port, node.ami_user, "wrong")

    # The test comes from 127.0.0.1; the controllers shall be elsewhere too, then only there.
    manager = node.etc_dir / "manager.conf"
    text, elsewhere = manager.read_text(), "192.0.2.0/255.255.255.0"
    reload = "Action: Command\r\nCommand: manager reload"
    for networks in (f"{elsewhere},{node.control_networks}", elsewhere):
        manager.write_text(text.replace(f"permit = {node.control_networks}", f"permit = {networks}"))
        assert "Message: Authentication accepted" in await _ami(
            node.ami_port, node.ami_user, node.ami_password, reload
        )

    assert "Response: Error" in await _ami(node.ami_port, node.ami_user, node.ami_password)
