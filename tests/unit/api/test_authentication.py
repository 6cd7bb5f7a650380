"""X-AKSK and X-WSSE: the document's vectors, every missing part, time, replay, lock-out."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr

from controller.accounts.directory import Application, Directory
from controller.api.wire.authentication import Authenticated, Authenticator, Lockout, TokenDesk, digests
from controller.api.wire.authentication.digests import aksk_digest, wsse_digests
from controller.api.wire.authentication.headers import parse_headers
from controller.api.wire.authentication.lockout import WrongProof
from controller.api.wire.authentication.nonces import NonceMemory
from controller.api.wire.results import WireError
from controller.settings import AuthenticationSettings
from controller.store.limits import NonceUse
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
    digest = digest or aksk_digest(SECRET, nonce, created)
    return (
        f'UsernameToken Username="{username}", PasswordDigest="{digest}", '
        f'Nonce="{nonce}", Created="{created}"'
    )


def headers(x_aksk: str | None = None, authorization: str | None = AUTHORIZATION) -> dict[str, str]:
    made = {"X-AKSK": x_aksk if x_aksk is not None else aksk()}
    return made if authorization is None else {**made, "Authorization": authorization}


@dataclass
class Gate:
    """An authenticator of header schemes; what tokens need is tested beside them."""

    clock: FixedClock = field(default_factory=FixedClock)
    lock_after: int = 100
    settings: AuthenticationSettings = field(default_factory=AuthenticationSettings)

    def __post_init__(self) -> None:
        lockout = Lockout(self.lock_after, timedelta(minutes=10), timedelta(minutes=30))
        tokens = TokenDesk(cast(Any, None), self.clock, timedelta(hours=48))
        self.authenticator = Authenticator(self.settings, self.clock, tokens, lockout)

    async def lets_in(
        self, sent: dict[str, str], *, active: bool = True, address: str = "192.0.2.1"
    ) -> Authenticated:
        return await self.authenticator.authenticate(sent, None, address, directory(active=active))

    async def code_of(self, sent: dict[str, str], *, active: bool = True, address: str = "192.0.2.1") -> str:
        with pytest.raises(WireError) as refused:
            await self.lets_in(sent, active=active, address=address)
        return refused.value.result.code


def test_given_the_documents_vector_when_digested_then_it_is_the_documents_digest() -> None:
    assert aksk_digest(SECRET, NONCE, CREATED) == DIGEST


def test_given_several_digests_when_one_is_looked_for_then_all_are_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How long the answer takes tells nobody how much of a digest was right, or which secret it was."""
    compared: list[bytes] = []

    def noted(expected: bytes, given: bytes) -> bool:
        compared.append(expected)
        return expected == given

    monkeypatch.setattr(digests.hmac, "compare_digest", noted)
    found = [digests.matches_one(["one", "two", "three"], given) for given in ("one", "three", "none")]

    assert found == [True, True, False]
    assert compared == [b"one", b"two", b"three"] * 3


async def test_given_a_right_request_when_authenticated_then_the_app_and_its_nonce_are_known() -> None:
    found = await Gate().lets_in(headers())

    assert found.application.key == "app-1"
    assert found.nonce is not None
    assert found.nonce.nonce == f"{CREATED} {hashlib.sha256(NONCE.encode()).hexdigest()}"


@pytest.mark.parametrize(
    "x_aksk",
    [
        aksk().replace(", ", ","),
        aksk().replace("Username=", "username="),
        f'UsernameToken Created="{CREATED}",Nonce="{NONCE}",PasswordDigest="{DIGEST}",Username="app-1"',
    ],
)
async def test_given_other_spacing_case_or_order_when_authenticated_then_it_is_taken(x_aksk: str) -> None:
    assert (await Gate().lets_in(headers(x_aksk))).application.key == "app-1"


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
        (headers(aksk(nonce="a!")), "1023006"),
        (headers(aksk(nonce="x" * 129)), "1023006"),
        (headers(aksk(username="other")), "1010003"),
        (headers(aksk(created="yesterday")), "1010013"),
        (headers(aksk(created="0001-01-01T00:00:00Z")), "1010013"),
        (headers(aksk(created="9999-12-31T23:59:59Z")), "1010013"),
    ],
)
async def test_given_a_fault_in_the_headers_when_authenticated_then_its_code(
    sent: dict[str, str], code: str
) -> None:
    assert await Gate().code_of(sent) == code


