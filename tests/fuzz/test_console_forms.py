"""What a browser may send to the console: anything in any field of every form, from either side."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service.console.conftest import Browser, _Forms, browser, hidden_of
from service.console.test_every_page import _PARAMETER, _fill, _filled, _read
from service.management.world import ALPHA, OPERATOR

from controller.console.pages.catalogue import PAGES
from controller.management.roles import Role
from fuzz.conftest import Served
from fuzz.effort import tries

pytestmark = pytest.mark.requirement("C9")

ENDS_THE_SESSION = "/logout"
ACTIONS = sorted(page.path for page in PAGES if page.method == "POST" and page.path != ENDS_THE_SESSION)
_VALUE = (
    st.text(max_size=30)
    | st.integers().map(str)
    | st.sampled_from(
        [
            *("", "on", "0", "-1", "1e9", "+8613900001111", "../../etc/passwd", "<script>alert(1)</script>"),
            *("2026-11-26T08:00", "'; drop table app; --", "{{7*7}}", "%s%n", "\r\nX-Injected: 1"),
            "9" * 5000,
        ]
    )
)
"""What people and attackers type."""


class Filled:
    """A world with one thing of each kind, and browsers of an administrator of either side."""

    def __init__(self, served: Served) -> None:
        self._served = served
        here = served.made
        self.ids: dict[str, str] = served.do(_fill(here))
        self.browsers: dict[str | None, Browser] = {
            side: served.do(browser(here, Role.ADMINISTRATOR, side)) for side in (OPERATOR, ALPHA)
        }
        self.tokens = {
            side: hidden_of(served.do(visitor.get("/me")), ENDS_THE_SESSION)["csrf"]
            for side, visitor in self.browsers.items()
        }
        self.fields = served.do(self._fields(), limit=120)

    async def _fields(self) -> dict[str, set[str]]:
        """The names of the fields of each form, by where it is sent to."""
        found: dict[str, set[str]] = {}
        for page in PAGES:
            if page.method == "GET":
                forms = _Forms()
                _status, text = await _read(self.browsers[OPERATOR], self.path(page.path))
                forms.feed(text)
                for action, pairs in forms.forms.items():
                    place = action.removeprefix("/console").partition("?")[0]
                    found.setdefault(place, set()).update(name for name, _value in pairs)
        return found

    def path(self, declared: str) -> str:
        return _PARAMETER.sub(lambda found: _filled(found[1], found[2], self.ids), declared)

    def send(self, side: str | None, path: str, typed: dict[str, str]) -> tuple[int, str]:
        """Send a form as a browser without scripts does; the status of the answer, and its text."""

        async def sent() -> tuple[int, str]:
            visitor = self.browsers[side]
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "Cookie": "; ".join(f"{name}={value}" for name, value in visitor.cookies.items()),
            }
            body = urlencode({**typed, "csrf": self.tokens[side]})
            async with visitor.here.http.post(
                "/console" + path, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status, await answer.text()

        status, text = self._served.do(sent())
        return status, text


@pytest.fixture(scope="module")
def filled(served: Served) -> Filled:
    return Filled(served)


@pytest.mark.parametrize("action", ACTIONS)
def test_C9_given_anything_in_any_field_when_a_form_is_sent_then_it_is_done_or_refused_in_words(
    filled: Filled, action: str
) -> None:
    path = filled.path(action)
    names = sorted(filled.fields.get(path, set()) - {"csrf"}) or ["name"]

    @given(
        typed=st.dictionaries(st.sampled_from(names) | st.text(max_size=8), _VALUE, max_size=len(names) + 1),
        side=st.sampled_from([OPERATOR, ALPHA]),
    )
    @tries(4)
    def send(typed: dict[str, str], side: str | None) -> None:
        status, text = filled.send(side, path, typed)
        # There is no Asterisk here, which some need.
        assert status < 500 or (status == 503 and "reached" in text), text
        assert "<script>alert(1)" not in text
        assert "Traceback" not in text

    send()
