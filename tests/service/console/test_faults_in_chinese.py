"""What forms say against what was typed, in Chinese: no English sentence is left."""

import re

import pytest
from service.console.conftest import Browser, Typed
from service.console.test_every_page import english
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, World, user_id

from controller.management.roles import Role
from controller.store.enterprise_tables import Enterprise, EnterpriseState
from controller.store.tables import App, Number, Route, Trunk

pytestmark = pytest.mark.requirement("C9")

NUMBER = "/numbers/%2B8657126880001"
LONG = "长" * 11_000
BAD_PATTERNS = "8613\n+86[x]\n+86[5-3]\n+86A\n+86.1\n+"
SENT: list[tuple[str, str, Typed]] = [
    ("/applications/new", "/applications/new", {"name": "", "account_id": ""}),
    ("/applications/new", "/applications/new", {"name": LONG, "account_id": ALPHA, "service": "x"}),
    ("/applications/new", "/applications/new", {"name": "一", "account_id": "nobody1"}),
    ("/applications/new", "/applications/new", {"name": "一", "account_id": "a b"}),
    (
        "/applications/new",
        "/applications/new",
        {
            "account_id": ALPHA,
            "name": "一",
            "status_url": "x",
            "fee_url": "https://a.example/" + "x" * 2000,
            "ip_whitelist": "x",
            "max_calls": "-1",
            "calls_per_second": "99999",
            "push_profile": "x",
        },
    ),
    ("/applications/new", "/applications/new", {"account_id": ALPHA, "name": "\x00"}),
    ("/applications/app1/edit", "/applications/app1/edit", {"bind_number": "+8657126880009"}),
    ("/applications/app1/edit", "/applications/app1/edit", {"bind_number": "+8657126880002"}),
    ("/applications/app1/edit", "/applications/app1/edit", {"bind_number": "x", "max_calls": ""}),
    ("/applications/app1/edit", "/applications/app1/edit", {"version": ""}),
    ("/applications/app1/edit", "/applications/app1/edit", {"version": '"old"'}),
    ("/applications/app1/secret", "/applications/app1/secret", {"again": "x"}),
    ("/applications/app1/secret", "/applications/app1/secret", {"again": "一", "grace_hours": "721"}),
    ("/applications/app1", "/applications/app1/login", {"login.user": "", "login.password": "x"}),
    ("/numbers/new", "/numbers/new", {"account_id": ALPHA, "number": "12"}),
    ("/numbers/new", "/numbers/new", {"account_id": ALPHA, "number": "+86057126880001"}),
    ("/numbers/new", "/numbers/new", {"account_id": ALPHA, "number": "+999123456789"}),
    ("/numbers/new", "/numbers/new", {"account_id": ALPHA, "number": "+8657126880001"}),
    ("/numbers/new", "/numbers/new", {"account_id": "", "number": "+8657126880009"}),
    (f"{NUMBER}/edit", f"{NUMBER}/edit", {"max_calls": "x", "app_keys": ["a b"]}),
    (f"{NUMBER}/edit", f"{NUMBER}/edit", {"app_keys": ["nobody1"]}),
    (f"{NUMBER}/edit", f"{NUMBER}/edit", {"app_keys": []}),
    (NUMBER, f"{NUMBER}/bind", {"app_key": "app2"}),
    (f"{NUMBER}/release", f"{NUMBER}/release", {"again": "x"}),
    (f"{NUMBER}/release", f"{NUMBER}/release", {"again": "+8657126880001"}),
    (NUMBER, f"{NUMBER}/suspend", {"twice": "1"}),
    ("/accounts/new", "/accounts/new", {"id": "a b", "name": LONG, "max_calls": "-1"}),
    ("/accounts/new", "/accounts/new", {"id": ALPHA}),
    (
        "/accounts/new",
        "/accounts/new",
        {
            "id": "acme",
            "rules.callee_blacklist": BAD_PATTERNS,
            "rules.hours": "x\n08:00-08:00",
            "rules.hours_zone": "x",
            "rules.callee_windows": "x",
            "rules.callee_frequency": "x",
            "rules.number_classes": ["x"],
            "rules.daily_cap": "-1",
            "rules.low_balance": "0.00001",
        },
    ),
    ("/accounts/new", "/accounts/new", {"id": "acme", "rules.daily_cap": "x", "rules.low_balance": "x"}),
    ("/enterprises/new", "/enterprises/new", {"account_id": ALPHA, "full_name": "", "phone": "x"}),
    (
        "/enterprises/new",
        "/enterprises/new",
        {
            "account_id": ALPHA,
            "full_name": "一",
            "calls_per_day": "0",
            "peak_calls": "9999999",
            "script": LONG,
        },
    ),
    ("/enterprises/draft", "/enterprises/draft/submit", {}),
    ("/enterprises/draft", "/enterprises/draft/documents/licence", {}),
    ("/enterprises/waiting", "/enterprises/waiting/reject", {"reason": ""}),
    ("/enterprises/waiting", "/enterprises/waiting/approve", {"version": '"old"'}),
    ("/contacts/new", "/contacts/new", {"account_id": ALPHA}),
    ("/contacts/new", "/contacts/new", {"account_id": ALPHA, "email": "x", "webhook_url": "x"}),
    ("/contacts/new", "/contacts/new", {"account_id": ALPHA, "email": "a@b.cn", "webhook_secret": "whsec_!"}),
    (
        "/contacts/new",
        "/contacts/new",
        {"account_id": ALPHA, "email": "a@b.cn", "webhook_secret": "whsec_YQ=="},
    ),
    (
        "/contacts/new",
        "/contacts/new",
        {"account_id": ALPHA, "email": "a@b.cn", "webhook_secret": "whsec_" + "YWFh" * 10},
    ),
    ("/users/new", "/users/new", {"login": "a b", "role": "x", "password": "x"}),
    ("/users/new", "/users/new", {"login": "viewer@alpha", "password": "correct horse battery"}),
    ("/tokens/new", "/tokens/new", {"name": "", "role": "x", "days": "0"}),
    ("/trunks/new", "/trunks/new", {"name": "A", "host": "", "port": "x", "qualify_seconds": "99999"}),
    ("/trunks/new", "/trunks/new", {"name": "a", "host": "x y"}),
    ("/trunks/new", "/trunks/new", {"name": "a", "host": "x", "user": "a;b"}),
    ("/trunks/new", "/trunks/new", {"name": "a", "host": "x", "registers": "on"}),
    ("/trunks/new", "/trunks/new", {"name": "voicecall-contact", "host": "x"}),
    ("/trunks/new", "/trunks/new", {"name": "carrier1", "host": "x"}),
    ("/trunks/carrier1", "/trunks/carrier1/delete", {}),
    ("/routes/new", "/routes/new", {"prefix": "86"}),
    ("/routes/new", "/routes/new", {"prefix": "+86", "trunks": "carrier1"}),
    ("/routes/new", "/routes/new", {"prefix": "+87"}),
    ("/routes/new", "/routes/new", {"prefix": "+87", "trunks": "nobody1"}),
    ("/routes/new", "/routes/new", {"prefix": "+87", "trunks": "carrier1\ncarrier1"}),
    ("/routes/new", "/routes/new", {"prefix": "+87", "contact": "x"}),
    ("/routes/new", "/routes/new", {"prefix": "+999", "trunks": "carrier1"}),
    (f"/users/{user_id(Role.ADMINISTRATOR, ALPHA)}/edit", "", {"role": "viewer"}),
]


