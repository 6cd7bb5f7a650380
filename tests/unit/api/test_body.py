"""Request bodies: what is taken, what is refused, and how the fault is named."""

import base64
import json
from typing import Any

import pytest
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from controller.api.wire.body import parse_body, read_body
from controller.api.wire.requests import CallNotifyRequest, Click2CallRequest
from controller.api.wire.results import RESULTS, WireError

GOOD: dict[str, Any] = {
    "displayNbr": "+8657126880001",
    "calleeNbr": "+8613900001111",
    "playInfoList": [{"notifyVoice": "hello.wav"}],
}


def parse(**changes: Any) -> CallNotifyRequest:
    return parse_body(json.dumps({**GOOD, **changes}).encode(), CallNotifyRequest)


def refusal(raw: bytes) -> str:
    with pytest.raises(WireError) as refused:
        parse_body(raw, CallNotifyRequest)
    assert refused.value.result.code == "1010002"
    return refused.value.detail


@pytest.mark.parametrize(
    ("item", "collect", "replay"),
    [
        ({"collectInd": "3", "replayAfterCollection": "true"}, 3, True),
        ({"collectInd": 3, "replayAfterCollection": True}, 3, True),
        ({"collectInd": None, "replayAfterCollection": None}, 0, False),
        ({"replayAfterCollection": "FALSE"}, 0, False),
    ],
)
def test_given_the_habits_of_real_clients_when_parsed_then_they_are_taken(
    item: dict[str, Any], collect: int, replay: bool
) -> None:
    request = parse(
        playInfoList=[{"notifyVoice": "a.wav", **item}],
        bindNbr="+8612345678",
        unknown={"x": 1},
        userData=None,
    )

    assert request.playInfoList[0].collectInd == collect
    assert request.playInfoList[0].replayAfterCollection is replay
    assert request.userData is None


@pytest.mark.requirement("A4.5")
def test_given_optional_text_that_is_empty_when_parsed_then_it_is_not_there() -> None:
    item = {"notifyVoice": "", "templateId": "t", "ttsContent": "", "collectContentTriggerReplaying": ""}
    names = ("statusUrl", "feeUrl", "returnIdlePort", "userData")
    request = parse(**dict.fromkeys(names, ""), playInfoList=[{**item, "replayAfterCollection": ""}])
    callback = parse_body(
        json.dumps(
            {
                **GOOD,
                "callerNbr": GOOD["calleeNbr"],
                "displayCalleeNbr": GOOD["displayNbr"],
                **dict.fromkeys(("lastMinVoice", "lastMinToUE", "preVoice", "waitVoice", "calleeMedia"), ""),
                **dict.fromkeys(("recordFlag", "recordHintTone", "partyTypeRequiredInDisconnect"), ""),
            }
        ).encode(),
        Click2CallRequest,
    )

    assert request == parse(playInfoList=[{"templateId": "t"}])
    assert (callback.lastMinToUE, callback.calleeMedia, callback.waitVoice) == ("both", "all", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"displayNbr": ""},
        {"playInfoList": ""},
        {"playInfoList": [{"notifyVoice": ""}]},
        {"playInfoList": [{"notifyVoice": "a.wav", "collectInd": ""}]},
        {"playInfoList": [{"templateId": "t", "templateParas": ""}]},
    ],
)
def test_given_empty_text_that_is_needed_or_no_text_when_parsed_then_it_is_refused(
    changes: dict[str, Any],
) -> None:
    refusal(json.dumps({**GOOD, **changes}).encode())


@pytest.mark.requirement("A4.5")
def test_given_a_byte_order_mark_before_the_body_when_parsed_then_it_is_passed_over() -> None:
    assert parse_body(b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), CallNotifyRequest) == parse()


@pytest.mark.parametrize("flag", ["true", "True", True])
def test_given_any_form_of_true_when_parsed_then_idle_port_is_returned(flag: Any) -> None:
    assert parse(returnIdlePort=flag).returnIdlePort is True


