"""Every result code that a customer can provoke over HTTP alone."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conformance.confidence import Findings, inferred
from conformance.deployment import NO_PROOF, PATHS, Customer, document

from testbed.client import CALLNOTIFY, RECORDING, Answer, aksk_headers, wsse_headers

Provoke = Callable[[Customer], Awaitable[Answer]]


def asks(operation: str, *, key: str = "", item: dict[str, Any] | None = None, **members: Any) -> Provoke:
    """A request with other members, by the app whose name in the deployment is `key`."""

    async def provoke(customer: Customer) -> Answer:
        body = {**customer.at.request(operation), **_filled(customer, members)}
        if item is not None:
            body["playInfoList"] = [_filled(customer, item)]
        return await customer.ask(operation, body, key=getattr(customer.at, key) if key else None)

    return provoke


def _filled(customer: Customer, members: dict[str, Any]) -> dict[str, Any]:
    """With what the deployment has in the place of `@name`, and the callee that `#behaviour` describes."""

    def filled(it: Any) -> Any:
        if isinstance(it, str) and it.startswith("@"):
            return getattr(customer.at, it[1:])
        return customer.at.callee(it[1:]) if isinstance(it, str) and it.startswith("#") else it

    return {name: filled(it) for name, it in members.items()}


def sends(method: str, path: str, **headers: str | None) -> Provoke:
    async def provoke(customer: Customer) -> Answer:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return await customer.send(method, path, customer.at.request("callnotify"), told)

    return provoke


def changes(header: str, pattern: str, by: str, *, wsse: bool = False) -> Provoke:
    """A well-signed request in one of whose headers something else stands."""

    async def provoke(customer: Customer) -> Answer:
        at = customer.at
        signed = (wsse_headers if wsse else aksk_headers)(at.notification_key, at.secret)
        changed, count = re.subn(pattern, by, signed[header])
        assert count == 1
        unsigned = {"X-AKSK": None} if wsse else {}
        return await customer.send(
            "POST", CALLNOTIFY, at.request("callnotify"), {**unsigned, **signed, header: changed}
        )

    return provoke


def without(header: str, *, wsse: bool = False) -> Provoke:
    async def provoke(customer: Customer) -> Answer:
        at = customer.at
        headers: dict[str, str | None] = {"X-AKSK": None} if wsse else {}
        if wsse:
            headers |= wsse_headers(at.notification_key, at.secret)
        return await customer.send("POST", CALLNOTIFY, at.request("callnotify"), {**headers, header: None})

    return provoke


async def stale(customer: Customer) -> Answer:
    created = (datetime.now(UTC) - timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = aksk_headers(customer.at.notification_key, customer.at.secret, created=created)
    return await customer.send("POST", CALLNOTIFY, customer.at.request("callnotify"), headers)


async def stranger(customer: Customer) -> Answer:
    headers = aksk_headers("nobody", customer.at.secret)
    return await customer.send("POST", CALLNOTIFY, customer.at.request("callnotify"), headers)


async def wrong_token(customer: Customer) -> Answer:
    path = f"{CALLNOTIFY}?access_token=nonsense"
    return await customer.send("POST", path, customer.at.request("callnotify"), NO_PROOF)


async def refreshes_wrongly(customer: Customer) -> Answer:
    query = f"app_key={customer.at.notification_key}&app_secret=x&grant_type=refresh_token&refresh_token=x"
    return await customer.send("POST", f"/omp/oauth/refresh?{query}", b"", NO_PROOF)


async def asks_too_much(customer: Customer) -> Answer:
    """A second call of an app that may have one."""
    at = customer.at
    body = {**at.request("callnotify"), "calleeNbr": at.callee("016 00 000")}
    first = await customer.ask("callnotify", body, key=at.small_key)
    second = await customer.ask("callnotify", body, key=at.small_key)
    await customer.ask("callStop", {"sessionid": first.session_id, "signal": "call_stop"}, key=at.small_key)
    return second


async def asks_too_fast(customer: Customer) -> Answer:
    """More calls in a second than the app may have."""
    body = customer.at.request("callnotify")
    asked = (customer.ask("callnotify", body, key=customer.at.slow_key) for _ in range(3))
    answers = await asyncio.gather(*asked)
    return next(answer for answer in answers if answer.code != "0")


async def calls_too_often(customer: Customer) -> Answer:
    """The same callee, once more than the account lets it be called."""
    at = customer.at
    body = {**at.request("callnotify"), "displayNbr": at.limited_display}
    await customer.ask("callnotify", body, key=at.limited_key)
    return await customer.ask("callnotify", body, key=at.limited_key)


_LIMITED: dict[str, Any] = {"key": "limited_key", "displayNbr": "@limited_display"}
_LIMITED_CALLBACK: dict[str, Any] = {
    "key": "limited_callback_key",
    "displayNbr": "@limited_display",
    "displayCalleeNbr": "@limited_display",
}
_DIGEST = r'PasswordDigest="[^"]+"'
PROVOKED: dict[str, Provoke] = {
    "0": asks("callnotify"),
    "1010002": asks("callnotify", calleeNbr=None),
    "1010003": stranger,
    "1010004": wrong_token,
    "1010006": sends("GET", CALLNOTIFY),
    "1010007": asks("callnotify", key="off_key"),
    "1010008": asks("callnotify", key="inactive_key"),
    "1010009": refreshes_wrongly,
    "1010013": stale,
    "1010022": asks("callVerify", verifyCode="12a"),
    "1010023": asks("callnotify", displayNbr="@foreign_display"),
    "1010024": asks("click2Call", callerNbr="+864008208820"),
    "1010040": asks("callVerify", key="notification_key"),
    "1012002": asks("callnotify", item={"templateId": "@draft_template"}),
    "1012003": asks("callnotify", item={"templateId": "nothing"}),
    "1012004": asks("callnotify", item={"templateId": "@template", "templateParas": ["a", "b"]}),
    "1012005": asks("callnotify", item={"templateId": "@number_template", "templateParas": ["abc"]}),
    "1012012": asks("click2Call", key="unrecorded_key", recordFlag="true"),
    "1013001": asks("callnotify", key="full_key", displayNbr="@full_display"),
    "1013002": asks_too_fast,
    "1013003": asks("callnotify", key="limited_key", displayNbr="@busy_display"),
    "1013004": asks("callnotify", calleeNbr="#021 00 000", **_LIMITED),
    "1013010": asks("click2Call", callerNbr="#020 00 000", **_LIMITED_CALLBACK),
    "1013011": asks("callnotify", calleeNbr="#034 00 000", **_LIMITED),
    "1013112": asks("callnotify", calleeNbr="+85221234567"),
    "1013117": calls_too_often,
    "1016002": sends("GET", f"{RECORDING}?fileName=nothing.wav&recordDomain=x"),
    "1020152": asks("callStop"),
    "1020165": asks_too_much,
    "1020166": asks("callnotify", key="elsewhere_key"),
    "1023006": without("Authorization"),
    "1023007": changes("Authorization", 'realm="SDP",', ""),
    "1023008": changes("Authorization", 'profile="UsernameToken",', ""),
    "1023009": changes("Authorization", "SDP", "SPD"),
    "1023010": changes("Authorization", 'profile="UsernameToken"', 'profile="x"'),
    "1023011": changes("Authorization", "Appkey", "app_key"),
    "1023012": changes("Authorization", ',type="Appkey"', ""),
    "1023013": changes("Authorization", "WSSE", "Basic", wsse=True),
    "1023026": without("X-WSSE", wsse=True),
    "1023027": changes("X-WSSE", 'Username="[^"]+",', "", wsse=True),
    "1023028": changes("X-WSSE", 'Nonce="[^"]+",', "", wsse=True),
    "1023029": changes("X-WSSE", ',Created="[^"]+"', "", wsse=True),
    "1023030": changes("X-WSSE", _DIGEST + ",", "", wsse=True),
    "1023031": changes("X-WSSE", "UsernameToken", "Token", wsse=True),
    "1023033": without("X-AKSK"),
    "1023034": changes("X-AKSK", 'Username="[^"]+",', ""),
    "1023035": changes("X-AKSK", 'Nonce="[^"]+",', ""),
    "1023036": changes("X-AKSK", ', Created="[^"]+"', ""),
    "1023037": changes("X-AKSK", _DIGEST + ",", ""),
    "1023038": changes("X-AKSK", "UsernameToken", "Token"),
}

NOT_FROM_OUTSIDE = {
    "1010001": "a fault of the platform; tests/integration/test_trouble.py",
    "1010005": "takes two days; tests/unit/api/test_tokens.py",
    "1010010": "takes a flood; tests/unit/api/test_entrance.py",
    "1013121": "depends on the time of day; tests/integration/test_limits.py",
    "1020176": "would lock the tester out for half an hour; tests/integration/test_generations.py",
}


INFERRED = {
    "1013117": "its text was not found, its hint is about the callee's frequency",
    "1016002": "1016001 is the other number that is public for this",
    "1023030": "PasswordDigest not contained in X-WSSE",
    "1023031": "UsernameToken not contained in X-WSSE",
    "1023037": "PasswordDigest not contained in X-AKSK",
    "1023038": "UsernameToken not contained in X-AKSK",
}
"""Codes whose numbers nobody read for what provokes them here."""


def codes() -> list[Any]:
    return [
        pytest.param(code, marks=inferred("7.1", f"{code}: {INFERRED[code]}") if code in INFERRED else ())
        for code in PROVOKED
    ]


def is_read(code: str) -> bool:
    """Whether the HTTP status of a code was read; of the others nothing says which."""
    return code in ("0", "1010002", "1010003") or code.startswith("1023")


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("code", codes())
async def test_A4_5_given_what_provokes_a_code_when_sent_then_it_is_answered_as_documented(
    customer: Customer, code: str, findings: Findings
) -> None:
    answer = await PROVOKED[code](customer)

    assert answer.code == code, answer.text
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.headers["Connection"] == "close"
    assert isinstance(answer.body["resultcode"], str)
    if code == "0":
        assert answer.status == 200
        return
    assert set(answer.body) == {"resultcode", "resultdesc"}
    assert answer.status >= 400
    statuses = {status for status, examples in documented().items() if code in examples}
    as_documented = answer.status in statuses or answer.status == 405
    if is_read(code):
        assert as_documented, answer.status
    findings.expect("7.1", f"status {answer.status} of {code} is one of {statuses}", as_documented, True)
    texts = {examples[code] for examples in documented().values() if code in examples}
    told = answer.description
    findings.expect(
        "7.1", f"text of {code}, {told}", any(re.match(text, told) is not None for text in texts), True
    )


@pytest.mark.requirement("A4.5")
@inferred("7.1", "1023006 is the code of a wrong digest: its hint says so")
async def test_A4_5_given_a_wrong_digest_when_asked_then_400_and_1023006(customer: Customer) -> None:
    answer = await changes("X-AKSK", _DIGEST, 'PasswordDigest="bm8="')(customer)

    assert (answer.status, answer.code) == (400, "1023006")


@pytest.mark.requirement("A4.5")
def test_A4_5_given_all_documented_codes_when_compared_then_each_is_provoked_or_we_know_why_not() -> None:
    codes = {code for examples in documented().values() for code in examples}

    assert codes - set(PROVOKED) == set(NOT_FROM_OUTSIDE)


def documented() -> dict[int, dict[str, str]]:
    """Status -> codes, and what the text of each begins with, over all operations."""
    found: dict[int, dict[str, str]] = {}
    for methods in document()["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                examples = answer.get("content", {}).get("application/json", {}).get("examples", {})
                texts = {code: example["value"].get("resultdesc", "") for code, example in examples.items()}
                # The place of %s is taken by what is at fault.
                patterns = {code: re.escape(text).replace("%s", ".+") for code, text in texts.items()}
                found.setdefault(int(status), {}).update(patterns)
    return found


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/rest/httpsessions/callnotify/v3.0", 404),
        ("POST", "/rest/httpsessions/callnotify", 404),
        ("POST", "/rest/httpsessions/Callnotify/v2.0", 404),
        ("POST", "/", 404),
        ("GET", "/rest/httpsessions/click2Call/v2.0", 405),
        ("PUT", "/rest/httpsessions/callVerify/v1.0", 405),
        ("DELETE", "/rest/httpsessions/callStop/v2.0", 405),
        ("POST", "/rest/provision/voice/record/v1.0", 405),
        ("GET", "/rest/fastlogin/v1.0", 405),
    ],
)
async def test_A4_5_given_a_wrong_address_or_method_when_asked_then_json_says_so(
    customer: Customer, method: str, path: str, status: int
) -> None:
    answer = await customer.send(method, path, {})

    assert (answer.status, answer.code) == (status, "1010006")
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"


@pytest.mark.requirement("B5")
@pytest.mark.parametrize("operation", PATHS)
async def test_B5_given_the_documented_example_when_sent_then_it_is_understood(
    customer: Customer, operation: str
) -> None:
    """With the numbers and sounds of this deployment in the place of the example's."""
    path = PATHS[operation].replace("callnotify/v2.0", "callnotify/{version}")
    content = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    here = {
        "displayNbr": customer.at.display,
        "displayCalleeNbr": customer.at.display,
        "preTone": customer.at.sound,
        "playInfoList": [{"notifyVoice": customer.at.sound, "collectInd": 1}],
    }
    text = {name: here.get(name, value) for name, value in content["example"].items()}

    answer = await customer.ask(operation, text)

    assert answer.code == ("1020152" if operation == "callStop" else "0"), answer.text
    if operation != "callStop":
        stop = {"sessionid": answer.session_id, "signal": "call_stop"}
        await customer.ask("callStop", stop, key=customer.at.key_of(operation))


@pytest.mark.requirement("B5")
async def test_B5_given_the_documentation_when_fetched_then_it_is_the_committed_one_with_a_page(
    customer: Customer,
) -> None:
    served = await customer.send("GET", "/openapi.json", headers=NO_PROOF)
    page = await customer.send("GET", "/docs", headers=NO_PROOF)

    assert served.body == document()
    assert page.headers["Content-Type"].startswith("text/html")
    assert all(path in page.text for path in document()["paths"])
