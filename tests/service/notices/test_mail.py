"""Mail over a real SMTP server: in clear, with STARTTLS, with TLS, with login, refused."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError
from service.notices.support import MailServer, mail_server

from controller.notices.mail import Mailer, MailError
from controller.settings import MailSettings

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


async def send(server: MailServer, **settings: Any) -> None:
    mailer = Mailer(
        MailSettings(
            **{
                "host": "localhost",
                "port": server.port,
                "sender": "voice@example.com",
                "timeout": 5,
                **settings,
            }
        )
    )
    await mailer.send("dora@example.com", "Abgelehnt: 你好.wav", "too loud: 太响了\n", "msg_1", NOW)


@pytest.mark.requirement("C7")
async def test_C7_given_a_relay_on_this_machine_when_mail_is_sent_then_it_arrives_whole() -> None:
    async with mail_server() as server:
        await send(server, security="none")
    ((envelope, message),) = server.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("voice@example.com", ["dora@example.com"])
    assert message["Subject"] == "Abgelehnt: 你好.wav"
    assert message.get_content().strip() == "too loud: 太响了"
    assert message["Message-ID"] == "<msg_1@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"


@pytest.mark.requirement("C7")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_C7_given_a_server_with_tls_and_login_when_mail_is_sent_then_both_are_used(
    tls: ssl.SSLContext, trusted: str, tmp_path: Path, security: str
) -> None:
    secret = tmp_path / "password"
    secret.write_text("right\n")
    async with mail_server(tls, from_the_start=security == "tls", login=True) as server:
        await send(server, security=security, ca_file=trusted, user="voice", password_file=str(secret))
    assert (server.encrypted, server.logins) == ([True], ["voice"])


@pytest.mark.requirement("C7")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"user": "voice", "password": "wrong"}, "refuses mail.user: 535"),
        ({"ca_file": ""}, "certificate"),
        ({"ca_file": "/nowhere.pem"}, "FileNotFoundError"),
        ({"user": "voice", "password_file": "/nowhere"}, "FileNotFoundError"),
        ({"host": ""}, "mail.host is not set"),
        ({"port": 1}, "Error connecting"),
    ],
)
async def test_C7_given_settings_that_do_not_fit_the_server_when_sent_then_the_error_says_what_and_may_pass(
    tls: ssl.SSLContext, trusted: str, settings: dict[str, Any], words: str
) -> None:
    async with mail_server(tls, login="user" in settings) as server:
        with pytest.raises(MailError, match=words) as caught:
            await send(server, **{"ca_file": trusted, **settings})
    assert not caught.value.final
    assert "wrong" not in str(caught.value)
    assert server.messages == []


async def test_given_a_server_without_tls_when_starttls_is_asked_for_then_nothing_is_sent_in_clear() -> None:
    async with mail_server() as server:
        with pytest.raises(MailError):
            await send(server, security="starttls")
    assert server.messages == []


@pytest.mark.requirement("C7")
@pytest.mark.parametrize(
    ("answer", "final"),
    [
        ("550 5.1.1 <dora@example.com>: Recipient address rejected", "the mail server said 550 5.1.1"),
        ("550-5.1.1 <dora@example.com>\r\n550 5.1.1 is nobody here", "the mail server said 550 5.1.1"),
        ("553 dora@example.com is not known here", "the mail server said 553"),
        ("550 5.1.1dora@example.com", "the mail server said 550"),
        ("451 4.7.1 <dora@example.com>: come back later", ""),
    ],
)
async def test_C7_given_a_recipient_that_is_refused_when_sent_then_it_is_known_whether_that_may_pass(
    answer: str, final: str
) -> None:
    async with mail_server() as server:
        server.answers.append(answer)
        with pytest.raises(MailError, match=f"said {answer[:3]}") as caught:
            await send(server, security="none")
    assert caught.value.final == final
    # What is kept for administrators has all that was said.
    assert "dora@example.com" in str(caught.value)


def test_given_two_passwords_when_set_then_they_are_refused() -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        MailSettings(password="a", password_file="b")  # type: ignore[arg-type]
