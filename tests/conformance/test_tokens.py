"""Programs of the oldest client generation: login, refresh, logout, and requests with a token in the query.

Their shapes were read in such programs, the cloud's pages are gone. Nothing in the queries is escaped but `+`
at times, as they do it. Each test logs in for itself, since only the newest token of an app is good.
"""

from collections.abc import Mapping
from urllib.parse import quote

import pytest
from conformance.confidence import Findings, inferred
from conformance.deployment import NO_PROOF, Customer, document

from testbed.client import CALLNOTIFY, RECORDING, Answer

LOGIN, REFRESH = "/rest/fastlogin/v1.0", "/omp/oauth/refresh"
LOGOUT, REFRESH_KEY = "/rest/logout/v1.0", "/rest/refreshkey/v2.0"
ABSENT = None


def query(parameters: Mapping[str, str | None]) -> str:
    return "&".join(f"{name}={value}" for name, value in parameters.items() if value is not ABSENT)


async def login(
    customer: Customer,
    *,
    body: bytes = b"",
    headers: Mapping[str, str | None] | None = None,
    **changed: str | None,
) -> Answer:
    at = customer.at
    given = {"app_key": at.notification_key, "username": at.login_user, "format": "json", **changed}
    sent = {**NO_PROOF, "Authorization": at.login_password, **(headers or {})}
    return await customer.send("POST", f"{LOGIN}?{query(given)}", body, sent)


async def token(customer: Customer) -> str:
    return str((await login(customer)).body["access_token"])


async def refresh(customer: Customer, given: str, place: str = "query", **changed: str | None) -> Answer:
    parameters = {
        "app_key": customer.at.notification_key,
        "app_secret": customer.at.secret,
        "grant_type": "refresh_token",
        "refresh_token": given,
        **changed,
    }
    if place == "query":
        return await customer.send("POST", f"{REFRESH}?{query(parameters)}", b"", NO_PROOF)
    if place == "parts":
        return await in_parts(customer, parameters)
    text = "&".join(f"{name}={quote(value)}" for name, value in parameters.items() if value is not ABSENT)
    kind = "application/x-www-form-urlencoded" if place == "form" else None
    return await customer.send("POST", REFRESH, text.encode(), {**NO_PROOF, "Content-Type": kind})


async def in_parts(customer: Customer, parameters: Mapping[str, str | None]) -> Answer:
    """As PHP sends an array."""
    parts = "".join(
        f'--x-1\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parameters.items()
        if value is not ABSENT
    )
    kind = "multipart/form-data; boundary=x-1"
    return await customer.send(
        "POST", REFRESH, f"{parts}--x-1--\r\n".encode(), {**NO_PROOF, "Content-Type": kind}
    )


async def calls_with(
    customer: Customer, token: str, headers: Mapping[str, str | None] = NO_PROOF, **noise: str
) -> Answer:
    path = f"{CALLNOTIFY}?{query({**noise, 'access_token': token})}"
    return await customer.send("POST", path, customer.at.request("callnotify"), headers)


def are_tokens(answer: Answer) -> None:
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json;charset=UTF-8")
    body = answer.body
    assert set(body) == {"access_token", "refresh_token", "resultcode", "expires_in", "resultdesc"}
    assert all(isinstance(value, str) for value in body.values())
    assert (body["resultcode"], body["expires_in"], body["resultdesc"]) == ("0", "172800", "Succeed")
    assert len(body["access_token"]) <= 180


def is_refused(answer: Answer) -> None:
    assert answer.status >= 400
    assert set(answer.body) == {"resultcode", "resultdesc"}
    assert answer.code != "0"
    assert "access_token" not in answer.body


