"""Forms: what they ask for, what was typed, and the faults beside it.

A form knows nothing of rules: it makes a body of what was typed, and the operation says what is wrong.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel

from controller.management.problems import ChangedMeanwhile, Conflict, Problem

if TYPE_CHECKING:
    from controller.console.visit import Visit

T = TypeVar("T")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_WITHOUT_ZONE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]+(\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?")
FieldKind = Literal[
    "text",
    "number",
    "decimal",
    "password",
    "day",
    "moment",
    "choice",
    "suggest",
    "several",
    "check",
    "lines",
    "long",
    "confirm",
    "code",
    "hidden",
]
"""suggest: a text that may be one of the choices; several: any number of them, typed as lines; moment: a time
in UTC, or a day, which is its beginning; confirm: what is typed again before something that can't be undone,
and no part of the body; code: digits of an authenticator app, which shows them in two groups."""
ALL = "*"
"""A choice of several: all, also those to come; the body says null then."""


@dataclass(frozen=True)
class Field:
    """One thing that is asked for. Texts are message ids of the translations."""

    name: str
    """Of the body's field; a dot leads into an object."""
    label: str
    kind: FieldKind = "text"
    help: str = ""
    required: bool = False
    choices: Sequence[tuple[str, str]] = ()
    """Value and label, of a choice."""
    heading: str = ""
    """Stands above it, where a part of the form begins."""
    placeholder: str = ""
    empty: Any = None
    """What nothing typed stands for."""

    def body_value(self, typed: str | None) -> Any:
        """What the body says. A number that is none stays a text, so that the operation finds the fault."""
        text = (typed or "").strip() if self.kind not in ("long", "password") else (typed or "")
        if self.kind == "check":
            return typed is not None
        if self.kind in ("lines", "several"):
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            return None if self.kind == "several" and ALL in lines else lines
        if not text:
            return self.empty
        if self.kind == "code":
            return text.replace(" ", "")
        if self.kind == "number":
            return int(text) if _INTEGER.fullmatch(text) else text
        if self.kind == "moment" and (moment := _WITHOUT_ZONE.fullmatch(text)):
            day, clock = moment.groups(default="00:00")
            return f"{day}T{clock}Z"
        return text

    def shown_value(self, present: Any) -> str | None:
        """What the field shows of what there is; None: a box that isn't checked."""
        if self.kind == "check":
            return "on" if present else None
        if self.kind == "several" and present is None:
            return ALL
        if self.kind in ("lines", "several"):
            return "\n".join(map(str, present or ()))
        if self.kind == "moment" and present is not None:
            return str(present).removesuffix("Z").replace("T", " ")
        return "" if present is None else str(present)


@dataclass(frozen=True)
class Form:
    """What is asked for, in order."""

    fields: tuple[Field, ...]

    def body(self, typed: Mapping[str, str]) -> dict[str, Any]:
        """The body that was typed."""
        made: dict[str, Any] = {}
        for asked in self.fields:
            if asked.kind == "confirm":
                continue
            place, *deeper = asked.name.split(".")
            value = asked.body_value(typed.get(asked.name))
            if deeper:
                made.setdefault(place, {})[deeper[0]] = value
            else:
                made[place] = value
        return made

    def shown(self, present: Any) -> dict[str, str]:
        """What the fields show of a thing."""
        if present is None:
            return {}
        plain = present.model_dump(mode="json") if isinstance(present, BaseModel) else dict(present)
        shown = {}
        for asked in self.fields:
            value: Any = plain
            for part in asked.name.split("."):
                value = (value or {}).get(part)
            text = asked.shown_value(value)
            if text is not None:
                shown[asked.name] = text
        return shown

    def offering(self, **choices: Sequence[tuple[str, str]]) -> "Form":
        """The form with these choices in the fields of these names."""
        return Form(
            tuple(
                replace(asked, choices=choices[asked.name]) if asked.name in choices else asked
                for asked in self.fields
            )
        )

    def only(self, *names: str) -> "Form":
        """The form without all other fields."""
        return Form(tuple(asked for asked in self.fields if asked.name in names))

    def without(self, *names: str) -> "Form":
        """The form without these fields."""
        return Form(tuple(asked for asked in self.fields if asked.name not in names))


