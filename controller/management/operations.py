"""Operations, declared once: routes, checks, the OpenAPI document and the tests of tenancy come from this.

A handler is an async function of a context and, by name, a `body` and a `query`; its annotations are the
models, its docstring's first line the summary and the rest the description. Who may call it and whose things
it is about stand in its declaration, and `controller.management.server` checks that before the handler runs.
"""

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar, get_type_hints

from pydantic import BaseModel
from sqlmodel import Session

from controller.management.problems import Problem
from controller.management.roles import Actor, Role, Scope

PREFIX: Final = "/api/v1"
JSON_LIMIT: Final = 65536
"""Bytes of a JSON body at most."""

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Owner:
    """Whose a thing is: an account's (None: the operator's), and perhaps one user's alone."""

    account_id: str | None
    user_id: str | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of thing that paths name, such as {app_key}; who may not see one is told that there is none."""

    name: str
    parameter: str
    description: str
    find: Callable[[Session, str], Owner | None]
    """Whose the thing with this id is; None: there is no such thing."""
    pattern: str = r"^[A-Za-z0-9_.-]{1,64}$"


@dataclass(frozen=True)
class Upload:
    """A body that is no JSON."""

    content: bytes
    media_type: str


@dataclass(frozen=True)
class Stream:
    """A body that is no JSON and may be large: taken in pieces as it comes."""

    pieces: AsyncIterator[bytes]
    length: int | None
    """Bytes, if they are announced."""


@dataclass(frozen=True)
class Download:
    """An answer that is no JSON: bytes, or the file that a path names."""

    content: bytes
    media_type: str
    file_name: str


@dataclass(frozen=True)
class Pieces:
    """An answer that is no JSON and may be large: made while it is sent."""

    pieces: AsyncIterator[str]
    media_type: str
    file_name: str


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    name: str
    method: Method
    path: str
    """Below the prefix."""
    summary: str
    text: str
    group: str
    needs: Role
    scope: Scope
    handler: Callable[..., Awaitable[Any]]
    body: type[BaseModel] | type[Upload] | type[Stream] | None
    query: type[BaseModel] | None
    answer: type[BaseModel] | type[Download] | type[Pieces] | None
    status: int
    kinds: tuple[Kind, ...]
    """Of the path's parameters, in their order."""
    locked: bool
    """Whether If-Match must name the version that is changed."""
    problems: tuple[type[Problem], ...]
    errors: Mapping[type[Exception], Callable[[Any], Problem]]
    max_body: int
    media_types: tuple[str, ...]
    example: Mapping[str, Any] | None

    @property
    def is_safe(self) -> bool:
        return self.method == "GET"

    def is_for(self, actor: Actor) -> bool:
        """Whether this user's role and side cover it; whose things it is about is another matter."""
        return actor.role.covers(self.needs) and (actor.is_operators or self.scope is not Scope.OPERATOR)

    @property
    def needs_factor(self) -> bool:
        """Whether who must have a second factor and has none is kept from it."""
        return self.scope is not Scope.OPEN and self.group != "session"

    @property
    def creates(self) -> bool:
        """Whether it takes an Idempotency-Key; a stream is not kept to be compared with."""
        return self.method == "POST" and self.scope is not Scope.OPEN and self.body is not Stream

    @property
    def names_account(self) -> bool:
        """Whether body or query say which account it is about, as no part of the path does."""
        return self.scope is Scope.ACCOUNT and not self.kinds


@dataclass
class Operations:
    """The operations about one kind of resource; `errors` say which problems its domain's errors are."""

    group: str
    errors: Mapping[type[Exception], Callable[[Any], Problem]] = field(default_factory=dict)
    declared: list[Operation] = field(default_factory=list)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.declared)

    def get(self, path: str, **more: Any) -> Callable[[Handler], Handler]:
        """Declare a GET; see `operation`."""
        return self.operation("GET", path, **more)

    def post(self, path: str, *, status: int = 201, **more: Any) -> Callable[[Handler], Handler]:
        """Declare a POST; see `operation`."""
        return self.operation("POST", path, status=status, **more)

    def patch(self, path: str, *, locked: bool = True, **more: Any) -> Callable[[Handler], Handler]:
        """Declare a PATCH of what If-Match names; see `operation`."""
        return self.operation("PATCH", path, locked=locked, **more)

    def delete(self, path: str, **more: Any) -> Callable[[Handler], Handler]:
        """Declare a DELETE; see `operation`."""
        return self.operation("DELETE", path, **more)

    def operation(
        self,
        method: Method,
        path: str,
        *,
        needs: Role,
        scope: Scope = Scope.ACCOUNT,
        kinds: Sequence[Kind] = (),
        status: int = 200,
        locked: bool = False,
        problems: Sequence[type[Problem]] = (),
        max_body: int = JSON_LIMIT,
        media_types: Sequence[str] = ("application/json",),
        example: Mapping[str, Any] | None = None,
    ) -> Callable[[Handler], Handler]:
        """Declare a handler. Raises TypeError for a hole that tenancy could leak through.

        :param kinds: of the path's parameters, in their order.
        :param problems: those beyond what every operation of its form can answer.
        :param example: a body that would be taken; needed if there is a JSON body.
        """

        def declare(handler: Handler) -> Handler:
            hints = get_type_hints(handler)
            summary, _, text = inspect.cleandoc(handler.__doc__ or "").partition("\n")
            answer = hints.get("return")
            answer = None if answer is type(None) else answer
            made = Operation(
                name=handler.__name__,
                method=method,
                path=path,
                summary=summary.rstrip("."),
                text=" ".join(text.split()),
                group=self.group,
                needs=needs,
                scope=scope,
                handler=handler,
                body=hints.get("body"),
                query=hints.get("query"),
                answer=answer,
                status=204 if answer is None else status,
                kinds=tuple(kinds),
                locked=locked,
                problems=tuple(problems),
                errors=self.errors,
                max_body=max_body,
                media_types=tuple(media_types),
                example=example,
            )
            _check(made)
            self.declared.append(made)
            return handler

        return declare


def _check(operation: Operation) -> None:
    named = _PARAMETER.findall(operation.path)
    if named != [kind.parameter for kind in operation.kinds]:
        raise TypeError(f"{operation.name}: kinds must be those of the parameters {named}")
    if operation.names_account:
        models = [it for it in (operation.body, operation.query) if it not in (None, Upload, Stream)]
        fields = [name for model in models for name in getattr(model, "model_fields", ())]
        if "account_id" not in fields:
            raise TypeError(f"{operation.name}: neither path, body nor query says which account it is about")
    is_json = operation.body not in (None, Upload, Stream)
    if is_json != (operation.example is not None):
        raise TypeError(f"{operation.name}: a JSON body needs an example, and nothing else has one")
    if not operation.summary:
        raise TypeError(f"{operation.name}: a docstring must say what it does")
