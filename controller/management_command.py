"""`voicecall account`, `user`, `app`, `trunk` and others: the management API's operations as commands.

A command is made of the operation's declaration: what its path names are arguments, the fields of its body or
query are options.
"""

import inspect
import json
import mimetypes
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from controller.command import ConfigOption, JsonOption, failure, read_settings, show, with_database
from controller.management.catalogue import OPERATIONS
from controller.management.local import LocalDesk
from controller.management.models import Page
from controller.management.operations import Operation, Upload
from controller.management.problems import Problem
from controller.settings import Settings
from controller.store.database import Database

_NOT_OPTIONS = {"limit", "cursor"}
_STANDARD_INPUT = "-"
_FILE = "file"
_SECRETS = {"password", "webhook_secret"}


@dataclass(frozen=True)
class Group:
    """Commands about one kind of resource; `columns` are what lists show of each."""

    commands: Mapping[str, str]
    """Name of the command -> name of the operation."""
    columns: Sequence[str]


GROUPS = {
    "account": Group(
        {
            "list": "list_accounts",
            "show": "get_account",
            "create": "create_account",
            "edit": "edit_account",
        },
        ("id", "name", "active", "max_calls", "calls_per_second", "max_apps"),
    ),
    "user": Group(
        {"list": "list_users", "show": "get_user", "create": "create_user", "edit": "edit_user"},
        ("id", "login", "name", "role", "account_id", "active"),
    ),
    "app": Group(
        {
            "list": "list_applications",
            "show": "get_application",
            "create": "create_application",
            "edit": "edit_application",
            "renew-secret": "renew_secret",
            "webhook-secret": "renew_webhook_secret",
        },
        ("app_key", "account_id", "name", "service", "active", "max_calls", "bind_number"),
    ),
    "number": Group(
        {
            "list": "list_numbers",
            "show": "get_number",
            "create": "order_number",
            "edit": "edit_number",
            "allot": "allot_number",
            "suspend": "suspend_number",
            "resume": "resume_number",
            "release": "release_number",
        },
        ("number", "account_id", "state", "max_calls", "app_keys"),
    ),
    "trunk": Group(
        {
            "list": "list_trunks",
            "show": "get_trunk",
            "create": "create_trunk",
            "edit": "edit_trunk",
            "delete": "delete_trunk",
        },
        ("name", "host", "port", "user", "registers", "qualify_seconds"),
    ),
    "route": Group(
        {
            "list": "list_routes",
            "show": "get_route",
            "create": "create_route",
            "edit": "edit_route",
            "delete": "delete_route",
        },
        ("prefix", "trunks", "contact"),
    ),
    "node": Group({"drain": "drain_node", "resume": "resume_node"}, ("name", "draining")),
    "enterprise": Group(
        {
            "list": "list_enterprises",
            "show": "get_enterprise",
            "create": "create_enterprise",
            "edit": "edit_enterprise",
            "document": "put_enterprise_document",
            "submit": "submit_enterprise",
            "approve": "approve_enterprise",
            "reject": "reject_enterprise",
        },
        ("id", "account_id", "full_name", "state", "submitted_at", "reason"),
    ),
    "template": Group(
        {
            "list": "list_templates",
            "show": "get_template",
            "create": "create_template",
            "edit": "edit_template",
            "submit": "submit_template",
            "delete": "delete_template",
        },
        ("id", "name", "state", "usable", "variables", "text", "reason"),
    ),
    "contact": Group(
        {
            "list": "list_contacts",
            "show": "get_contact",
            "create": "create_contact",
            "replace": "replace_contact",
            "delete": "delete_contact",
        },
        ("id", "account_id", "name", "email", "webhook_url", "signed"),
    ),
    "notice": Group(
        {"list": "list_notices"},
        (
            "created_at",
            "account_id",
            "contact_id",
            "channel",
            "event",
            "delivered_at",
            "given_up_at",
            "error",
        ),
    ),
}


def command_group(name: str) -> typer.Typer:
    """The commands of this group."""
    operations = {operation.name: operation for operation in OPERATIONS}
    group, made = GROUPS[name], typer.Typer()
    for command, operation in group.commands.items():
        declared = operations[operation]
        made.command(command, help=declared.summary)(_command(declared, group.columns))
    return made


