"""What can go wrong with a request, as RFC 9457 problem documents.

Every problem is a class here; its docstring explains it in the API's documentation.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

CONTENT_TYPE = "application/problem+json"
DOCUMENTATION = "/api/v1/docs"


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    place: Literal["body", "query", "path", "header"]
    """Where it stands."""
    field: str
    """Its name there; parts of objects are joined by dots."""
    detail: str
    """The rule that it breaks."""


class Use(BaseModel):
    """Something that uses what was to be removed or changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: str
    """What it is, such as application."""
    id: str
    """Which."""


class ProblemDocument(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: str
    """Address of the explanation; the part after # names the kind of problem."""
    title: str
    """The kind of problem in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong in this case."""
    request_id: str
    """Also in X-Request-Id and in the audit trail."""
    errors: list[Fault]
    """Each field at fault."""
    uses: list[Use]
    """What stands in the way, where something does."""


class Problem(Exception):
    """Root of all problems."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong here"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Fault] = (),
        uses: Sequence[Use] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = list(errors)
        self.uses = list(uses)
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    def document(self, request_id: str) -> ProblemDocument:
        """The body of the answer."""
        return ProblemDocument(
            type=f"{DOCUMENTATION}#{self.slug}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            request_id=request_id,
            errors=self.errors,
            uses=self.uses,
        )


class Malformed(Problem):
    """The body is no JSON object that can be read."""

    status, slug, title = 400, "malformed", "The request can't be read"


class NotAuthenticated(Problem):
    """Neither a session nor a token that is good says who is asking."""

    status, slug, title = 401, "not-authenticated", "Log in first"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": 'Bearer realm="voicecall"'}


class Forbidden(Problem):
    """The role of the one who asks does not cover this."""

    status, slug, title = 403, "forbidden", "Your role does not allow this"


class SecondFactorMissing(Problem):
    """Your role must have a second factor here: set one up with `/me/second-factor` first."""

    status, slug, title = 403, "second-factor-missing", "Set up your second factor first"


class CsrfTokenWrong(Problem):
    """With a session, changes need the session's token in X-CSRF-Token."""

    status, slug, title = 403, "csrf-token-wrong", "X-CSRF-Token is missing or wrong"


class NotFound(Problem):
    """There is no such thing, or it is none of yours; which of the two is not told."""

    status, slug, title = 404, "not-found", "There is no such thing"


class MethodNotAllowed(Problem):
    """The path is there, but not for this method."""

    status, slug, title = 405, "method-not-allowed", "This can't be done here"


class Conflict(Problem):
    """What is there already, or what uses it, stands in the way; `uses` names it."""

    status, slug, title = 409, "conflict", "Something stands in the way"


class ChangedMeanwhile(Problem):
    """If-Match names a version that is not the present one: read it again, then decide."""

    status, slug, title = 412, "changed-meanwhile", "It was changed meanwhile"


class TooLarge(Problem):
    """The body is larger than it may be here."""

    status, slug, title = 413, "too-large", "The body is too large"


class UnsupportedMediaType(Problem):
    """The body is of a kind that is not taken here, or compressed."""

    status, slug, title = 415, "unsupported-media-type", "This kind of body is not taken"


class Invalid(Problem):
    """Fields break rules; `errors` names each of them and its rule."""

    status, slug, title = 422, "invalid", "The request has faults"


class KeyReused(Problem):
    """The Idempotency-Key was used in the last 24 hours, with another body."""

    status, slug, title = 422, "idempotency-key-reused", "This Idempotency-Key belongs to another request"


class VersionMissing(Problem):
    """Changes need If-Match with the ETag of what was read, so that nobody undoes another's unknowingly."""

    status, slug, title = 428, "version-missing", "If-Match is missing"


class TooManyRequests(Problem):
    """So many requests from this address were refused that this one was not read; see Retry-After."""

    status, slug, title = 429, "too-many-requests", "Too many requests were refused"


class TooManyAttempts(Problem):
    """There were too many wrong passwords; Retry-After says when it may be tried again."""

    status, slug, title = 429, "too-many-attempts", "Too many wrong passwords"


class Unavailable(Problem):
    """What is needed for this can't be reached now."""

    status, slug, title = 503, "unavailable", "Not possible at the moment"


def wrong_field(
    field: str, detail: str, place: Literal["body", "query", "path", "header"] = "body"
) -> Invalid:
    """One field that breaks a rule."""
    return Invalid(f"{field} {detail}", errors=[Fault(place=place, field=field, detail=detail)])
