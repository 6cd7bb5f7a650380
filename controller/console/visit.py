"""One request of a browser: who it is from, what they may do, and how pages answer."""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from aiohttp import web
from pydantic import BaseModel

from controller.console.arriving import Arriving
from controller.console.forms import Form, Sent
from controller.console.live import Stream
from controller.console.rendering import Look, Renderer
from controller.console.snippets import curl
from controller.management.context import Context, Services, etag
from controller.management.desk import Desk
from controller.management.idempotency import Attempt
from controller.management.problems import Forbidden, NotAuthenticated, Problem
from controller.management.roles import Actor, Role

T = TypeVar("T")
PREFIX = "/console"
NOTICE = "voicecall-notice"


@dataclass
class Visit:
    """A request for a page."""

    request: web.Request
    desk: Desk
    renderer: Renderer
    look: Look
    actor: Actor | None
    """None: nobody is logged in, as on the page where one does."""
    csrf: str
    address: str
    base_url: str
    """Scheme, host and port as the browser has them."""
    request_id: str = field(default_factory=lambda: secrets.token_hex(8))
    new_session: str | None = None
    arriving: Arriving | None = None
    """The form with a file that is sent, where the page takes one."""

    @property
    def services(self) -> Services:
        return self.desk.services

    @property
    def user(self) -> Actor:
        """Who is logged in. Raises NotAuthenticated."""
        if self.actor is None:
            raise NotAuthenticated
        return self.actor

    @property
    def path(self) -> Mapping[str, str]:
        """The path's parameters."""
        return dict(self.request.match_info)

    @property
    def is_partial(self) -> bool:
        """Whether a script asks for a part of the page that it shows."""
        return self.request.headers.get("HX-Request") == "true"

    @property
    def is_stream(self) -> bool:
        """Whether a page asks to be kept up to date."""
        return "text/event-stream" in self.request.headers.get("Accept", "")

    def text(self, message: str, **values: object) -> str:
        """A message in the language of the one who looks."""
        said = self.renderer.text(self.look.language, message)
        return said % values if values else said

    def may(self, role: Role) -> bool:
        """Whether the role of who is logged in covers this one."""
        return self.actor is not None and self.actor.role.covers(role)

    @staticmethod
    def version_of(thing: BaseModel) -> str:
        """What a form says that was filled in with this: somebody may change the thing meanwhile."""
        return etag(thing)

    def curl(self, method: str, path: str, body: Any = None, **more: Any) -> str:
        """The command that asks the same of the API: see `snippets.curl`."""
        return curl(self.base_url, method, path, body, **more)

    # Asking operations

    def allows(self, handler: Callable[..., Awaitable[Any]]) -> bool:
        """Whether the operation is for the role and side of whoever is logged in."""
        return self.actor is not None and self.desk.operation_of(handler).is_for(self.actor)

    def check(self, handler: Callable[..., Awaitable[Any]]) -> None:
        """Raises Forbidden unless a form that is sent to the operation is of use to whoever is logged in."""
        if not self.allows(handler):
            raise Forbidden

    async def run(
        self,
        handler: Callable[..., Awaitable[T]],
        path: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        version: str | None = None,
        key: str | None = None,
    ) -> T:
        """What the operation with this handler answers to whoever is logged in. Raises Problem.

        :param path: the path's parameters; those of the page, if they are left out.
        :param version: the ETag of what is changed, where the operation asks for it.
        :param key: makes a repeated creation the same one.
        """
        operation = self.desk.operation_of(handler)
        context = Context(
            operation=operation,
            services=self.services,
            actor=self.actor,
            path={kind.parameter: (path or self.path)[kind.parameter] for kind in operation.kinds},
            account_id=None if self.actor is None else self.actor.account_id,
            address=self.address,
            request_id=self.request_id,
            if_match=version or None,
            params={name: value for name, value in (query or {}).items() if name != "cursor"},
            say=self.text,
        )
        if key and operation.creates and self.actor is not None:
            raw = json.dumps(body, sort_keys=True, default=repr).encode()
            context.attempt = Attempt.of(self.actor, operation.method, self.request.path, key, raw)
        result = await self.desk.run(context, body, query)
        if context.new_session is not None:
            self.new_session = context.new_session
        return result  # type: ignore[no-any-return]  # as the handler's annotation has it

    async def all_of(
        self,
        handler: Callable[..., Awaitable[Any]],
        *,
        query: Mapping[str, Any] | None = None,
        most: int = 1000,
    ) -> list[Any]:
        """Items of a list, of as many pages as it takes for `most`. Raises Problem."""
        found: list[Any] = []
        given: dict[str, Any] = {**(query or {}), "limit": 200}
        while len(found) < most:
            page = await self.run(handler, query=given)
            found += page.items
            if page.next is None:
                break
            given["cursor"] = cursor_of(page.next)
        return found

    # Forms

    async def sent(self, form: Form) -> Sent:
        """What was typed into a form and sent."""
        if self.arriving is not None:
            return Sent(form, self, self.arriving.typed)
        data = await self.request.post()
        typed = {name: value for name, value in data.items() if isinstance(value, str)}
        for asked in form.fields:
            if asked.kind == "several":
                typed[asked.name] = "\n".join(map(str, data.getall(asked.name, ())))
        return Sent(form, self, typed)

    def blank(self, form: Form, present: Any = None, **values: str) -> Sent:
        """A form to be filled in; with what there is now, if that is given."""
        return Sent(form, self, {**form.shown(present), **values}, key=secrets.token_hex(16))

    # Answers

    def render(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """A page made of a template."""
        text = self.renderer.render(self, template, values)
        answer = web.Response(text=text, content_type="text/html", status=status)
        if NOTICE in self.request.cookies:
            answer.del_cookie(NOTICE, path=PREFIX)
        return answer

    def go(self, path: str, notice: str = "", **values: object) -> web.Response:
        """Send the browser to a page, which shows the notice."""
        answer = web.Response(status=303, headers={"Location": PREFIX + path})
        if self.is_partial:
            # Scripts would follow a redirect themselves, and put the page into the part.
            answer = web.Response(status=200, headers={"HX-Redirect": PREFIX + path})
        if notice:
            answer.set_cookie(
                NOTICE,
                quote(self.text(notice, **values)),
                path=PREFIX,
                max_age=30,
                httponly=True,
                samesite="Lax",
            )
        return answer

    async def follow(
        self, template: str, values: Callable[[], Awaitable[Mapping[str, Any] | None]]
    ) -> web.StreamResponse:
        """Keep a part of a page as it is now: sent again when it has changed, until there are no values."""

        async def part() -> str | None:
            try:
                now = await values()
                return None if now is None else self.renderer.render(self, template, now)
            except Problem as problem:
                return self.renderer.render(self, "part_problem.html", {"problem": problem})

        return await Stream(part).to(self.request)


def cursor_of(address: str | None) -> str | None:
    """The cursor in the address of a list's next page."""
    if address is None:
        return None
    return parse_qs(urlsplit(address).query)["cursor"][0]