def _fill(session: object) -> None:
    def add(*rows: object) -> None:
        for row in rows:
            session.add(row)  # type: ignore[attr-defined]
        session.flush()  # type: ignore[attr-defined]

    add(
        Number(number="+8657126880001", account_id=ALPHA),
        Number(number="+8657126880002", account_id=ALPHA, app_keys=["app2"]),
        App(key="app1", account_id=ALPHA, name="一", service="callback", secret="12345678"),
        App(key="app2", account_id=ALPHA, name="二", service="callback", secret="12345678"),
        Enterprise(id="draft", account_id=ALPHA, full_name="一"),
        Enterprise(id="waiting", account_id=ALPHA, full_name="一", state=EnterpriseState.SUBMITTED),
        Trunk(name="carrier1", host="192.0.2.7"),
        Route(prefix="+86", trunks=["carrier1"]),
    )
    session.get_one(App, "app1").bind_number = "+8657126880001"  # type: ignore[attr-defined]


async def test_given_faulty_forms_when_sent_in_chinese_then_no_english_sentence_is_shown(
    here: World, admin: Browser
) -> None:
    await here.write(_fill)
    admin.cookies["voicecall-language"] = "zh-CN"
    left: dict[str, object] = {}
    for page, action, typed in SENT:
        if "twice" in typed:
            await admin.fill(page, action, {})
            shown = await admin.post(action, {"csrf": await _csrf(admin, page)})
        elif action.endswith("/delete"):
            shown = await admin.post(action, {"csrf": await _csrf(admin, page)})
        else:
            shown = await admin.fill(page, action or page, typed)
        what = f"{action or page} {str(typed)[:80]}"
        if not 400 <= shown.status < 500:
            left[what] = shown.status
        elif found := english(re.sub(r"<datalist.*?</datalist>", "", shown.text, flags=re.DOTALL)):
            left[what] = found
    assert left == {}


async def _csrf(admin: Browser, page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', (await admin.get(page)).text)
    assert found
    return found[1]


async def test_given_the_kinds_of_specimens_when_missing_in_chinese_then_the_page_says_so(
    here: World, admin: Browser
) -> None:
    admin.cookies["voicecall-language"] = "zh-CN"
    assert SPECIMENS
    for path in ("/applications/none", "/numbers/%2B1234567", "/accounts/none", "/trunks/none", "/nowhere"):
        shown = await admin.get(path)
        assert shown.status == 404
        assert english(shown.text) == []
