"""Clients of the cloud service's three generations, each with its habits, on the running platform."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from integration.support import APP_KEY, LOGIN_PASSWORD, LOGIN_USER, SECRET, Bench, StartBench, declaration

from controller.pushes.signing import Signing, push_digest
from controller.settings import AuthenticationSettings
from testbed.client import CALLNOTIFY, Answer, aksk_headers, wsse_headers

NO_AKSK: dict[str, str | None] = {"X-AKSK": None, "Authorization": None, "Content-Type": None}
CALLEE = "+99901600001"
"""Answers at once and hangs up after a second."""


async def login(b: Bench, password: str = LOGIN_PASSWORD) -> Answer:
    path = f"/rest/fastlogin/v1.0?app_key={APP_KEY}&username={LOGIN_USER}&format=json"
    return await b.client.post(path, b"", {**NO_AKSK, "Authorization": password})


async def notify(b: Bench, query: str, headers: Mapping[str, str | None], path: str = CALLNOTIFY) -> Answer:
    return await b.client.post(f"{path}{query}", b.request(callee=CALLEE), headers)


async def makes_a_call(b: Bench, answer: Answer) -> None:
    assert (answer.status, answer.code, answer.description) == (200, "0", "Success"), answer.text
    _statuses, cdr = await b.over(answer.session_id)
    assert cdr["ulFailReason"] == 0


@pytest.mark.requirement("A4.5", "A2.1")
async def test_A4_5_given_a_client_that_logs_in_when_it_calls_refreshes_and_logs_out_then_its_tokens_do(
    bench: StartBench,
) -> None:
    b = await bench(phones={})
    given: dict[str, Any] = (await login(b)).body

    assert (given["resultcode"], given["resultdesc"], given["expires_in"]) == ("0", "Succeed", "172800")
    # A password left over in Authorization, and nothing that says what the body is.
    stray = {**NO_AKSK, "Authorization": LOGIN_PASSWORD}
    noise = f"?app_key={APP_KEY}&access_token={given['access_token']}&format=json&device_id=1"
    await makes_a_call(b, await notify(b, noise, stray))

    parameters = {
        "app_key": APP_KEY,
        "app_secret": SECRET,
        "grant_type": "refresh_token",
        "refresh_token": given["refresh_token"],
    }
    form = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
    as_form = {**NO_AKSK, "Content-Type": "application/x-www-form-urlencoded"}
    renewed = await b.client.post("/omp/oauth/refresh", form.encode(), as_form)
    assert renewed.body["resultdesc"] == "Succeed"
    by_query = form.replace(given["refresh_token"], renewed.body["refresh_token"])
    renewed = await b.client.post(f"/omp/oauth/refresh?{by_query}", b"", NO_AKSK)

    assert (await notify(b, noise, NO_AKSK)).code == "1010004"
    newest = f"?app_key={APP_KEY}&access_token={renewed.body['access_token']}"
    await makes_a_call(b, await notify(b, newest, NO_AKSK))
    out = await b.client.post(f"/rest/logout/v1.0{newest}", b"", NO_AKSK)
    assert out.body == {"resultcode": "0", "resultdesc": "Succeed"}
    assert (await notify(b, newest, NO_AKSK)).code == "1010004"


@pytest.mark.requirement("A4.5", "A2.1")
@pytest.mark.parametrize("of_hex_text", [False, True])
async def test_A4_5_given_a_client_with_wsse_headers_when_it_calls_then_either_encoding_is_taken(
    bench: StartBench, of_hex_text: bool
) -> None:
    b = await bench(phones={})
    headers = {"X-AKSK": None, **wsse_headers(APP_KEY, SECRET, of_hex_text=of_hex_text)}

    await makes_a_call(b, await notify(b, "?app_key=anything", headers))


@pytest.mark.requirement("C3")
async def test_C3_given_a_secret_being_renewed_when_clients_call_then_both_are_taken_and_the_new_signs(
    bench: StartBench,
) -> None:
    old, until = "the app's old secret", datetime.now(UTC) + timedelta(hours=1)
    previous = f'previous_secret = {{ secret = "{old}", until = {until:%Y-%m-%dT%H:%M:%SZ} }}'
    b = await bench(phones={}, controller=False)
    newest = f'secret = "{SECRET}"'
    await b.home.declare(declaration(b.phones).replace(newest, f"{newest}\n{previous}", 1))
    await b.start_controller()

    await makes_a_call(b, await notify(b, "", aksk_headers(APP_KEY, old)))
    await makes_a_call(b, await notify(b, "", {"X-AKSK": None, **wsse_headers(APP_KEY, old)}))
    assert (await notify(b, "", aksk_headers(APP_KEY, "neither of them"))).code == "1023006"
    await makes_a_call(b, await notify(b, "", {}))
    for came in b.receiver.pushes:
        token = dict(re.findall(r'(\w+)="([^"]*)"', came.header("X-AKSK") or ""))
        url, nonce, created = b.receiver.url(came.path), token["Nonce"], token["Created"]
        assert token["PasswordDigest"] == push_digest(Signing.NEWLINE, SECRET, url, nonce, created)


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_client_of_the_sandbox_when_it_calls_then_it_is_the_same_api(
    bench: StartBench,
) -> None:
    b = await bench(phones={})

    for version in ("v1.0", "v2.0"):
        path = f"/sandbox/rest/httpsessions/callnotify/{version}"
        await makes_a_call(b, await notify(b, "", {}, path))


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_an_address_that_guesses_passwords_when_there_are_too_many_then_1020176(
    bench: StartBench,
) -> None:
    b = await bench(phones={}, sections={"authentication": AuthenticationSettings(lock_after=3)})

    codes = [(await login(b, "guess")).code for _ in range(4)]

    assert codes == ["1010002", "1010002", "1010002", "1020176"]
    assert (await notify(b, "", {})).code == "1020176"