# Login


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    ("changed", "headers"),
    [
        ({}, {}),
        ({"format": ABSENT}, {}),
        ({"format": "xml", "device_id": "8c1f", "version": "1"}, {}),
        (
            {},
            {
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                "Accept": "application/json",
            },
        ),
        ({}, {"Content-Type": "application/x-www-form-urlencoded;; charset"}),
    ],
)
async def test_A4_5_given_a_login_as_programs_write_it_when_sent_then_tokens(
    customer: Customer, changed: dict[str, str | None], headers: dict[str, str]
) -> None:
    are_tokens(await login(customer, headers=headers, **changed))


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("how", ["as it is", "plus escaped", "all escaped"])
async def test_A4_5_given_plus_and_equals_in_the_username_when_logging_in_then_escaped_or_not(
    customer: Customer, how: str
) -> None:
    user = customer.at.login_user
    assert "+" in user
    assert "=" in user
    escaped = {"plus escaped": user.replace("+", "%2B"), "all escaped": quote(user)}

    are_tokens(await login(customer, username=escaped.get(how, user)))


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    ("changed", "headers", "code"),
    [
        ({"app_key": ABSENT}, {}, "1010002"),
        ({"app_key": ""}, {}, "1010002"),
        ({"app_key": "nobody"}, {}, "1010003"),
        ({"username": ABSENT}, {}, "1010002"),
        ({"username": ""}, {}, "1010002"),
        ({"username": "somebody"}, {}, "1010002"),
        ({}, {"Authorization": "guess"}, "1010002"),
        ({}, {"Authorization": None}, "1010002"),
    ],
)
async def test_A4_5_given_a_login_that_is_wrong_when_sent_then_refused_in_json(
    customer: Customer,
    changed: dict[str, str | None],
    headers: dict[str, str | None],
    code: str,
    findings: Findings,
) -> None:
    answer = await login(customer, headers=headers, **changed)

    is_refused(answer)
    findings.expect("3.1", "code of a login that is wrong", answer.code, code)


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_second_login_when_the_first_token_is_used_then_1010004(
    customer: Customer,
) -> None:
    first, second = await token(customer), await token(customer)

    old, new = await calls_with(customer, first), await calls_with(customer, second)

    assert (old.status >= 400, old.code) == (True, "1010004")
    assert new.code == "0"


# Requests with a token


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "raw password+="},
        {"Authorization": "Basic eDp5"},
        {"Authorization": 'AKSK realm="SDP",profile="UsernameToken",type="Appkey"'},
        {"Content-Type": "application/x-www-form-urlencoded;; charset"},
        {"Authorization": "x", "X-AKSK": "left over"},
    ],
)
async def test_A4_5_given_a_token_when_other_headers_are_left_over_then_it_counts(
    customer: Customer, headers: dict[str, str]
) -> None:
    answer = await calls_with(
        customer, await token(customer), {**NO_PROOF, **headers}, app_key="x", format="json", username="y"
    )

    assert (answer.status, answer.description) == (200, "Success"), answer.text


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("wrong", ["x", "a+b==", "==", "MTM5@x=", "%00", "é", "x" * 4000])
async def test_A4_5_given_a_token_that_is_none_when_used_then_1010004(customer: Customer, wrong: str) -> None:
    answer = await calls_with(customer, wrong)

    is_refused(answer)
    assert (answer.code, answer.description) == ("1010004", "Invalid access_token.")


@pytest.mark.requirement("A1.5")
async def test_A1_5_given_a_token_when_a_recording_is_asked_for_then_it_is_taken(customer: Customer) -> None:
    path = f"{RECORDING}?fileName=nothing.wav&recordDomain=x&app_key=x&access_token={await token(customer)}"

    assert (await customer.send("GET", path, headers=NO_PROOF)).code == "1016002"


