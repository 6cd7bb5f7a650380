import pytest

from testbed.sip_message import SipMessage, user_of

INVITE = (
    "INVITE sip:+8613900001111@127.0.0.1:5071 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n"
    'f: "Somebody" <sip:+8657126880001@127.0.0.1>;tag=1\r\n'
    "To: <sip:+8613900001111@127.0.0.1>\r\n"
    "i: abc@127.0.0.1\r\n"
    "Subject: a line\r\n"
    "  that goes on\r\n"
    "X-Empty:\r\n"
    "\r\n"
    "v=0\r\nTo: not a header\r\n"
)


def test_given_an_invite_when_read_then_its_parts_are_there() -> None:
    message = SipMessage(INVITE)
    assert (message.method, message.request_user) == ("INVITE", "+8613900001111")
    assert user_of(message.header("From")) == "+8657126880001"
    assert message.header("call-id") == "abc@127.0.0.1"
    assert message.header("Subject") == "a line that goes on"
    assert message.header("X-Empty") == message.header("Reason") == ""
    assert message.headers[0] == ("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1")


def test_given_requests_and_responses_when_asked_then_only_a_first_invite_opens_a_dialog() -> None:
    assert SipMessage(INVITE).opens_dialog
    assert not SipMessage(INVITE.replace("0.1>\r\ni", "0.1>;tag=2\r\ni")).opens_dialog
    assert not SipMessage(INVITE.replace("INVITE", "CANCEL")).opens_dialog
    assert not SipMessage("SIP/2.0 200 OK\r\nTo: <sip:a@b>\r\n\r\n").opens_dialog
    assert not SipMessage("\r\n\r\n").opens_dialog


@pytest.mark.parametrize(
    ("uri", "user"),
    [("sip:100@host", "100"), ("<sips:+1@host:5061;x=y>", "+1"), ("sip:host", ""), ("tel:+1", ""), ("", "")],
)
def test_given_a_uri_when_asked_for_its_user_then_it_is_the_part_before_the_host(uri: str, user: str) -> None:
    assert user_of(uri) == user
