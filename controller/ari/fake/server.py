"""The network part of a fake Asterisk: one loopback port, WebSockets with events and REST, REST over HTTP."""

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import web

from controller.ari.fake.faults import Faults
from controller.ari.fake.hub import Hub
from controller.ari.fake.objects import Json
from controller.ari.fake.rest import Answer, Request, Rest, refused
from controller.ari.fake.sockets import FakeSocket

_METHODS = ("GET", "POST", "PUT", "DELETE")


class Server:
    """Requests in, answers out. `refusing`: new connections are cut; `speaking`: not hung."""

    def __init__(self, hub: Hub, rest: Rest, faults: Faults, user: str, password: str) -> None:
        self.refusing = False
        self.speaking = asyncio.Event()
        self.speaking.set()
        self.most_unanswered = 0
        self._unanswered = 0
        self._hub = hub
        self._rest = rest
        self._faults = faults
        self._credentials = aiohttp.encode_basic_auth(user, password)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        if self._runner is None:
            raise RuntimeError("the fake Asterisk was not started")
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        application = web.Application()
        application.router.add_route("*", "/ari/{rest:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def stop(self) -> None:
        """Cut everything and no longer listen."""
        self.refusing = True
        self._hub.drop_sockets()
        self.speaking.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.refusing:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        await self.speaking.wait()
        if request.transport is None:
            # Whoever asked has gone away while nothing was said.
            return web.Response(status=503)
        if request.headers.get("Authorization") != self._credentials:
            return _response(refused(401, "Authentication required"))
        if request.path == "/ari/events":
            return await self._serve_socket(request)
        return await self._serve_http(request)

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        names = [name for name in request.query.get("app", "").split(",") if name]
        if not names:
            return _response(refused(400, "HTTP request is missing param: [app]"))
        response = web.WebSocketResponse(autoping=False, compress=False)
        if not response.can_prepare(request):
            return web.Response(status=426)
        await response.prepare(request)
        socket = FakeSocket(response, request.transport, names)
        self._hub.attach(socket)
        writing = asyncio.create_task(socket.write(self.speaking))
        try:
            async for message in response:
                await self.speaking.wait()
                if message.type is aiohttp.WSMsgType.PING:
                    await response.pong(message.data)
                elif message.type is aiohttp.WSMsgType.TEXT:
                    self._take(socket, message.data)
        except ConnectionError:
            pass
        finally:
            writing.cancel()
            self._hub.detach(socket)
        return response

    def _take(self, socket: FakeSocket, text: str) -> None:
        asked = _json_object(text)
        if asked.get("type") != "RESTRequest" or not isinstance(asked.get("uri"), str):
            socket.send(_rest_response({}, refused(400, "Unknown request type.")))
            return
        if asked.get("method") not in _METHODS:
            answer = refused(400, "Unknown or missing 'method' property.")
            socket.send(_rest_response(asked, answer))
            return
        parameters = {entry["name"]: entry["value"] for entry in asked.get("query_strings", [])}
        request = self._request(asked["method"], asked["uri"], parameters, asked.get("message_body", ""))
        answer = self._do(request)
        if answer.content is not None:
            answer = Answer(406)

        def send() -> None:
            self._unanswered -= 1
            socket.send(_rest_response(asked, answer))

        delay = self._faults.delay(request.operation)
        if delay <= 0:
            send()
        elif delay != math.inf:
            asyncio.get_running_loop().call_later(delay, send)

    async def _serve_http(self, request: web.Request) -> web.StreamResponse:
        uri = request.raw_path.partition("?")[0].removeprefix("/ari/")
        asked = self._request(request.method, uri, dict(request.query), await request.text())
        answer = self._do(asked)
        delay = self._faults.delay(asked.operation)
        if delay == math.inf:
            await asyncio.get_running_loop().create_future()
        elif delay > 0:
            await asyncio.sleep(delay)
        self._unanswered -= 1
        return _response(answer)

    def _request(self, method: str, uri: str, parameters: Mapping[str, str], body: str) -> Request:
        operation, at = self._rest.operation(method, uri), asyncio.get_running_loop().time()
        return Request(operation, method, uri, parameters, _json_object(body), at)

    def _do(self, request: Request) -> Answer:
        self._unanswered += 1
        self.most_unanswered = max(self.most_unanswered, self._unanswered)
        self._hub.requests.append(request)
        wrong = self._faults.wrong_answer(request.operation)
        if wrong is None:
            answer = self._rest.answer(request)
        else:
            status, message, after_doing = wrong
            if after_doing:
                self._rest.answer(request)
            answer = refused(status, message)
        self._hub.changed()
        return answer


def _json_object(text: str) -> Json:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _rest_response(asked: Mapping[str, Any], answer: Answer) -> str:
    message = {
        "type": "RESTResponse",
        "transaction_id": asked.get("transaction_id", ""),
        "request_id": asked.get("request_id", ""),
        "status_code": answer.status,
        "reason_phrase": answer.reason,
        "uri": asked.get("uri", ""),
    }
    if answer.body is not None:
        message |= {"content_type": answer.content_type, "message_body": json.dumps(answer.body)}
    return json.dumps(message)


def _response(answer: Answer) -> web.Response:
    if answer.content is not None:
        return web.Response(status=answer.status, body=answer.content, content_type=answer.content_type)
    headers = {"WWW-Authenticate": 'Basic realm="Asterisk REST Interface"'} if answer.status == 401 else None
    body = None if answer.body is None else json.dumps(answer.body).encode()
    content_type = answer.content_type if body else None
    return web.Response(
        status=answer.status, reason=answer.reason, body=body, headers=headers, content_type=content_type
    )
