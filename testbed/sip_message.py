"""A SIP message as text, read only as far as the bench needs it."""

import re

_USER = re.compile(r"sips?:(?:([^@>;]*)@)?", re.IGNORECASE)
_COMPACT = {"f": "from", "t": "to", "i": "call-id", "m": "contact", "v": "via", "c": "content-type"}


class SipMessage:
    """First line and headers of a request or a response; `headers` keeps the order of arrival."""

    def __init__(self, text: str) -> None:
        head = re.sub(r"\r?\n[ \t]+", " ", text.partition("\r\n\r\n")[0])
        self.first_line, _, rest = head.partition("\r\n")
        pairs = (line.partition(":") for line in rest.split("\r\n") if line)
        self.headers = [(name.strip(), value.strip()) for name, _, value in pairs]

    def header(self, name: str) -> str:
        """The first header of that name (long form), or an empty string."""
        for own, value in self.headers:
            if _COMPACT.get(own.lower(), own.lower()) == name.lower():
                return value
        return ""

    @property
    def method(self) -> str:
        """The request's method; of a response the protocol version."""
        return self.first_line.partition(" ")[0]

    @property
    def request_user(self) -> str:
        return user_of(self.first_line)

    @property
    def opens_dialog(self) -> bool:
        """An INVITE that starts a call, as opposed to one inside a call."""
        return self.method == "INVITE" and ";tag=" not in self.header("To").lower()


def user_of(uri: str) -> str:
    """The user part of the first SIP URI in `uri`, or an empty string."""
    found = _USER.search(uri)
    return (found.group(1) or "") if found else ""