def _command(operation: Operation, columns: Sequence[str]) -> Callable[..., None]:
    fields = _fields(operation)

    parameters = list(_parameters(operation))

    def command(**given: Any) -> None:
        settings, as_json = read_settings(given.pop("config")), given.pop("as_json")
        path = {kind.parameter: given.pop(kind.parameter) for kind in operation.kinds}
        upload = _read_file(given.pop(_FILE), operation) if operation.body is Upload else None
        values = {
            name: _value(name, fields[name], value)
            for name, value in given.items()
            if value not in (None, [])
        }
        answer = with_database(
            settings, lambda database: _run(settings, database, operation, path, values, upload)
        )
        if isinstance(answer, list):
            rows = [row.model_dump(mode="json") for row in answer]
            show(
                rows if as_json else ({name: row[name] for name in columns} for row in rows), as_json=as_json
            )
        else:
            _show_one(answer, as_json=as_json)

    # What Typer makes arguments and options of.
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {it.name: it.annotation for it in parameters}
    return command


async def _run(
    settings: Settings,
    database: Database,
    operation: Operation,
    path: Mapping[str, str],
    values: Mapping[str, Any],
    upload: Upload | None,
) -> Any:
    desk = LocalDesk(settings, database)
    try:
        if isinstance(operation.answer, type) and issubclass(operation.answer, Page):
            return await desk.every(operation, values)
        if upload is not None:
            return await desk.run(operation, path, upload, values)
        return await desk.run(operation, path, values)
    except Problem as problem:
        uses = "".join(f"\n  used by {use.kind} {use.id}" for use in problem.uses)
        raise failure(problem.detail + uses) from None


def _read_file(path: Path, operation: Operation) -> Upload:
    media_type = mimetypes.guess_type(path.name)[0] or ""
    if media_type not in operation.media_types:
        raise failure(f"{path} must be {' or '.join(operation.media_types)}")
    try:
        if path.stat().st_size > operation.max_body:
            raise failure(f"{path} may have {operation.max_body} bytes at most")
        return Upload(path.read_bytes(), media_type)
    except OSError as error:
        raise failure(f"{path}: {error.strerror}") from None


def _show_one(answer: BaseModel | None, *, as_json: bool) -> None:
    if answer is None:
        return
    if as_json:
        typer.echo(answer.model_dump_json(indent=2))
    else:
        told = answer.model_dump(mode="json")
        show(({"field": name, "value": value} for name, value in told.items()), as_json=False)


def _fields(operation: Operation) -> dict[str, FieldInfo]:
    """The fields of all that can be given."""
    model = operation.query if operation.body is Upload else operation.body or operation.query
    if model is None or not issubclass(model, BaseModel):
        return {}
    return {name: it for name, it in model.model_fields.items() if name not in _NOT_OPTIONS}


def _parameters(operation: Operation) -> Iterator[inspect.Parameter]:
    for kind in operation.kinds:
        yield _parameter(kind.parameter, Annotated[str, typer.Argument(help=kind.description)])
    if operation.body is Upload:
        yield _parameter(_FILE, Annotated[Path, typer.Argument(help="The file.")])
    for name, field in _fields(operation).items():
        text = " ".join((field.description or "").split())
        if _is_secret(name):
            text += f" {_STANDARD_INPUT} has it read from standard input."
        kinds = _alternatives(field.annotation)
        option = typer.Option(f"--{name.replace('_', '-')}", help=text, metavar=_metavar(kinds))
        yield _parameter(name, Annotated[list[str] | None if list in kinds else str | None, option], None)
    yield _parameter("as_json", JsonOption, False)
    yield _parameter("config", ConfigOption, None)


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _value(name: str, field: FieldInfo, given: str | list[str]) -> Any:
    """What an option says, as JSON has it."""
    kinds = _alternatives(field.annotation)
    if isinstance(given, list):
        return [text for text in given if text]
    if given == "null" and type(None) in kinds:
        return None
    if given == _STANDARD_INPUT and _is_secret(name):
        return sys.stdin.readline().rstrip("\n")
    if any(issubclass(kind, str | SecretStr) for kind in kinds):
        return given
    try:
        return json.loads(given)
    except ValueError:
        # What it should be is said where it is checked.
        return given


def _is_secret(name: str) -> bool:
    return name in _SECRETS


def _alternatives(annotation: Any) -> list[type]:
    """The types that an annotation allows, without what is said of them."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in _alternatives(part)]
    return [get_origin(annotation) or annotation]


def _metavar(kinds: Sequence[type]) -> str:
    """What an option's value looks like; of lists: one of them."""
    for kind in kinds:
        if issubclass(kind, Enum):
            return "|".join(kind)
    if bool in kinds:
        return "true|false"
    if int in kinds:
        return "NUMBER"
    return "TEXT" if str in kinds or list in kinds else "JSON"