@dataclass
class Sent:
    """A form with what was typed and, once an operation has seen it, with what is wrong."""

    form: Form
    visit: "Visit"
    typed: Mapping[str, str]
    key: str = ""
    faults: dict[str, str] = field(default_factory=dict)
    """By field, in the words of the one who looks."""
    problem: str = ""
    """What is wrong with the whole."""
    status: int = 200
    """Of the page that shows it."""

    @property
    def version(self) -> str:
        """The ETag of what is changed."""
        return self.typed.get("version", "")

    @property
    def once(self) -> str:
        """Makes a creation that is sent twice the same one."""
        return self.key or self.typed.get("key", "")

    async def to(
        self,
        handler: Callable[..., Awaitable[T]],
        path: Mapping[str, str] | None = None,
        *,
        also: Mapping[str, Any] | None = None,
        since: Any = None,
    ) -> T | None:
        """Have an operation take it: what that answers, or None with the faults noted here.

        :param also: what the body has besides.
        :param since: the thing that is changed; what it has already is left out of the body.
        """
        body = self.form.body(self.typed)
        if since is not None:
            present = self.form.body(self.form.shown(since))
            body = {name: value for name, value in body.items() if value != present[name]}
        try:
            return await self.visit.run(
                handler,
                path,
                body={**body, **(also or {})},
                version=self.version,
                key=self.once,
            )
        except Problem as problem:
            if problem.status in (401, 403, 500) or (problem.status == 404 and not self._names_account):
                raise
            self.refused(problem)
            return None

    @property
    def is_refused(self) -> bool:
        """Whether an operation found something wrong."""
        return self.status != 200

    @property
    def _names_account(self) -> bool:
        """Whether what was not found may be the account that was typed."""
        return "account_id" in {asked.name for asked in self.form.fields} and bool(
            self.typed.get("account_id")
        )

    def confirms(self, expected: str) -> bool:
        """Whether the field to be confirmed says this; if not, that is noted."""
        asked = next(asked for asked in self.form.fields if asked.kind == "confirm")
        if self.typed.get(asked.name, "").strip() == expected:
            return True
        self.status = 422
        self.faults[asked.name] = self.visit.text("This is not what must be typed here.")
        return False

    def refused(self, problem: Problem, names: Mapping[str, str] | None = None) -> None:
        """Take in what an operation said against it.

        :param names: what the form calls fields that the operation calls otherwise.
        """
        kinds = {asked.name: asked.kind for asked in self.form.fields}
        self.status = problem.status
        rest = []
        for fault in problem.errors:
            place, inside = _place((names or {}).get(fault.field, fault.field), kinds)
            said = self.visit.renderer.fault(self.visit.look.language, fault.detail)
            if inside.isdigit() and kinds.get(place) == "lines":
                said = self.visit.text("Line %(line)s: %(fault)s", line=int(inside) + 1, fault=said)
            if not place:
                rest.append(f"{fault.field} {said}".strip())
            elif said not in self.faults.get(place, ""):
                self.faults[place] = "; ".join(filter(None, (self.faults.get(place), said)))
        if problem.status == 404 and self._names_account:
            self.faults["account_id"] = self.visit.text("There is no such account.")
        if isinstance(problem, ChangedMeanwhile):
            rest.append(
                self.visit.text(
                    "Somebody else has changed this meanwhile. What you typed is still here; open the page "
                    "again to see how it is now, before you decide."
                )
            )
        elif not self.faults and not rest:
            rest.append(self.visit.renderer.fault(self.visit.look.language, problem.detail))
        if isinstance(problem, Conflict) and problem.uses:
            rest += [f"{self.visit.text(use.kind)} {use.id}" for use in problem.uses]
        self.problem = "; ".join(rest)


def _place(path: str, kinds: Mapping[str, FieldKind]) -> tuple[str, str]:
    """The field that asks for what a fault names, and the next step inside of it."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in kinds:
            return name, ".".join(parts[length : length + 1])
    return "", ""
