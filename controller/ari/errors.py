"""What can go wrong between this program and Asterisk.

::

    AriError
    ├── NotConnected        nothing was sent: there is no socket now
    ├── ConnectionLost      the socket went away before the answer: the request may or may not have been done
    ├── RequestTimeout      no answer in time: the request may or may not have been done
    ├── ResponseError       Asterisk answered with an error
    │   ├── InvalidRequest  400, 405, 406, 422
    │   ├── NotFound        404
    │   ├── Conflict        409, 412: exists already, or is in a state that does not allow this
    │   └── ServerError     5xx
    ├── ProtocolError       what came is not ARI, or not what belongs there
    ├── ListenerOverflow    a listener was too slow and has missed events
    └── OwnershipLost       another connection took over the application
"""


class AriError(Exception):
    """Root of this package's errors."""


class NotConnected(AriError):
    """There is no socket now; nothing was sent."""


class ConnectionLost(AriError):
    """The socket went away before the answer came; whether the request was done is not known."""


class RequestTimeout(AriError):
    """No answer came in time; whether the request was done is not known."""


class ResponseError(AriError):
    """Asterisk refused a request.

    `operation` names it as the REST API does ("channels.play"), `status` is the HTTP status.
    """

    def __init__(self, operation: str, status: int, message: str) -> None:
        super().__init__(f"{operation}: {status} {message}")
        self.operation = operation
        self.status = status
        self.message = message


class InvalidRequest(ResponseError):
    """The request itself is wrong."""


class NotFound(ResponseError):
    """The object does not exist, or no longer."""


class Conflict(ResponseError):
    """The object exists already, or is in a state that does not allow this."""


class ServerError(ResponseError):
    """Asterisk failed."""


class ProtocolError(AriError):
    """What came is not ARI, or an object that it must have is missing or wrong."""


class ListenerOverflow(AriError):
    """A listener did not read and its bounded mailbox is full; what it knows is out of date."""


class OwnershipLost(AriError):
    """Another connection with the same application name took over; this one gets no events any more."""


def response_error(operation: str, status: int, message: str) -> ResponseError:
    """The error that belongs to a status of 400 or more."""
    kind: type[ResponseError]
    if status == 404:
        kind = NotFound
    elif status in (409, 412):
        kind = Conflict
    elif status >= 500:
        kind = ServerError
    else:
        kind = InvalidRequest
    return kind(operation, status, message)
