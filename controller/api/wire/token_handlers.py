"""The token API of the oldest clients. Source: wire API document, section 3.

They send next to nothing right: no Content-Type, a raw password in Authorization, parameters in the query or
in the body. All of it is taken.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from controller.accounts.directory import LiveDirectory
from controller.api.remote import Remote
from controller.api.wire.authentication import Authenticator, TokenDesk
from controller.api.wire.authentication.tokens import token_answer
from controller.api.wire.body import read_body
from controller.api.wire.results import WireError, invalid_request, written

_FIELDS = 64
_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)')
_NAME = re.compile(rb'name="([^"]*)"')
_SUCCEEDED = {"resultcode": "0", "resultdesc": "Succeed"}


class TokenApi:
    """Login, refresh, logout."""

    def __init__(
        self, directory: LiveDirectory, tokens: TokenDesk, authenticator: Authenticator, remote: Remote
    ) -> None:
        self._directory = directory
        self._tokens = tokens
        self._authenticator = authenticator
        self._remote = remote

    def routes(self) -> list[web.RouteDef]:
        """What the server serves."""
        return [
            web.post("/rest/fastlogin/v1.0", self.login),
            web.post("/omp/oauth/refresh", self.refresh),
            web.post("/rest/logout/v1.0", self.logout),
            web.post("/rest/refreshkey/v2.0", self.refresh_key),
        ]

    async def login(self, request: web.Request) -> web.Response:
        """Give a token for a user name and a password."""
        app_key, username = (_parameter(request.query, name) for name in ("app_key", "username"))
        password = request.headers.get("Authorization", "")
        address = self._remote.address(request)
        async with self._authenticator.guarded(address):
            given = await self._tokens.login(self._directory.now, app_key, username, password, address)
        return web.json_response(token_answer(given), dumps=written)

    async def refresh(self, request: web.Request) -> web.Response:
        """Give a new token for the refresh token of the one before."""
        values = {**await _form(request), **request.query}
        app_key, app_secret, refresh_token = (
            _parameter(values, name) for name in ("app_key", "app_secret", "refresh_token")
        )
        if values.get("grant_type") != "refresh_token":
            raise invalid_request("grant_type must be refresh_token")
        address = self._remote.address(request)
        async with self._authenticator.guarded(address):
            given = await self._tokens.refresh(
                self._directory.now, app_key, app_secret, refresh_token, address
            )
        return web.json_response(token_answer(given), dumps=written)

    async def logout(self, request: web.Request) -> web.Response:
        """Take a token back."""
        token = access_token(request)
        address = self._remote.address(request)
        async with self._authenticator.guarded(address):
            if token is None:
                raise WireError("1010004")
            await self._tokens.logout(self._directory.now, token, address)
        return web.json_response(_SUCCEEDED, dumps=written)

    async def refresh_key(self, request: web.Request) -> web.Response:
        """Old clients renew a key of the cloud's object storage; there is none here to renew."""
        token = access_token(request)
        address = self._remote.address(request)
        async with self._authenticator.guarded(address):
            if token is None:
                raise WireError("1010004")
            await self._tokens.authenticate(self._directory.now, token, address)
        return web.json_response(_SUCCEEDED, dumps=written)


async def _form(request: web.Request) -> dict[str, str]:
    """The parameters in the body, whatever its Content-Type says."""
    raw = await read_body(request)
    boundary = _BOUNDARY.search(request.headers.get("Content-Type", ""))
    if boundary is not None:
        return dict(_parts(raw, boundary[1].encode("utf-8", "surrogateescape")))
    try:
        return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=_FIELDS))
    except ValueError:
        raise invalid_request("The body has too many parameters.") from None


def _parts(raw: bytes, boundary: bytes) -> Iterator[tuple[str, str]]:
    """The fields of a form in parts: what PHP makes of an array."""
    for part in raw.split(b"--" + boundary, _FIELDS):
        head, _, value = part.partition(b"\r\n\r\n")
        if name := _NAME.search(head):
            yield name[1].decode("utf-8", "replace"), value.removesuffix(b"\r\n").decode("utf-8", "replace")


def access_token(request: web.Request) -> str | None:
    """The token in the query; clients leave its + unescaped, which reads as a space."""
    token = request.query.get("access_token")
    return token.replace(" ", "+") if token else None


def _parameter(values: Mapping[str, object], name: str) -> str:
    """A parameter that must be there. Raises WireError."""
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise invalid_request(f"{name} is missing")
    return value.replace(" ", "+")
