"""A SIP phone without media on the console's WebSocket, as bare as can be: it registers and refuses calls."""

import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from sqlalchemy import delete
from sqlmodel import col

from controller.asterisk.phones import Phone
from controller.management.passwords import digest
from controller.management.roles import Role
from controller.store.management_tables import LoginSession, User
from controller.wiring import Controller

COOKIE = "session-of-the-test"


async def switched_on(controller: Controller, account_id: str | None) -> Phone:
    """The phone of a logged-in developer of an account (None: the operator)."""
    login = f"developer@{account_id or 'operator'}"
    now = datetime.now(UTC)
    user = {"id": login, "login": login, "role": Role.DEVELOPER, "account_id": account_id}
    begun = {"digest": digest(COOKIE), "user_id": login, "address": "127.0.0.1"}

    def log_in(session: Any) -> None:
        session.add(User(**user, password_hash="none", created_at=now))
        session.flush()
        session.add(LoginSession(**begun, expires_at=now + timedelta(hours=1)))

    await controller.database.write(log_in)
    return await controller.node.phones.switch_on(login, account_id, digest(COOKIE))


async def log_out(controller: Controller) -> None:
    """End the session of `switched_on`."""
    await controller.database.write(
        lambda session: session.execute(
            delete(LoginSession).where(col(LoginSession.digest) == digest(COOKIE))
        )
    )


@dataclass
class SocketPhone:
    """What is at the browser's end of the WebSocket."""

    socket: aiohttp.ClientWebSocketResponse
    phone: Phone
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    """Makes its transactions its own."""

    async def register(self) -> int:
        """Register with the password; the last answer's status."""
        await self.socket.send_str(self._register(1, ""))
        challenge = await self.receive("SIP/2.0 401")
        values = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        secret = self.phone.password.get_secret_value()
        first = _md5(f"{self.phone.name}:{values['realm']}:{secret}")
        second = _md5("REGISTER:sip:voicecall.invalid")
        response = _md5(f"{first}:{values['nonce']}:00000001:abc:auth:{second}")
        proof = (
            f'Authorization: Digest username="{self.phone.name}", realm="{values["realm"]}", '
            f'nonce="{values["nonce"]}", uri="sip:voicecall.invalid", response="{response}", '
            f'qop=auth, nc=00000001, cnonce="abc", algorithm=MD5, opaque="{values.get("opaque", "")}"\r\n'
        )
        await self.socket.send_str(self._register(2, proof))
        return int((await self.receive("SIP/2.0")).split(" ")[1])

    def _register(self, number: int, more: str) -> str:
        name = self.phone.name
        return (
            "REGISTER sip:voicecall.invalid SIP/2.0\r\n"
            f"Via: SIP/2.0/WS test.invalid;branch=z9hG4bK{self.token}{number}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{name}@voicecall.invalid>;tag=t\r\nTo: <sip:{name}@voicecall.invalid>\r\n"
            f"Call-ID: {self.token}\r\nCSeq: {number} REGISTER\r\n"
            f"Contact: <sip:{name}@test.invalid;transport=ws>;expires=120\r\n{more}Content-Length: 0\r\n\r\n"
        )

    async def receive(self, beginning: str, timeout: float = 10) -> str:
        """The next message that begins so; others are passed over."""
        while True:
            text: str = await self.socket.receive_str(timeout=timeout)
            if text.startswith(beginning):
                return text

    async def refuse_call(self, status: str) -> str:
        """Ring, refuse and be acknowledged; the INVITE."""
        invite = await self.receive("INVITE")
        kept = "".join(
            line + "\r\n"
            for line in invite.split("\r\n\r\n")[0].split("\r\n")[1:]
            if line.split(":")[0].lower() in ("via", "from", "call-id", "cseq")
        )
        to = re.search(r"^To:.*$", invite, re.MULTILINE | re.IGNORECASE)
        assert to is not None
        for line in ("180 Ringing", status):
            await self.socket.send_str(
                f"SIP/2.0 {line}\r\n{kept}{to[0].strip()};tag=me\r\nContent-Length: 0\r\n\r\n"
            )
        await self.receive("ACK")
        return invite

    async def closed(self, timeout: float = 10) -> int | None:
        """Wait until the other side closes: its code."""
        while (await self.socket.receive(timeout=timeout)).type != aiohttp.WSMsgType.CLOSE:
            pass
        return self.socket.close_code


@asynccontextmanager
async def connected(controller: Controller, phone: Phone) -> AsyncIterator[SocketPhone]:
    """The page's WebSocket."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(
            f"{controller.url}/console/phone/socket",
            protocols=("sip",),
            origin=controller.url,
            headers={"Cookie": f"voicecall={COOKIE}"},
        ) as socket,
    ):
        yield SocketPhone(socket, phone)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
