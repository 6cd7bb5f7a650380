"""Pages made of templates: how times, numbers and amounts look, in each language."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context as TemplateContext

from controller.console.assets import Assets
from controller.console.faults import translated_fault
from controller.console.navigation import navigation
from controller.console.words import LANGUAGES, N_, translations
from controller.management.context import etag
from controller.management.roles import Role
from controller.phone_number import grouped
from controller.rules.amounts import amount_text

if TYPE_CHECKING:
    from controller.console.visit import Visit

THEMES: Final = ("auto", "light", "dark")


@dataclass(frozen=True)
class Look:
    """How somebody wants pages."""

    language: str
    theme: str


class Renderer:
    """Templates and the files they refer to."""

    def __init__(self, assets: Assets) -> None:
        self.assets = assets

    def text(self, language: str, message: str) -> str:
        """A message in a language."""
        return translations(language).gettext(message)

    def fault(self, language: str, detail: str) -> str:
        """What an operation found wrong, in a language."""
        return translated_fault(translations(language), detail)

    def render(self, visit: "Visit", template: str, values: Mapping[str, Any]) -> str:
        """The page or part."""
        language = visit.look.language
        everywhere = {
            "visit": visit,
            "actor": visit.actor,
            "roles": Role,
            "language": language,
            "languages": LANGUAGES,
            "theme": visit.look.theme,
            "csrf": visit.csrf,
            "notice": unquote(visit.request.cookies.get("voicecall-notice", "")),
            "navigation": () if visit.actor is None else navigation(visit.actor),
            "here": visit.request.path,
            "asset": self.assets.address,
            "now": datetime.now(UTC),
        }
        return _environment(language).get_template(template).render({**everywhere, **values})


@cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=PackageLoader("controller.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    words = translations(language)
    made.install_gettext_callables(  # type: ignore[attr-defined]  # the i18n extension's
        words.gettext, words.ngettext, newstyle=True
    )
    made.filters.update(
        moment=moment,
        since=_since,
        clock=clock,
        phone=phone,
        etag=etag,
        json=_json,
        seconds=seconds,
        host=_host,
        money=amount_text,
    )
    made.globals["query"] = _query
    return made


def moment(at: datetime | str | None) -> str:
    """A time to the millisecond, in UTC; the browser shows its own zone on hover."""
    made = _datetime(at)
    return "" if made is None else made.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def clock(at: datetime | str | None) -> str:
    """The time of the day."""
    return moment(at)[11:]


@pass_context
def _since(context: TemplateContext, at: datetime | str | None) -> str:
    """How long ago, roughly."""
    made = _datetime(at)
    if made is None:
        return ""
    visit: Visit = context["visit"]
    passed = (datetime.now(UTC) - made).total_seconds()
    for unit, message in (
        (86400, N_("%(count)s d ago")),
        (3600, N_("%(count)s h ago")),
        (60, N_("%(count)s min ago")),
    ):
        if passed >= unit:
            return visit.text(message, count=int(passed // unit))
    return visit.text("just now")


def _datetime(at: datetime | str | None) -> datetime | None:
    made = datetime.fromisoformat(at) if isinstance(at, str) else at
    return made.astimezone(UTC) if made is not None else None


def seconds(value: float | None) -> str:
    """A duration: 0:42 or 1:02:03."""
    if value is None:
        return ""
    whole = int(value)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def phone(number: str | None) -> str:
    """A number in groups."""
    return grouped(number or "")


def _host(url: str) -> str:
    """Host and port of an address: what there is room for in a list."""
    return urlsplit(url).netloc.rpartition("@")[2] or url


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


@pass_context
def _query(context: TemplateContext, **changes: Any) -> str:
    """This page's address with other parameters; None takes one away."""
    request = context["visit"].request
    given = {name: request.query.getall(name) for name in dict.fromkeys(request.query)}
    for name, value in changes.items():
        if value is None:
            given.pop(name, None)
        else:
            given[name] = [str(value)]
    return "?" + urlencode(given, doseq=True)
