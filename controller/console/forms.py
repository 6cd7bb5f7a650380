"""Forms: what they ask for, what was typed, and the faults beside it.

A form knows nothing of rules: it makes a body of what was typed, and the operation says what is wrong.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel

from controller.management.problems import ChangedMeanwhile, Conflict, Problem

if TYPE_CHECKING:
    from controller.console.visit import Visit

T = TypeVar("T")
FieldKind = Literal["text", "number", "decimal", "password", "choice", "check", "lines", "long", "hidden"]


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
    placeholder: str = ""
    empty: Any = None
    """What nothing typed stands for."""

    def body_value(self, typed: str | None) -> Any:
        """What the body says. A number that is none stays a text, so that the operation finds the fault."""
        text = (typed or "").strip() if self.kind not in ("long", "password") else (typed or "")
        if self.kind == "check":
            return typed is not None
        if self.kind == "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
        if not text:
            return self.empty
        if self.kind == "number":
            return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() else text
        return text

    def shown_value(self, present: Any) -> str | None:
        """What the field shows of what there is; None: a box that isn't checked."""
        if self.kind == "check":
            return "on" if present else None
        if self.kind == "lines":
            return "\n".join(map(str, present or ()))
        return "" if present is None else str(present)


@dataclass(frozen=True)
class Form:
    """What is asked for, in order."""

    fields: tuple[Field, ...]

    def body(self, typed: Mapping[str, str]) -> dict[str, Any]:
        """The body that was typed."""
        made: dict[str, Any] = {}
        for asked in self.fields:
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
    ) -> T | None:
        """Have an operation take it: what that answers, or None with the faults noted here.

        :param also: what the body has besides.
        """
        try:
            return await self.visit.run(
                handler,
                path,
                body={**self.form.body(self.typed), **(also or {})},
                version=self.version,
                key=self.once,
            )
        except Problem as problem:
            if problem.status in (401, 403, 404, 500):
                raise
            self.refused(problem)
            return None

    def refused(self, problem: Problem) -> None:
        """Take in what an operation said against it."""
        names = {asked.name for asked in self.form.fields}
        self.status = problem.status
        rest = []
        for fault in problem.errors:
            place = next((it for it in (fault.field, fault.field.split(".")[0]) if it in names), None)
            said = self.visit.renderer.fault(self.visit.look.language, fault.detail)
            if place is None:
                rest.append(f"{fault.field} {said}")
            else:
                self.faults.setdefault(place, said)
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
            rest += [f"{use.kind} {use.id}" for use in problem.uses]
        self.problem = "; ".join(rest)