async def test_given_an_app_that_is_switched_off_when_authenticated_then_1010008() -> None:
    assert await Gate().code_of(headers(), active=False) == "1010008"


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    ("zones", "offset", "accepted"),
    [
        ("any", timedelta(0), True),
        ("any", timedelta(seconds=299), True),
        ("any", timedelta(seconds=-299), True),
        ("any", timedelta(seconds=301), False),
        ("any", timedelta(minutes=-15), False),
        ("any", timedelta(hours=8, seconds=299), True),
        ("any", timedelta(hours=5.5), True),
        ("any", timedelta(hours=5.75), False),
        ("any", timedelta(hours=14), True),
        ("any", timedelta(hours=14.5), False),
        ("any", timedelta(hours=-12), True),
        ("any", timedelta(hours=-12.5), False),
        ("any", timedelta(days=-7), False),
        ([0, 8], timedelta(seconds=301), False),
        ([0, 8], timedelta(hours=8), True),
        ([0, 8], timedelta(hours=4), False),
        ([0, 8], timedelta(hours=-8), False),
        ([5.75], timedelta(hours=5.75), True),
    ],
)
async def test_A4_5_given_created_off_by_some_time_when_authenticated_then_its_zones_are_taken(
    zones: Any, offset: timedelta, accepted: bool
) -> None:
    sent = headers(aksk(created=(NOW + offset).strftime("%Y-%m-%dT%H:%M:%SZ")))
    gate = Gate(settings=AuthenticationSettings(created_zones=zones))

    if accepted:
        await gate.lets_in(sent)
    else:
        assert await gate.code_of(sent) == "1010013"


async def test_given_a_used_nonce_when_sent_again_then_it_is_refused() -> None:
    gate = Gate()
    await gate.lets_in(headers())

    with pytest.raises(WireError) as refused:
        await gate.lets_in(headers())

    assert refused.value.result.code == "1023006"
    assert "Nonce" in refused.value.detail


async def test_given_a_used_nonce_when_signed_again_in_another_second_then_it_is_another_request() -> None:
    """Programs draw nonces from a million, or begin with the same ones after each start."""
    gate = Gate()
    await gate.lets_in(headers())

    await gate.lets_in(headers(aksk(created="2024-05-06T07:08:10Z")))


async def test_given_a_used_nonce_when_sent_again_in_the_other_encoding_then_it_is_refused() -> None:
    gate = Gate()
    await gate.lets_in(wsse())

    assert await gate.code_of(wsse(WSSE_HEX)) == "1023006"


async def test_given_a_created_in_utc_when_its_nonce_is_kept_then_until_no_zone_would_let_it_through() -> (
    None
):
    clock = FixedClock()
    gate = Gate(clock, settings=AuthenticationSettings(created_zones=[0, 8]))
    nonce = (await gate.lets_in(headers(aksk(created="2024-05-06T15:08:09Z")))).nonce

    assert nonce is not None
    assert nonce.expires_at == datetime(2024, 5, 6, 15, 13, 9, tzinfo=UTC)
    clock.time = nonce.expires_at - timedelta(seconds=1)
    with pytest.raises(WireError) as refused:
        await gate.lets_in(headers(aksk(created="2024-05-06T15:08:09Z")))
    assert "Nonce" in refused.value.detail


def test_given_a_full_nonce_memory_when_another_comes_then_the_oldest_are_forgotten() -> None:
    memory = NonceMemory(capacity=4)
    later = NOW + timedelta(hours=1)
    for nonce in "abcde":
        assert memory.use(NonceUse("app-1", nonce, later))

    assert not any(memory.use(NonceUse("app-1", nonce, later)) for nonce in "cde")
    assert memory.use(NonceUse("app-2", "e", later))
    assert memory.use(NonceUse("app-1", "a", later))


