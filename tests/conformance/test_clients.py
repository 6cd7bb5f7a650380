"""Programs that sign, of the cloud service's two younger client generations, with their habits.

Those with tokens are in test_tokens.py.
"""

import asyncio
import base64
import codecs
import json
import re
import secrets
import ssl
import urllib.request
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conformance.confidence import inferred
from conformance.deployment import PATHS, Customer
from conformance.fields import fields

from testbed.client import CALLNOTIFY, RECORDING, Answer, aksk_headers, wsse_headers

Headers = Mapping[str, str | None]


async def accepted(customer: Customer, path: str, headers: Headers) -> None:
    body = customer.at.request("callnotify")
    answer = await customer.send("POST", path, body, headers)
    assert (answer.status, answer.code, answer.description) == (200, "0", "Success"), answer.text


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
@pytest.mark.parametrize(
    "zone",
    [
        "UTC",
        "Asia/Shanghai",
        *(
            pytest.param(zone, marks=inferred("2.1", "any whole or half hour"))
            for zone in (
                "Europe/Berlin",
                "America/New_York",
                "Asia/Kolkata",
                "Pacific/Auckland",
                "Etc/GMT+12",
            )
        ),
    ],
)
async def test_A4_5_given_a_program_that_writes_its_local_time_with_a_z_when_it_asks_then_it_is_taken(
    customer: Customer, zone: str
) -> None:
    """As `time.strftime` and SimpleDateFormat do it: the Z is a letter."""
    created = datetime.now(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%SZ")
    at = customer.at

    await accepted(customer, CALLNOTIFY, aksk_headers(at.notification_key, at.secret, created=created))


@pytest.mark.requirement("A4.5")
@inferred("2.1", "whether a nonce is taken twice is not known")
async def test_A4_5_given_a_nonce_that_was_used_when_asked_again_then_no_second_call(
    customer: Customer,
) -> None:
    headers = aksk_headers(customer.at.notification_key, customer.at.secret)
    await accepted(customer, CALLNOTIFY, headers)

    again = await customer.send("POST", CALLNOTIFY, customer.at.request("callnotify"), headers)

    assert again.code == "1023006"


@pytest.mark.requirement("A4.5")
@inferred("2.1", "the document has letters and digits")
@pytest.mark.parametrize(
    "nonce", ["Xr4ilOzQ4PCOq3aQ0qbuaQ==", "a+b/c", "0f8fad5b-d9cb-469f-a165-70867728950e"]
)
@pytest.mark.parametrize("scheme", ["aksk", "wsse"])
async def test_A4_5_given_a_nonce_in_base64_or_a_uuid_when_asked_then_it_is_taken(
    customer: Customer, scheme: str, nonce: str
) -> None:
    """As Java programs make it of a digest."""
    at, nonce = customer.at, f"{secrets.token_hex(8)}{nonce}"
    if scheme == "wsse":
        headers = {"X-AKSK": None, **wsse_headers(at.notification_key, at.secret, nonce=nonce)}
        await accepted(customer, CALLNOTIFY, headers)
    else:
        await accepted(customer, CALLNOTIFY, aksk_headers(at.notification_key, at.secret, nonce=nonce))


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_program_that_looks_for_text_in_the_answer_when_it_asks_then_it_finds_the_clouds(
    customer: Customer,
) -> None:
    taken = await customer.ask("callnotify", customer.at.request("callnotify"))
    refused = await customer.ask("callnotify", {})

    assert taken.text.startswith('{"resultcode":"0","resultdesc":"Success","sessionId":"')
    assert refused.text.startswith('{"resultcode":"1010002","resultdesc":"Invalid request.')


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("named", ["UTF-8", "utf8", "identity", ""])
async def test_A4_5_given_a_program_that_takes_content_encoding_for_the_charset_when_it_asks_then_it_is_taken(
    customer: Customer, named: str
) -> None:
    """As `StringEntity.setContentEncoding` writes it."""
    await accepted(customer, CALLNOTIFY, {"Content-Encoding": named})


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
        f"{CALLNOTIFY}?app_key=x&access_token=left+over==",
        f"{CALLNOTIFY}?&&=",
        CALLNOTIFY.replace("v2.0", "v1.0"),
        CALLNOTIFY.replace("v2.0", "v1.0") + "?format=json",
    ],
)
async def test_A4_5_given_noise_in_the_query_or_another_address_when_asked_then_it_is_the_same_api(
    customer: Customer, path: str
) -> None:
    await accepted(customer, path, {})


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("path", [*PATHS.values(), CALLNOTIFY.replace("v2.0", "v1.0")])
async def test_A4_5_given_the_sandbox_address_of_a_request_when_asked_then_it_is_the_same_api(
    customer: Customer, path: str
) -> None:
    operation = path.split("/")[3]

    answer = await customer.send(
        "POST", f"/sandbox{path}", customer.at.request(operation), key=customer.at.key_of(operation)
    )

    assert answer.code == ("1020152" if operation == "callStop" else "0"), answer.text


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_the_sandbox_address_of_recordings_when_asked_then_it_is_the_same_api(
    customer: Customer,
) -> None:
    answer = await customer.send("GET", f"/sandbox{RECORDING}?fileName=nothing.wav&recordDomain=x")

    assert answer.code == "1016002"


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("before", [b"", codecs.BOM_UTF8, b" \r\n\t"], ids=["nothing", "mark", "space"])
async def test_A4_5_given_a_body_in_chunks_when_asked_then_it_is_read_as_one(
    customer: Customer, before: bytes
) -> None:
    at, text = customer.at, before + json.dumps(customer.at.request("callnotify")).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(text), 40):
            yield text[start : start + 40]

    headers = aksk_headers(at.notification_key, at.secret)
    async with customer.http.post(CALLNOTIFY, data=pieces(), headers=headers) as answer:
        assert answer.request_info.headers["Transfer-Encoding"] == "chunked"
        assert (await answer.json())["resultdesc"] == "Success"


