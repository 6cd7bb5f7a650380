"""Programs of the cloud service's three client generations, written from its documents, with their habits."""

import asyncio
import hashlib
import json
import ssl
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from conformance.deployment import NO_PROOF, Customer

from testbed.client import CALLNOTIFY, RECORDING, Answer, aksk_headers, wsse_headers

Headers = Mapping[str, str | None]


async def accepted(customer: Customer, path: str, headers: Headers) -> None:
    body = customer.at.request("callnotify")
    answer = await customer.send("POST", path, body, headers)
    assert (answer.status, answer.code, answer.description) == (200, "0", "Success"), answer.text


async def login(customer: Customer, *, plus: str = "+", **headers: str | None) -> Answer:
    at = customer.at
    query = f"app_key={at.notification_key}&username={at.login_user.replace('+', plus)}&format=json"
    path = f"/rest/fastlogin/v1.0?{query}"
    return await customer.send("POST", path, b"", {**NO_PROOF, "Authorization": at.login_password, **headers})


# X-AKSK, today's


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "application/json;charset=UTF-8",
        "application/json; charset=UTF-8",
        "APPLICATION/JSON",
        "application/json;;charset",
        "text/plain",
        "application/x-www-form-urlencoded",
        "json",
        ":",
    ],
)
async def test_A4_5_given_any_content_type_or_none_when_asked_then_the_body_is_read(
    customer: Customer, content_type: str | None
) -> None:
    await accepted(customer, CALLNOTIFY, {"Content-Type": content_type})


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("hours", [0, 8])
async def test_A4_5_given_created_in_utc_or_beijing_time_when_asked_then_both_are_taken(
    customer: Customer, hours: int
) -> None:
    created = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")

    await accepted(
        customer, CALLNOTIFY, aksk_headers(customer.at.notification_key, customer.at.secret, created=created)
    )


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_nonce_that_was_used_when_asked_again_then_no_second_call(
    customer: Customer,
) -> None:
    headers = aksk_headers(customer.at.notification_key, customer.at.secret)
    await accepted(customer, CALLNOTIFY, headers)

    again = await customer.send("POST", CALLNOTIFY, customer.at.request("callnotify"), headers)

    assert again.code == "1023006"