def test_given_headers_in_lower_case_when_parsed_by_the_server_then_values_are_unchanged() -> None:
    parsed = parse_headers(headers())

    assert (parsed.username, parsed.digest, parsed.nonce, parsed.created) == ("app-1", DIGEST, NONCE, CREATED)


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    ("x_aksk", "authorization", "code"),
    [
        ("UsernameToken {}", AUTHORIZATION, "1023034"),
        (None, "AKSK {}", "1023007"),
    ],
)
def test_A4_5_given_a_header_that_is_one_endless_word_when_parsed_then_it_is_looked_at_once(
    x_aksk: str | None, authorization: str, code: str
) -> None:
    # Tried from each of its letters on this word would take minutes.
    endless = "a" * 300_000
    given = headers(x_aksk and x_aksk.format(endless), authorization.format(endless))

    with pytest.raises(WireError) as error:
        parse_headers(given)

    assert error.value.result.code == code


WSSE_AUTHORIZATION = 'WSSE realm="SDP", profile="UsernameToken", type="Appkey"'
WSSE_RAW = "pBxD+SGHUzHVCl78CVGi12b9qEk+hybUl+CRfTJtxSs="
WSSE_HEX = "YTQxYzQzZjkyMTg3NTMzMWQ1MGE1ZWZjMDk1MWEyZDc2NmZkYTg0OTNlODcyNmQ0OTdlMDkxN2QzMjZkYzUyYg=="


def wsse(digest: str = WSSE_RAW, authorization: str = WSSE_AUTHORIZATION) -> dict[str, str]:
    return {"Authorization": authorization, "X-WSSE": aksk(digest=digest).replace(", ", ",")}


def test_given_the_documents_wsse_vector_when_digested_then_both_encodings_are_the_documents() -> None:
    assert wsse_digests(SECRET, NONCE, CREATED) == (WSSE_RAW, WSSE_HEX)


@pytest.mark.parametrize("digest", [WSSE_RAW, WSSE_HEX])
async def test_given_a_wsse_request_of_either_encoding_when_authenticated_then_the_app_is_known(
    digest: str,
) -> None:
    assert (await Gate().lets_in(wsse(digest))).application.key == "app-1"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (wsse(authorization='Basic realm="SDP"'), "1023013"),
        (wsse(authorization='WSSE profile="UsernameToken",type="Appkey"'), "1023007"),
        (wsse(authorization='WSSE realm="SDP",type="Appkey"'), "1023008"),
        (wsse(authorization='WSSE realm="SDP",profile="UsernameToken",type="X"'), "1023011"),
        ({"X-WSSE": aksk(digest=WSSE_RAW)}, "1023006"),
        ({"Authorization": WSSE_AUTHORIZATION}, "1023026"),
        ({**wsse(), "X-WSSE": aksk(digest=WSSE_RAW).replace("Username=", "User=")}, "1023027"),
        ({**wsse(), "X-WSSE": aksk(digest=WSSE_RAW).replace("Nonce=", "Once=")}, "1023028"),
        ({**wsse(), "X-WSSE": aksk(digest=WSSE_RAW).replace("Created=", "Made=")}, "1023029"),
        ({**wsse(), "X-WSSE": aksk(digest=WSSE_RAW).replace("PasswordDigest=", "D=")}, "1023030"),
        ({**wsse(), "X-WSSE": aksk(digest=WSSE_RAW).replace("UsernameToken ", "")}, "1023031"),
        (wsse(digest=DIGEST), "1023006"),
        (headers(aksk(digest=WSSE_RAW)), "1023006"),
    ],
)
async def test_given_a_fault_in_wsse_headers_when_authenticated_then_its_code(
    sent: dict[str, str], code: str
) -> None:
    assert await Gate().code_of(sent) == code