@pytest.mark.requirement("A4.5")
@inferred("1", "empty text stands for nothing")
@pytest.mark.parametrize("operation", ["callnotify", "click2Call", "callVerify"])
async def test_A4_5_given_a_program_that_fills_in_every_optional_text_when_it_has_none_then_it_is_taken(
    customer: Customer, operation: str
) -> None:
    optional = [
        name
        for name, field in fields(customer.at, operation).items()
        if "" in field.maybe_taken and not name.startswith("item.")
    ]

    answer = await customer.ask(operation, {**customer.at.request(operation), **dict.fromkeys(optional, "")})

    assert answer.code == "0", answer.text


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
@inferred("2.3", "hex text is in lower case")
async def test_A4_5_given_wsse_digests_in_upper_case_hex_when_asked_then_they_are_refused(
    customer: Customer,
) -> None:
    headers = wsse_headers(customer.at.notification_key, customer.at.secret, of_hex_text=True)
    before, right, after = re.split('(?<=PasswordDigest=")([^"]*)', headers["X-WSSE"])
    wrong = base64.b64encode(base64.b64decode(right).upper()).decode()
    assert wrong != right
    headers["X-WSSE"] = f"{before}{wrong}{after}"

    answer = await customer.send(
        "POST", CALLNOTIFY, customer.at.request("callnotify"), {"X-AKSK": None, **headers}
    )

    assert (answer.status, answer.code) == (400, "1023006")


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
@inferred("7.1", "1016001 is the other number that is public for this")
@pytest.mark.parametrize("name", ["../../etc/passwd", "%00", "a.wav%00", "%2e%2e%2fx", "x.wav'--"])
async def test_A1_5_given_a_hostile_recording_name_when_asked_for_then_there_is_none(
    customer: Customer, name: str
) -> None:
    answer = await customer.send(
        "GET", f"{RECORDING}?fileName={name}&recordDomain=x", key=customer.at.callback_key
    )

    assert (answer.status, answer.code) == (403, "1016002")
