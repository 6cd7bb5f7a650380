"""Names that people give must not become configuration of Asterisk, nor numbers dial strings of their own."""

import configparser
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.asterisk.configuration import fill
from controller.asterisk.routing import (
    CONTACT_ENDPOINT,
    RouteConfiguration,
    TrunkConfiguration,
    render_trunks,
)
from controller.phone_number import PhoneNumber
from fuzz.effort import tries

pytestmark = pytest.mark.requirement("E1")

_EVIL = st.sampled_from(
    [
        "a\n[evil]\ntype=endpoint",
        "a;b",
        "a]",
        "[a",
        "#exec rm",
        "a\r\ncontext=x",
        "${SHELL(id)}",
        "a,b",
        "a&b",
        "a@b",
    ]
)
_TEXT = _EVIL | st.text(max_size=12) | st.from_regex(r"[a-z0-9.-]{1,12}", fullmatch=True)
_SECTION = re.compile(r"^\[([^\]]*)\]", re.MULTILINE)
_KNOWN = {
    *(
        "type",
        "identify_by",
        "transport",
        "context",
        "disallow",
        "allow",
        "dtmf_mode",
        "direct_media",
        "aors",
    ),
    *("rtp_symmetric", "timers", "trust_id_inbound", "send_pai", "send_connected_line", "outbound_auth"),
    *("from_user", "contact", "qualify_frequency", "qualify_timeout", "endpoint", "match", "auth_type"),
    *("username", "password", "server_uri", "client_uri", "contact_user", "retry_interval"),
    *("forbidden_retry_interval", "redirect_method", "allow_transfer"),
}


@given(name=_TEXT, host=_TEXT, user=_TEXT, password=_TEXT, register=st.booleans())
@example(name="carrier", host="sip.example", user="u", password="p;w", register=True)
@tries(400)
def test_E1_given_anything_as_a_trunk_when_rendered_then_it_is_refused_or_its_own_sections_and_no_more(
    name: str, host: str, user: str, password: str, register: bool
) -> None:
    try:
        trunk = TrunkConfiguration(name, host, user=user, password=password, register=register)
    except ValueError:
        return
    text = render_trunks([trunk])

    endings = ("", ".aor", ".identify", ".auth", ".registration")
    assert set(_SECTION.findall(text)) <= {CONTACT_ENDPOINT, *(name + ending for ending in endings)}
    assert "#" not in text
    read = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=(";",))
    read.read_string(text)
    assert {option for section in read.sections() for option in read[section]} <= _KNOWN


@given(text=_TEXT | st.from_regex(r"\+[0-9]{3,30}", fullmatch=True), contact=_TEXT)
@tries(400)
def test_E1_given_anything_as_a_number_or_contact_when_dialled_then_it_is_refused_or_one_endpoint(
    text: str, contact: str
) -> None:
    try:
        number = PhoneNumber(text)
    except ValueError:
        number = PhoneNumber("+8613900001111")
    try:
        routes = [RouteConfiguration("+", ("carrier",)), RouteConfiguration("+", contact=f"sip:{contact}")]
    except ValueError:
        routes = []
    for way in (way for route in routes for way in route.ways(number)):
        # & calls another endpoint too, a comma or bar begins the next argument, ${ and $[ are evaluated.
        assert re.fullmatch(r"PJSIP/[A-Za-z0-9_+:@./;=-]+", way.dial_string), way.dial_string


@given(value=st.text(max_size=30))
@tries(200)
def test_E1_given_anything_as_a_value_of_a_template_when_filled_in_then_it_begins_no_line(value: str) -> None:
    try:
        text = fill("[user]\nsecret = ${secret}\n", {"secret": value})
    except ValueError:
        return
    assert len(re.split(r"\r\n|\r|\n", text)) == 3