async def test_given_too_many_wrong_digests_when_the_right_one_comes_then_1020176_for_half_an_hour() -> None:
    gate = Gate(lock_after=3)
    for nonce in ("n1", "n2", "n3"):
        assert await gate.code_of(headers(aksk(nonce=nonce, digest="AAAA"))) == "1023006"

    assert await gate.code_of(headers()) == "1020176"
    assert (await gate.lets_in(headers(), address="192.0.2.2")).application.key == "app-1"
    gate.clock.time += timedelta(minutes=29)
    assert await gate.code_of(headers()) == "1020176"
    gate.clock.time += timedelta(minutes=1)
    fresh = gate.clock.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (await gate.lets_in(headers(aksk(nonce="n4", created=fresh)))).application.key == "app-1"


async def test_given_requests_that_are_no_guesses_when_many_are_refused_then_no_address_is_locked() -> None:
    gate = Gate(lock_after=2)
    await gate.lets_in(headers())

    for sent in (headers(), headers(), headers(aksk(created="yesterday")), {}, {}):
        await gate.code_of(sent)

    assert (await gate.lets_in(headers(aksk(nonce="n1")))).application.key == "app-1"


def test_given_addresses_of_one_ipv6_network_when_they_fail_then_the_network_is_locked() -> None:
    lockout = Lockout(2, timedelta(minutes=10), timedelta(minutes=30))
    lockout.failed("2001:db8::1", NOW)
    lockout.failed("2001:db8::2", NOW)

    assert lockout.is_locked("2001:db8::3", NOW)
    assert not lockout.is_locked("2001:db8:0:1::3", NOW)


def test_given_failures_far_apart_when_counted_then_no_address_is_locked() -> None:
    lockout = Lockout(2, timedelta(minutes=10), timedelta(minutes=30))
    lockout.failed("192.0.2.1", NOW)
    lockout.failed("192.0.2.1", NOW + timedelta(minutes=11))

    assert not lockout.is_locked("192.0.2.1", NOW + timedelta(minutes=11))


def test_given_more_addresses_than_are_remembered_when_they_fail_then_memory_stays_bounded() -> None:
    lockout = Lockout(1, timedelta(minutes=10), timedelta(minutes=30), capacity=2)
    for last in range(1, 4):
        lockout.failed(f"192.0.2.{last}", NOW)

    assert not lockout.is_locked("192.0.2.1", NOW)
    assert lockout.is_locked("192.0.2.3", NOW)


# A token beside a digest


class Tokens:
    """One token is good."""

    async def authenticate(self, found: Directory, token: str, address: str) -> Application:
        del address
        if token == "good":
            return found.application("app-1")
        raise WrongProof("1010004")


def two_ways(lock_after: int = 100) -> Authenticator:
    lockout = Lockout(lock_after, timedelta(minutes=10), timedelta(minutes=30))
    return Authenticator(AuthenticationSettings(), FixedClock(), cast(Any, Tokens()), lockout)


WRONG = headers(aksk(digest="AAAA"))


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    ("sent", "token"),
    [(headers(), "left over"), (headers(), "good"), (WRONG, "good"), ({"Authorization": "word"}, "good")],
)
async def test_A4_5_given_two_ways_of_proof_when_one_is_good_then_it_counts(
    sent: dict[str, str], token: str
) -> None:
    found = await two_ways().authenticate(sent, token, "192.0.2.1", directory())

    assert found.application.key == "app-1"
    assert (found.nonce is not None) is (sent == headers())


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (WRONG, "1023006"),
        (headers(aksk(created="yesterday")), "1010013"),
        ({"X-AKSK": "x"}, "1023006"),
        ({"Authorization": "word"}, "1010004"),
    ],
)
async def test_A4_5_given_two_ways_of_proof_when_neither_is_good_then_the_digests_code_and_a_guess_counts(
    sent: dict[str, str], code: str
) -> None:
    authenticator, codes = two_ways(lock_after=2), []
    for _ in range(3):
        with pytest.raises(WireError) as refused:
            await authenticator.authenticate(sent, "guess", "192.0.2.1", directory())
        codes.append(refused.value.result.code)

    assert codes == [code, code, "1020176"]