def spelt(headers: Mapping[str, str], how: str) -> dict[str, str | None]:
    """The same headers as other programs write them."""
    match how:
        case "lower-case names":
            return {**dict.fromkeys(headers), **{name.lower(): it for name, it in headers.items()}}
        case "no spaces":
            return {name: it.replace(", ", ",") for name, it in headers.items()}
        case "spaces":
            return {name: it.replace('",', '" ,  ') for name, it in headers.items()}
        case _:
            start, _, rest = headers["X-AKSK"].partition(" ")
            turned = ", ".join(reversed(rest.split(", ")))
            return {**headers, "X-AKSK": f"{start} {turned}"}


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("how", ["lower-case names", "no spaces", "spaces", "another order"])
async def test_A4_5_given_headers_spelt_differently_when_asked_then_they_are_the_same(
    customer: Customer, how: str
) -> None:
    headers = aksk_headers(customer.at.notification_key, customer.at.secret)

    await accepted(customer, CALLNOTIFY, spelt(headers, how))


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    "path",
    [
        f"{CALLNOTIFY}?app_key=x&format=json&username=y&version=1&device_id=z",
        f"{CALLNOTIFY}?access_token=",
        f"{CALLNOTIFY}?&&=",
        CALLNOTIFY.replace("v2.0", "v1.0"),
        f"/sandbox{CALLNOTIFY}",
    ],
)
async def test_A4_5_given_noise_in_the_query_or_another_address_when_asked_then_it_is_the_same_api(
    customer: Customer, path: str
) -> None:
    await accepted(customer, path, {})


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_program_on_pythons_own_http_when_asked_then_it_is_understood(
    customer: Customer,
) -> None:
    """Another HTTP client than the suite's: `Connection: close`, capitalised header names, no Accept."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        customer.at.url + CALLNOTIFY,
        json.dumps(customer.at.request("callnotify")).encode(),
        aksk_headers(customer.at.notification_key, customer.at.secret),
    )

    def ask() -> tuple[int, Any]:
        with urllib.request.urlopen(request, timeout=15, context=unchecked) as answer:
            return answer.status, json.load(answer)

    status, body = await asyncio.to_thread(ask)

    assert (status, body["resultdesc"]) == (200, "Success")


# X-WSSE, 2019 to 2021


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("of_hex_text", [False, True])
async def test_A4_5_given_wsse_headers_when_asked_then_both_encodings_are_taken(
    customer: Customer, of_hex_text: bool
) -> None:
    at = customer.at
    headers = wsse_headers(at.notification_key, at.secret, of_hex_text=of_hex_text)

    await accepted(customer, CALLNOTIFY, {"X-AKSK": None, **headers})


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_wsse_digests_in_upper_case_hex_when_asked_then_they_are_refused(
    customer: Customer,
) -> None:
    headers = wsse_headers(customer.at.notification_key, customer.at.secret)
    wrong = hashlib.sha256(b"x").hexdigest().upper()
    changed = headers["X-WSSE"].split('PasswordDigest="')
    headers["X-WSSE"] = f'{changed[0]}PasswordDigest="{wrong}"{changed[1].partition(chr(34))[2]}'

    answer = await customer.send(
        "POST", CALLNOTIFY, customer.at.request("callnotify"), {"X-AKSK": None, **headers}
    )

    assert (answer.status, answer.code) == (400, "1023006")


# Tokens, before


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_token_program_when_it_logs_in_calls_refreshes_and_logs_out_then_all_works(
    customer: Customer,
) -> None:
    """One flow, since only the newest token of an app is good."""
    at = customer.at
    plain = await login(customer)
    escaped = await login(customer, plus="%2B")
    odd = await login(customer, **{"Content-Type": "application/x-www-form-urlencoded;; charset"})

    for answer in (plain, escaped, odd):
        body = answer.body
        assert set(body) == {"access_token", "refresh_token", "resultcode", "expires_in", "resultdesc"}
        assert all(isinstance(value, str) for value in body.values())
        assert (body["resultcode"], body["expires_in"], body["resultdesc"]) == ("0", "172800", "Succeed")
        assert len(body["access_token"]) <= 180
    assert await code_with(customer, plain.body["access_token"]) == "1010004"
    token = odd.body["access_token"]
    query = f"{CALLNOTIFY}?app_key={at.notification_key}&access_token={token}&format=json"
    await accepted(customer, query, NO_PROOF)
    # A password that is left over, and a scheme that isn't meant.
    await accepted(customer, query, {**NO_PROOF, "Authorization": at.login_password})
    await accepted(customer, query, {**NO_PROOF, "Authorization": "Basic eDp5"})

    for place in ("query", "form", "form without a type"):
        given = await refresh(customer, odd.body["refresh_token"], place)
        assert given.body["resultdesc"] == "Succeed", given.text
        assert await code_with(customer, token) == "1010004"
        odd, token = given, given.body["access_token"]
    out = await customer.send("POST", f"/rest/logout/v1.0?access_token={token}", b"", NO_PROOF)

    assert out.body == {"resultcode": "0", "resultdesc": "Succeed"}
    assert await code_with(customer, token) == "1010004"


async def code_with(customer: Customer, token: str) -> str:
    path = f"{CALLNOTIFY}?access_token={token}"
    return (await customer.send("POST", path, customer.at.request("callnotify"), NO_PROOF)).code


async def refresh(customer: Customer, refresh_token: str, place: str) -> Answer:
    parameters = {
        "app_key": customer.at.notification_key,
        "app_secret": customer.at.secret,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
    }
    text = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
    if place == "query":
        return await customer.send("POST", f"/omp/oauth/refresh?{text}", b"", NO_PROOF)
    kind = "application/x-www-form-urlencoded" if place == "form" else None
    return await customer.send(
        "POST", "/omp/oauth/refresh", text.encode(), {**NO_PROOF, "Content-Type": kind}
    )


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_wrong_password_when_logging_in_then_refused_in_json(customer: Customer) -> None:
    answer = await login(customer, Authorization="guess")

    assert (answer.status, answer.code) == (403, "1010002")


# Recordings


@pytest.mark.requirement("A1.5")
async def test_A1_5_given_a_recording_when_asked_for_then_followers_and_others_get_the_wav(
    customer: Customer,
) -> None:
    at = customer.at
    session = await customer.call(
        "click2Call",
        callerNbr=at.callee("016 00 000"),
        calleeNbr=at.callee("016 00 004"),
        recordFlag=True,
    )
    _statuses, cdr = await customer.over(session)
    query = f"?fileName={cdr['recordObjectName']}&recordDomain={cdr['recordDomain']}"

    answer = await there(customer, RECORDING + query)
    headers = aksk_headers(at.callback_key, at.secret)
    async with customer.http.get(RECORDING + query, headers=headers) as followed:
        wav, status = await followed.read(), followed.status
    async with customer.http.get(answer.headers["Location"]) as direct:
        same = await direct.read()

    assert (answer.status, answer.text) == (301, "")
    assert answer.headers["Connection"] == "close"
    assert status == 200
    assert wav[:4] == b"RIFF"
    assert wav == same


async def there(customer: Customer, path: str) -> Answer:
    """The answer once the recording can be had."""
    async with asyncio.timeout(20):
        while True:
            answer = await customer.send("GET", path, key=customer.at.callback_key)
            if answer.status == 301:
                return answer
            assert answer.code == "1016002"
            await asyncio.sleep(0.1)


@pytest.mark.requirement("A1.5")
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?fileName=a.wav",
        "?recordDomain=x",
        "?fileName=&recordDomain=x",
        f"?fileName={'x' * 129}&recordDomain=x",
    ],
)
async def test_A1_5_given_a_recording_asked_for_without_its_name_or_domain_when_sent_then_1010002(
    customer: Customer, query: str
) -> None:
    answer = await customer.send("GET", RECORDING + query, key=customer.at.callback_key)

    assert (answer.status, answer.code) == (403, "1010002")


@pytest.mark.requirement("A1.5")
@pytest.mark.parametrize("name", ["../../etc/passwd", "%00", "a.wav%00", "%2e%2e%2fx", "x.wav'--"])
async def test_A1_5_given_a_hostile_recording_name_when_asked_for_then_there_is_none(
    customer: Customer, name: str
) -> None:
    answer = await customer.send(
        "GET", f"{RECORDING}?fileName={name}&recordDomain=x", key=customer.at.callback_key
    )

    assert (answer.status, answer.code) == (403, "1016002")
