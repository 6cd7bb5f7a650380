"""Pages, declared once: their addresses come from this."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

from controller.console.visit import Visit

PageHandler = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Page:
    """One method of one path below the prefix."""

    method: Literal["GET", "POST"]
    path: str
    handler: PageHandler
    is_open: bool
    """Whether it is there for who isn't logged in."""
    takes_file: bool = False
    """Whether the form has a file, which comes in pieces: `Visit.arriving`."""

    @property
    def is_own(self) -> bool:
        """Whether it is there for who must set up a second factor first."""
        return self.is_open or self.path == "/logout" or self.path.startswith("/me")


@dataclass
class Pages:
    """The pages about one kind of thing."""

    declared: list[Page] = field(default_factory=list)

    def __iter__(self) -> Iterator[Page]:
        return iter(self.declared)

    def get(self, path: str, *, is_open: bool = False) -> Callable[[PageHandler], PageHandler]:
        """Declare a page."""
        return self._page("GET", path, is_open)

    def post(
        self,
        path: str,
        *,
        is_open: bool = False,
        takes_file: bool = False,
    ) -> Callable[[PageHandler], PageHandler]:
        """Declare what a form is sent to."""
        return self._page("POST", path, is_open, takes_file)

    def _page(
        self,
        method: Literal["GET", "POST"],
        path: str,
        is_open: bool,
        takes_file: bool = False,
    ) -> Callable[[PageHandler], PageHandler]:
        def declare(handler: PageHandler) -> PageHandler:
            self.declared.append(Page(method, path, handler, is_open, takes_file))
            return handler

        return declare
