"""What a phone in a browser may send to Asterisk, and what is read of the answers."""

import pytest

from controller.console.phone_socket import is_registration, refusal

USER = "phone-voicecall-1"


def _request(method: str, user: str = USER, header: str = "From") -> str:
    return (
        f"{method} sip:voicecall.invalid SIP/2.0\r\nVia: SIP/2.0/WS x.invalid\r\n"
        f'{header}: "A" <sip:{user}@voicecall.invalid>;tag=1\r\nCSeq: 1 {method}\r\n\r\n'
    )


@pytest.mark.parametrize(
    "message",
    [
        _request("REGISTER"),
        _request("REGISTER", header="f"),
        _request("ACK"),
        _request("BYE"),
        _request("INFO"),
        "SIP/2.0 180 Ringing\r\n\r\n",
        "\r\n\r\n",
    ],
)
def test_given_what_a_called_phone_says_when_sent_then_it_is_carried(message: str) -> None:
    assert refusal(message, USER) is None


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (_request("INVITE"), "sends no INVITE"),
        (_request("MESSAGE"), "sends no MESSAGE"),
        (_request("SUBSCRIBE"), "sends no SUBSCRIBE"),
        (_request("REFER"), "sends no REFER"),
        (_request("register"), "sends no register"),
        ("GET / HTTP/1.1\r\n\r\n", "sends no GET"),
        (_request("REGISTER", "carrier-a"), "as itself alone"),
        (_request("REGISTER", header="To"), "as itself alone"),
    ],
)
def test_given_what_only_a_caller_or_somebody_else_says_when_sent_then_it_is_refused(
    message: str, why: str
) -> None:
    assert why in (refusal(message, USER) or "")


def test_given_answers_when_read_then_only_that_to_a_registration_counts() -> None:
    assert is_registration("SIP/2.0 200 OK\r\nVia: x\r\nCSeq: 2 REGISTER\r\n\r\n")
    assert not is_registration("SIP/2.0 401 Unauthorized\r\nCSeq: 1 REGISTER\r\n\r\n")
    assert not is_registration("SIP/2.0 200 OK\r\nCSeq: 2 BYE\r\n\r\n")
