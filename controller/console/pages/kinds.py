"""Kinds of things that are made and changed by forms, whose pages are alike for all of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel

from controller.console.forms import Form, Sent
from controller.console.listing import for_whom
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_

View = TypeVar("View", bound=BaseModel)
Handler = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Kind(Generic[View]):
    """A kind of thing. Texts are message ids of the translations."""

    place: str
    """Of its list."""
    title: str
    """Of its list."""
    key: Callable[[View], str]
    """What addresses name a thing by."""
    called: Callable[[View], str]
    """What people call a thing."""
    parameter: str = ""
    """Of the paths of its pages: names the thing."""

    def place_of(self, key: str) -> str:
        """The page of one thing."""
        return f"{self.place}/{quote(key)}"

    def place_in(self, visit: Visit) -> str:
        """The page of the thing that a visit is about."""
        return self.place_of(visit.path[self.parameter])

    def made_by(
        self,
        pages: Pages,
        create: Handler,
        form: Form | Callable[[Visit], Awaitable[Form]],
        then: str | Callable[[Visit, Any, Sent], web.Response],
        *,
        title: str,
        at: str | None = None,
        button: str = N_("Create"),
        before: Callable[[Visit], Awaitable[Sequence[str]]] | Sequence[str] = (),
        values: Mapping[str, str] | Callable[[], Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        """Declare the form for one more, and what it is sent to.

        :param then: what the page of the new thing says, or what is answered instead, given what was made
            and what was sent.
        :param at: where its pages are, if that is not where the list is.
        :param before: what is said above the form.
        :param values: what it is filled in with.
        """
        place = f"{at or self.place}/new"

        async def asked(visit: Visit) -> Form:
            return await for_whom(visit, form) if isinstance(form, Form) else await form(visit)

        async def page(visit: Visit, shown: Sent) -> web.Response:
            texts = await before(visit) if callable(before) else [visit.text(text) for text in before]
            return visit.render(
                "form.html",
                title=visit.text(title),
                before=texts,
                form=shown,
                action=place,
                button=visit.text(button),
                back=self.place,
                back_title=visit.text(self.title),
                status=shown.status,
            )

        @pages.get(place)
        async def new(visit: Visit) -> web.StreamResponse:
            visit.check(create)
            return await page(
                visit, visit.blank(await asked(visit), **(values() if callable(values) else values))
            )

        @pages.post(place)
        async def make(visit: Visit) -> web.StreamResponse:
            sent = await visit.sent(await asked(visit))
            made = await sent.to(create)
            if made is None:
                return await page(visit, sent)
            if callable(then):
                return then(visit, made, sent)
            return visit.go(self.place_of(self.key(made)), then)

    def changed_by(
        self,
        pages: Pages,
        get: Callable[..., Awaitable[View]],
        change: Handler,
        form: Form | Callable[[Visit, View], Awaitable[Form]],
        notice: str,
        *,
        whole: bool = False,
        also: Callable[[Sent], Mapping[str, Any]] = lambda _sent: {},
    ) -> None:
        """Declare the form for other settings, and what it is sent to.

        :param whole: whether the operation takes the whole thing, not what is changed of it.
        :param also: what the body has besides.
        """
        place = f"{self.place}/{{{self.parameter}}}/edit"

        async def asked(visit: Visit, present: View) -> Form:
            return form if isinstance(form, Form) else await form(visit, present)

        def page(visit: Visit, shown: Sent, present: View) -> web.Response:
            title = visit.text("Settings of %(name)s", name=self.called(present))
            return self.deed(visit, shown, present, "edit", title=title, button=visit.text("Save"))

        @pages.get(place)
        async def edit(visit: Visit) -> web.StreamResponse:
            visit.check(change)
            present = await visit.run(get)
            return page(visit, visit.blank(await asked(visit, present), present), present)

        @pages.post(place)
        async def save(visit: Visit) -> web.StreamResponse:
            present = await visit.run(get)
            sent = await visit.sent(await asked(visit, present))
            await sent.to(change, since=None if whole else present, also=also(sent))
            if sent.is_refused:
                return page(visit, sent, present)
            return visit.go(self.place_of(self.key(present)), notice)

    def deed(
        self,
        visit: Visit,
        form: Sent,
        present: View,
        deed: str,
        *,
        title: str,
        button: str,
        before: Sequence[str] = (),
        danger: bool = False,
    ) -> web.Response:
        """A page that is a form about one thing; texts are in the language of who looks.

        :param deed: the end of the address that it is sent to.
        """
        place = self.place_of(self.key(present))
        return visit.render(
            "form.html",
            title=title,
            before=before,
            form=form,
            action=f"{place}/{deed}",
            button=button,
            danger=danger,
            back=place,
            back_title=self.called(present),
            version=visit.version_of(present),
            status=form.status,
        )


def shown_once(
    visit: Visit, title: str, said: str, shown: Sequence[tuple[str, str]], then: str
) -> web.Response:
    """The page with a secret that is shown now and never again, and then leads to a place."""
    return visit.render(
        "secret.html",
        title=title,
        said=said,
        shown=shown,
        then=then,
        button=visit.text("I have copied it"),
    )
