"""What arrives at the wire API, before anybody knows who sends it: headers and bodies."""

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.json_object import NotAnObject, json_object
from controller.api.wire.authentication.headers import AKSK, WSSE, parse_headers
from controller.api.wire.body import WireModel, parse_body
from controller.api.wire.requests import (
    CallNotifyRequest,
    CallStopRequest,
    CallVerifyRequest,
    Click2CallRequest,
)
from controller.api.wire.results import RESULTS, WireError
from fuzz.effort import tries

pytestmark = pytest.mark.requirement("A4.1")

MODELS: tuple[type[WireModel], ...] = (
    CallNotifyRequest,
    CallStopRequest,
    CallVerifyRequest,
    Click2CallRequest,
)
NONCES = set(string.ascii_letters + string.digits + "+/=_-")
NAMES = sorted({name for model in MODELS for name in model.model_fields})
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["+8613900001111", "true", "0", "hello.wav", "aHR0cDovL2EvYg==", "1" * 5000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=12), JSON, max_size=6)
_WORD = st.text(string.printable, max_size=12)
_ATTRIBUTE = st.builds(
    lambda name, value, mark: f"{name}={mark}{value}{mark}",
    st.sampled_from(
        ["realm", "profile", "type", "Username", "PasswordDigest", "Nonce", "Created", "Username", "é"]
    ),
    _WORD | st.sampled_from(["SDP", "UsernameToken", "Appkey", "abc", "2026-11-26T08:00:00Z"]),
    st.sampled_from(['"', "'", "", '"" ']),
)


def _header(*first: str) -> st.SearchStrategy[str]:
    return st.builds(
        lambda word, parts, between: f"{word} {between.join(parts)}",
        st.sampled_from([*first, ""]) | _WORD,
        st.lists(_ATTRIBUTE | _WORD, max_size=8),
        st.sampled_from([",", ", ", " ", ";"]),
    )


@given(raw=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
@tries(300)
def test_given_any_bytes_when_read_as_a_body_then_they_are_an_object_or_refused(raw: bytes) -> None:
    try:
        assert isinstance(json_object(raw), dict)
    except NotAnObject as error:
        assert str(error)


@given(body=BODIES, model=st.sampled_from(MODELS))
@tries(150)
def test_given_any_json_when_read_as_a_request_then_it_is_one_or_a_result_code_says_what_is_wrong(
    body: dict[str, Any], model: type[WireModel]
) -> None:
    try:
        request = parse_body(json.dumps(body).encode(), model)
    except WireError as refused:
        assert refused.result.code in RESULTS
        assert refused.result.code != "0"
    else:
        assert isinstance(request, model)


@given(
    body=st.binary(max_size=200),
    cut=st.integers(0, 200),
    model=st.sampled_from(MODELS),
)
@tries(200)
def test_given_a_good_request_with_damage_when_read_then_no_other_error_comes_of_it(
    body: bytes, cut: int, model: type[WireModel]
) -> None:
    good = json.dumps(
        {
            "displayNbr": "+8657126880001",
            "calleeNbr": "+8613900001111",
            "playInfoList": [{"notifyVoice": "a.wav"}],
        }
    ).encode()
    try:
        parse_body(good[:cut] + body + good[cut:], model)
    except WireError as refused:
        assert refused.result.code in RESULTS


@given(
    authorization=_header("AKSK", "WSSE", "Bearer"),
    token=_header("UsernameToken"),
    name=st.sampled_from([AKSK.header, WSSE.header, "X-Other"]),
)
@tries(200)
def test_given_any_headers_when_taken_apart_then_they_are_credentials_or_a_code_says_what_is_missing(
    authorization: str, token: str, name: str
) -> None:
    try:
        found = parse_headers({"Authorization": authorization, name: token})
    except WireError as refused:
        assert refused.result.code in RESULTS
    else:
        assert found.username
        assert 1 <= len(found.nonce) <= 128
        assert not set(found.nonce) - NONCES