def url(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_given_base64_in_lines_as_some_encoders_write_it_when_parsed_then_the_address_is_whole(
    line_end: str,
) -> None:
    address = "http://status.customer.example/" + "x" * 40
    lines = base64.encodebytes(address.encode()).decode().replace("\n", line_end)
    assert lines.count(line_end) == 2

    assert parse(statusUrl=lines).statusUrl == address


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"displayNbr": "057126880001"}, "The number format is incorrect.displayNbr"),
        ({"displayNbr": "+86057126880001"}, "The number format is incorrect.displayNbr"),
        ({"calleeNbr": "+861"}, None),
        ({"calleeNbr": "+86" + "1" * 29}, "The number format is incorrect.calleeNbr"),
        ({"calleeNbr": ["+8613900001111"]}, "calleeNbr must be a string"),
        ({"playInfoList": []}, "playInfoList must have at least 1 item(s)"),
        ({"playInfoList": [{"notifyVoice": "a.wav"}] * 6}, "playInfoList must have at most 5 item(s)"),
        ({"playInfoList": "a.wav"}, "playInfoList must be a list"),
        ({"playInfoList": ["a.wav"]}, "playInfoList[0] must be an object"),
        ({"playInfoList": [{"notifyVoice": 1}]}, "playInfoList[0].notifyVoice must be a string"),
        (
            {"playInfoList": [{"templateId": "x" * 33}]},
            "playInfoList[0].templateId must have at most 32 char",
        ),
        (
            {"playInfoList": [{"notifyVoice": "a.wav", "collectInd": 33}]},
            "playInfoList[0].collectInd must be at most 32",
        ),
        (
            {"playInfoList": [{"notifyVoice": "a.wav", "collectContentTriggerReplaying": "a"}]},
            "playInfoList[0].collectContentTriggerReplaying must have only digits, * and #",
        ),
        ({"displayNbr": None}, "displayNbr is missing"),
        ({"playInfoList": [{}]}, "playInfoList[0] must have exactly one of notifyVoice and templateId"),
        (
            {"playInfoList": [{"notifyVoice": "../x.wav"}]},
            "playInfoList[0].notifyVoice must have only letters, digits and . _ @ -",
        ),
        ({"playInfoList": [{"notifyVoice": "x" * 129}]}, "playInfoList[0].notifyVoice"),
        ({"playInfoList": [{"notifyVoice": "a.wav", "collectInd": -1}]}, "playInfoList[0].collectInd"),
        ({"playInfoList": [{"notifyVoice": "a.wav", "collectInd": 1.5}]}, "playInfoList[0].collectInd"),
        ({"playInfoList": [{"notifyVoice": "a.wav", "collectInd": True}]}, "playInfoList[0].collectInd"),
        (
            {"playInfoList": [{"notifyVoice": "a.wav", "replayAfterCollection": "yes"}]},
            "playInfoList[0].replayAfterCollection must be true or false",
        ),
        ({"userData": "{x}"}, "userData must not contain { or }"),
        ({"userData": "x" * 257}, "userData"),
        ({"statusUrl": url("ftp://x/")}, "statusUrl is not an http or https address"),
        ({"statusUrl": url("http://x:99999/")}, "statusUrl is not the Base64 form of an address"),
        ({"statusUrl": url("http://x/\r\nX: y")}, "statusUrl is not an http or https address"),
        ({"feeUrl": "****"}, "feeUrl is not the Base64 form of an address"),
        ({"feeUrl": url("http://example.net/" + "x" * 90)}, "feeUrl must be Base64 text"),
    ],
)
def test_given_a_field_at_fault_when_parsed_then_it_is_named(
    changes: dict[str, Any], detail: str | None
) -> None:
    raw = json.dumps({**GOOD, **changes}).encode()
    if detail is None:
        parse_body(raw, CallNotifyRequest)
    else:
        assert refusal(raw).startswith(detail)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b'{"displayNbr":"\xff"}',
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
    ids=range(10),
)
def test_given_a_body_that_is_no_json_object_when_parsed_then_that_is_said(raw: bytes) -> None:
    assert refusal(raw).startswith("The body is not")


@given(st.binary(max_size=200))
def test_given_any_bytes_when_parsed_then_they_are_refused_in_the_wire_apis_way(raw: bytes) -> None:
    refusal(raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["displayNbr", "calleeNbr", "playInfoList", "statusUrl", "feeUrl", "userData"]), _JSON)
def test_given_any_json_in_any_field_when_parsed_then_it_is_taken_or_refused_never_a_crash(
    name: str, value: Any
) -> None:
    try:
        parse_body(json.dumps({**GOOD, name: value}).encode(), CallNotifyRequest)
    except WireError as error:
        assert len(error.body["resultdesc"]) <= 128
        assert "should" not in error.body["resultdesc"], "pydantic's own words"


def test_given_the_result_table_when_read_then_codes_are_text_and_statuses_are_of_http() -> None:
    assert all(code == result.code and 200 <= result.status < 600 for code, result in RESULTS.items())
    assert RESULTS["0"].text == "Success"


@pytest.mark.parametrize("coding", [None, "", "identity", "UTF-8", "utf8", "application/json"])
async def test_given_no_compression_when_read_then_the_body_is_taken_as_it_is(coding: str | None) -> None:
    headers = {} if coding is None else {"Content-Encoding": coding}

    assert await read_body(make_mocked_request("POST", "/", headers, payload=EMPTY_PAYLOAD)) == b""


@pytest.mark.parametrize("coding", ["gzip", "X-GZIP", "deflate", "br", "zstd", "compress", "UTF-8, gzip"])
async def test_given_a_compressed_body_when_read_then_415(coding: str) -> None:
    with pytest.raises(WireError) as refused:
        await read_body(make_mocked_request("POST", "/", {"Content-Encoding": coding}, payload=EMPTY_PAYLOAD))

    assert (refused.value.status, refused.value.result.code) == (415, "1010002")