# Refresh


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_tokens_when_refreshed_in_any_form_then_only_the_new_ones_are_good(
    customer: Customer,
) -> None:
    given = await login(customer)
    for place in ("query", "form", "form without a type", "parts"):
        before, given = given, await refresh(customer, given.body["refresh_token"], place)
        are_tokens(given)
        assert given.body["access_token"] != before.body["access_token"]
        assert given.body["refresh_token"] != before.body["refresh_token"]
        assert (await calls_with(customer, before.body["access_token"])).code == "1010004"
    assert (await calls_with(customer, given.body["access_token"])).code == "0"


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("place", ["query", "form"])
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"app_key": ABSENT}, "1010002"),
        ({"app_key": "nobody"}, "1010003"),
        ({"app_secret": ABSENT}, "1010002"),
        ({"grant_type": ABSENT}, "1010002"),
        ({"grant_type": "password"}, "1010002"),
        ({"refresh_token": ABSENT}, "1010002"),
        ({"refresh_token": ""}, "1010002"),
        ({"refresh_token": "x"}, "1010004"),
    ],
)
async def test_A4_5_given_a_refresh_that_is_wrong_when_sent_then_refused_and_the_old_tokens_stay(
    customer: Customer, place: str, changed: dict[str, str | None], code: str, findings: Findings
) -> None:
    given = (await login(customer)).body

    answer = await refresh(customer, given["refresh_token"], place, **changed)

    is_refused(answer)
    findings.expect("3.2", "code of a refresh that is wrong", answer.code, code)
    assert (await calls_with(customer, given["access_token"])).code == "0"


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("place", ["query", "form"])
async def test_A4_5_given_a_wrong_app_secret_when_refreshed_then_1010009(
    customer: Customer, place: str
) -> None:
    given = (await login(customer)).body

    answer = await refresh(customer, given["refresh_token"], place, app_secret="x")

    is_refused(answer)
    assert answer.code == "1010009"


# Logout and the storage key


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("app_key", [ABSENT, "", "conformance-notification"])
async def test_A4_5_given_a_token_when_logged_out_then_it_is_good_no_more(
    customer: Customer, app_key: str | None, findings: Findings
) -> None:
    given = await token(customer)
    path = f"{LOGOUT}?{query({'app_key': app_key, 'access_token': given})}"

    first = await customer.send("POST", path, b"", NO_PROOF)
    again = await customer.send("POST", path, b"", NO_PROOF)

    findings.expect("3.3", "answer", first.body, {"resultcode": "0", "resultdesc": "Succeed"})
    assert first.status == 200
    assert again.code == (await calls_with(customer, given)).code == "1010004"


@pytest.mark.requirement("A4.5")
@inferred("3.4", "the answer is not known")
@pytest.mark.parametrize("body", [b'{"AK":"0123ABC"}', b"{}", b"", b"AK=1"])
async def test_A4_5_given_a_program_that_renews_its_storage_key_when_asked_then_success_and_the_token_stays(
    customer: Customer, body: bytes
) -> None:
    given = await token(customer)
    path = f"{REFRESH_KEY}?app_key={customer.at.notification_key}&access_token={given}"

    answer = await customer.send("POST", path, body, NO_PROOF)

    assert (answer.status, answer.body) == (200, {"resultcode": "0", "resultdesc": "Succeed"})
    assert (await calls_with(customer, given)).code == "0"


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("path", [LOGOUT, REFRESH_KEY])
@pytest.mark.parametrize("wrong", ["", "access_token=", "access_token=x"])
async def test_A4_5_given_no_token_when_logging_out_or_renewing_a_key_then_1010004(
    customer: Customer, path: str, wrong: str
) -> None:
    answer = await customer.send("POST", f"{path}?{wrong}", b"", NO_PROOF)

    is_refused(answer)
    assert answer.code == "1010004"


@pytest.mark.requirement("B5")
def test_B5_given_the_documented_token_requests_when_compared_then_each_of_their_parameters_is_tried() -> (
    None
):
    found = {
        path: {parameter["name"] for parameter in methods["post"]["parameters"]}
        for path, methods in document()["paths"].items()
        if path in (LOGIN, REFRESH, LOGOUT, REFRESH_KEY)
    }

    assert found == {
        LOGIN: {"app_key", "username"},
        REFRESH: {"app_key", "app_secret", "grant_type", "refresh_token"},
        LOGOUT: {"access_token"},
        REFRESH_KEY: {"access_token"},
    }
