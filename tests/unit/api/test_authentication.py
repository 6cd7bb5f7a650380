"""X-AKSK: the document's vector, every missing part, time, replay."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from controller.accounts.directory import Application, Directory
from controller.api.wire.authentication import Authenticator, NonceMemory, parse_headers, password_digest
from controller.api.wire.results import WireError
from controller.settings import AuthenticationSettings
from controller.store.calls import NonceUse
from controller.store.tables import Service

SECRET, NONCE, CREATED = "s3cret-APP-0001", "66C92B11FF8A425FB8D4CCFE0ED9ED1F", "2024-05-06T07:08:09Z"
DIGEST = "jJ3Gc6W2tn5zIpK5jRf0HA+FoZZ+tj6NFAukfdadAyo="
AUTHORIZATION = 'AKSK realm="SDP",profile="UsernameToken",type="Appkey"'
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


class FixedClock:
    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


def application(*, active: bool = True) -> Application:
    return Application(
        "app-1", "sp-1", Service.NOTIFICATION, active, False, 10, SecretStr(SECRET), None, None
    )


def directory(*, active: bool = True) -> Directory:
    return Directory(1, {"app-1": application(active=active)})


def aksk(
    username: str = "app-1", digest: str | None = None, nonce: str = NONCE, created: str = CREATED
) -> str:
    digest = digest or password_digest(SECRET, nonce, created)
    return (
        f'UsernameToken Username="{username}", PasswordDigest="{digest}", '
        f'Nonce="{nonce}", Created="{created}"'
    )


def headers(x_aksk: str | None = None, authorization: str | None = AUTHORIZATION) -> dict[str, str]:
    made = {"X-AKSK": x_aksk if x_aksk is not None else aksk()}
    return made if authorization is None else {**made, "Authorization": authorization}


def authenticator(now: datetime = NOW) -> Authenticator:
    return Authenticator(AuthenticationSettings(), FixedClock(now))


def code_of(sent: dict[str, str], now: datetime = NOW, *, active: bool = True) -> str:
    with pytest.raises(WireError) as refused:
        authenticator(now).authenticate(sent, directory(active=active))
    return refused.value.result.code


def test_given_the_documents_vector_when_digested_then_it_is_the_documents_digest() -> None:
    assert password_digest(SECRET, NONCE, CREATED) == DIGEST


def test_given_a_right_request_when_authenticated_then_the_app_and_its_nonce_are_known() -> None:
    found = authenticator().authenticate(headers(), directory())

    assert found.application.key == "app-1"
    assert found.nonce.nonce == NONCE


@pytest.mark.parametrize(
    "x_aksk",
    [
        aksk().replace(", ", ","),
        aksk().replace("Username=", "username="),
        f'UsernameToken Created="{CREATED}",Nonce="{NONCE}",PasswordDigest="{DIGEST}",Username="app-1"',
    ],
)
def test_given_other_spacing_case_or_order_when_authenticated_then_it_is_taken(x_aksk: str) -> None:
    assert authenticator().authenticate(headers(x_aksk), directory()).application.key == "app-1"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({}, "1023006"),
        (headers(authorization=None), "1023006"),
        (headers(authorization="Basic Zm9v"), "1023006"),
        (headers(authorization='AKSK profile="UsernameToken",type="Appkey"'), "1023007"),
        (headers(authorization='AKSK realm="SDP",type="Appkey"'), "1023008"),
        (headers(authorization='AKSK realm="X",profile="UsernameToken",type="Appkey"'), "1023009"),
        (headers(authorization='AKSK realm="SDP",profile="X",type="Appkey"'), "1023010"),
        (headers(authorization='AKSK realm="SDP",profile="UsernameToken",type="X"'), "1023011"),
        (headers(authorization='AKSK realm="SDP",profile="UsernameToken"'), "1023012"),
        ({"Authorization": AUTHORIZATION}, "1023033"),
        (headers(aksk().replace("Username=", "User=")), "1023034"),
        (headers(aksk().replace("Nonce=", "Once=")), "1023035"),
        (headers(aksk().replace("Created=", "Made=")), "1023036"),
        (headers(aksk().replace("PasswordDigest=", "Digest=")), "1023037"),
        (headers(aksk().replace("UsernameToken ", "")), "1023038"),
        (headers(aksk(digest="AAAA")), "1023006"),
        (headers(aksk(digest="\u00e9")), "1023006"),
        (headers(aksk(nonce="a b")), "1023006"),
        (headers(aksk(nonce="x" * 129)), "1023006"),
        (headers(aksk(username="other")), "1010003"),
        (headers(aksk(created="yesterday")), "1010013"),
    ],
)
def test_given_a_fault_in_the_headers_when_authenticated_then_its_code(
    sent: dict[str, str], code: str
) -> None:
    assert code_of(sent) == code


def test_given_an_app_that_is_switched_off_when_authenticated_then_1010008() -> None:
    assert code_of(headers(), active=False) == "1010008"


@pytest.mark.parametrize(
    ("offset", "accepted"),
    [
        (timedelta(0), True),
        (timedelta(seconds=299), True),
        (timedelta(seconds=-299), True),
        (timedelta(seconds=301), False),
        (timedelta(hours=8), True),
        (timedelta(hours=8, seconds=299), True),
        (timedelta(hours=4), False),
        (timedelta(hours=-8), False),
    ],
)
def test_given_created_off_by_some_time_when_authenticated_then_utc_and_beijing_are_taken(
    offset: timedelta, accepted: bool
) -> None:
    sent = headers(aksk(created=(NOW + offset).strftime("%Y-%m-%dT%H:%M:%SZ")))

    if accepted:
        authenticator().authenticate(sent, directory())
    else:
        assert code_of(sent) == "1010013"


def test_given_a_used_nonce_when_sent_again_then_it_is_refused() -> None:
    gate = authenticator()
    gate.authenticate(headers(), directory())

    with pytest.raises(WireError) as refused:
        gate.authenticate(headers(), directory())

    assert refused.value.result.code == "1023006"
    assert "Nonce" in refused.value.detail


def test_given_a_created_in_utc_when_its_nonce_is_kept_then_until_no_zone_would_let_it_through() -> None:
    clock = FixedClock()
    gate = Authenticator(AuthenticationSettings(), clock)
    nonce = gate.authenticate(headers(aksk(created="2024-05-06T15:08:09Z")), directory()).nonce

    assert nonce.expires_at == datetime(2024, 5, 6, 15, 13, 9, tzinfo=UTC)
    clock.time = nonce.expires_at - timedelta(seconds=1)
    with pytest.raises(WireError) as refused:
        gate.authenticate(headers(aksk(created="2024-05-06T15:08:09Z")), directory())
    assert "Nonce" in refused.value.detail


def test_given_a_full_nonce_memory_when_another_comes_then_the_oldest_is_forgotten() -> None:
    memory = NonceMemory(capacity=2)
    later = NOW + timedelta(hours=1)
    for nonce in "abc":
        assert memory.use(NonceUse("app-1", nonce, later), NOW)

    assert not memory.use(NonceUse("app-1", "c", later), NOW)
    assert memory.use(NonceUse("app-1", "a", later), NOW)


def test_given_headers_in_lower_case_when_parsed_by_the_server_then_values_are_unchanged() -> None:
    parsed = parse_headers(headers())

    assert (parsed.username, parsed.digest, parsed.nonce, parsed.created) == ("app-1", DIGEST, NONCE, CREATED)
