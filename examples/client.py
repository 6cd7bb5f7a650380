"""A customer's program: asks for calls and hears what becomes of them. Python's standard library alone."""

import base64
import hashlib
import hmac
import json
import queue
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Voicecall:
    """The API, as one app sees it."""

    def __init__(self, url: str, app_key: str, secret: str) -> None:
        self.url = url
        self.app_key = app_key
        self.secret = secret

    def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer; `resultcode` is "0" for success, and a refusal is an answer too."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), self.headers())
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return dict(json.load(refusal))

    def headers(self) -> dict[str, str]:
        """The headers of one request, signed now."""
        nonce, created = secrets.token_hex(16), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        mac = hmac.new(self.secret.encode(), (nonce + created).encode(), hashlib.sha256)
        digest = base64.b64encode(mac.digest()).decode()
        return {
            "Content-Type": "application/json;charset=UTF-8",
            "Authorization": 'AKSK realm="SDP",profile="UsernameToken",type="Appkey"',
            "X-AKSK": f'UsernameToken Username="{self.app_key}", PasswordDigest="{digest}", '
            f'Nonce="{nonce}", Created="{created}"',
        }


class Receiver:
    """A server for pushes on loopback; with it, `address` is what statusUrl and feeUrl say."""

    def __init__(self, port: int = 0) -> None:
        self._pushes: queue.Queue[dict[str, Any]] = queue.Queue()
        pushes = self._pushes

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                pushes.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)

    @property
    def address(self) -> str:
        return base64.b64encode(f"http://127.0.0.1:{self._server.server_port}/".encode()).decode()

    def pushes(self, timeout: float = 60) -> Iterator[dict[str, Any]]:
        """Every push up to the CDR. Raises queue.Empty when nothing comes for `timeout` seconds."""
        while True:
            push = self._pushes.get(timeout=timeout)
            yield push
            if push["eventType"] == "fee":
                return

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
