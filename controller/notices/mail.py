"""Mail through the operator's SMTP server."""

import asyncio
import re
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from controller.settings import MailSettings

_ENHANCED = re.compile(r"[45]\.\d{1,3}\.\d{1,3}\b")
"""The status that a server may say before its words. Source: RFC 3463."""


class MailError(Exception):
    """A message was not accepted. Its text has the server's words, which often quote whom it is for."""

    def __init__(self, text: str, *, final: str = "") -> None:
        """`final`: why no other attempt will help, in words that a log may have; "" if one may."""
        super().__init__(text)
        self.final = final


class Mailer:
    """Sends one message at a time on a connection of its own."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def send(self, to: str, subject: str, text: str, message_id: str, at: datetime) -> None:
        """Have the server accept a message. Raises MailError."""
        own = self._settings
        if not own.host:
            raise MailError("mail.host is not set")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = own.sender, to, subject
        message["Date"], message["Auto-Submitted"] = format_datetime(at), "auto-generated"
        message["Message-ID"] = f"<{message_id}@{own.sender.rpartition('@')[2]}>"
        message.set_content(text)
        try:
            tls = await asyncio.to_thread(self._tls)
            password = await asyncio.to_thread(own.secret)
            async with asyncio.timeout(own.timeout):
                await aiosmtplib.send(
                    message,
                    sender=own.sender,
                    recipients=[to],
                    hostname=own.host,
                    port=own.port,
                    use_tls=own.security == "tls",
                    start_tls=own.security == "starttls",
                    tls_context=tls,
                    username=own.user or None,
                    password=password if own.user else None,
                    timeout=own.timeout,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            raise _refusal(refused.code, refused.message) from error
        except aiosmtplib.SMTPAuthenticationError as error:
            # The operator will mend the password; the message waits for it.
            raise MailError(f"the mail server refuses mail.user: {error.code}") from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error.code, error.message) from error
        except TimeoutError as error:
            raise MailError(f"the mail server took more than {own.timeout:g} s") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailError(f"{type(error).__name__}: {error}") from error

    def _tls(self) -> ssl.SSLContext | None:
        if self._settings.security == "none":
            return None
        context = ssl.create_default_context()
        if self._settings.ca_file:
            context.load_verify_locations(self._settings.ca_file)
        return context


def _refusal(code: int, message: str) -> MailError:
    words = " ".join(message.split())[:200]
    status = _ENHANCED.match(words)
    codes = f"{code} {status[0]}" if status else f"{code}"
    said = "the mail server said"
    return MailError(f"{said} {code} {words}", final=f"{said} {codes}" if code >= 500 else "")
