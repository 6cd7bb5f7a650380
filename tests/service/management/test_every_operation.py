"""Every operation that is declared, whoever declared it: who gets what, and what they learn.

A new operation is tested here by being declared; a new kind of thing needs a specimen (specimens.py).
"""

import dataclasses
import io
from typing import Any

import numpy
import pytest
import soundfile
from service.management.specimens import MISSING, SPECIMENS
from service.management.world import ALPHA, BETA, OPERATOR, Reply, World, named
from sqlalchemy import func, select
from sqlmodel import Session, col

from controller.management.catalogue import OPERATIONS
from controller.management.operations import PREFIX, Operation, Stream, Upload
from controller.management.roles import Role, Scope
from controller.store.management_tables import AuditEntry
from controller.store.tables import Account

pytestmark = [pytest.mark.requirement("C1"), pytest.mark.asyncio(loop_scope="module")]

CLOSED = [operation for operation in OPERATIONS if operation.scope is not Scope.OPEN]
ABOUT_ACCOUNTS = [operation for operation in CLOSED if operation.scope is Scope.ACCOUNT]
OF_THE_OPERATOR = [operation for operation in CLOSED if operation.scope is Scope.OPERATOR]
OF_ONE_USER = [operation for operation in CLOSED if operation.scope is Scope.OWN and operation.kinds]
WITH_THINGS = [operation for operation in ABOUT_ACCOUNTS if operation.kinds]
WITHOUT_THINGS = [operation for operation in ABOUT_ACCOUNTS if not operation.kinds]

every = pytest.mark.parametrize


async def specimen(world: World, operation: Operation) -> dict[str, str]:
    """New things of alpha's, for each parameter of the operation's path."""
    ids: dict[str, str] = {}
    for kind in operation.kinds:
        made = await world.write(lambda session, kind=kind: SPECIMENS[kind.parameter](session))
        ids[kind.parameter] = made
    return ids


async def send(
    world: World,
    operation: Operation,
    ids: dict[str, str],
    *,
    account: str | None = None,
    **who: Any,
) -> Reply:
    """Send what the operation's example is, to the things with these ids."""
    path = operation.path.format(**ids)
    body: Any = None
    headers = {"If-Match": "*"} if operation.locked else {}
    if operation.body in (Upload, Stream):
        body = b"no file"
        headers["Content-Type"] = operation.media_types[0]
    elif operation.example is not None:
        body = dict(operation.example)
        if "account_id" in getattr(operation.body, "model_fields", {}):
            body["account_id"] = account
    if not isinstance(body, dict) and account is not None:
        path += f"?account_id={account}"
    return await world.ask(operation.method, path, body, headers=headers, **who)


async def refused_upload(world: World) -> str:
    """Names a file of alpha's that was refused and can be converted."""
    sound = io.BytesIO()
    soundfile.write(sound, numpy.zeros(16_000), 16_000, format="WAV")
    refused = await world.ask(
        "POST",
        f"/sounds?account_id={ALPHA}&name=hello.wav&keep=true",
        sound.getvalue(),
        headers={"Content-Type": "application/octet-stream"},
    )
    assert refused.status == 422, refused.text
    return str(refused.body["uses"][0]["id"])


def same(one: Reply, other: Reply) -> bool:
    """Whether both say the same, but for what every answer has of its own."""

    def told(reply: Reply) -> dict[str, Any]:
        return {name: value for name, value in reply.body.items() if name != "request_id"}

    return one.status == other.status and told(one) == told(other)


def absent(operation: Operation) -> dict[str, str]:
    """Ids of things that there are not."""
    return {kind.parameter: MISSING.get(kind.parameter, "none0") for kind in operation.kinds}


async def done(world: World) -> int:
    """How much was done so far, as the audit trail has it."""

    def count(session: Session) -> int:
        statement = select(func.count()).select_from(AuditEntry).where(col(AuditEntry.outcome) == "done")
        return session.execute(statement).scalar_one()

    return await world.read(count)


async def test_C9_given_every_kind_of_thing_when_tenancy_is_tested_then_there_is_a_specimen_of_it() -> None:
    parameters = {kind.parameter for operation in OPERATIONS for kind in operation.kinds}

    assert parameters <= set(SPECIMENS), "specimens.py has none of these"


@every("operation", CLOSED, ids=named)
async def test_C1_given_no_credentials_when_asked_for_then_401(shared: World, operation: Operation) -> None:
    ids = await specimen(shared, operation)
    before = await done(shared)

    there = await send(shared, operation, ids, account=ALPHA, role=None)
    nowhere = await send(shared, operation, absent(operation), account=ALPHA, role=None)

    assert there.status == 401
    assert there.headers["WWW-Authenticate"].startswith("Bearer")
    assert same(there, nowhere)
    assert await done(shared) == before


@every("operation", CLOSED, ids=named)
async def test_C1_given_a_role_that_may_not_when_asked_for_then_403(
    shared: World, operation: Operation
) -> None:
    ids = await specimen(shared, operation)
    before = await done(shared)
    lower = [role for role in Role if not role.covers(operation.needs)]

    replies = [await send(shared, operation, ids, account=ALPHA, role=role, of=ALPHA) for role in lower]

    assert [reply.status for reply in replies] == [403] * len(lower)
    assert {reply.slug for reply in replies} <= {"forbidden"}
    assert await done(shared) == before


@every("operation", OF_THE_OPERATOR, ids=named)
async def test_C1_given_an_operation_of_the_operator_when_a_tenant_asks_then_403_whatever_there_is(
    shared: World, operation: Operation
) -> None:
    ids = await specimen(shared, operation)
    before = await done(shared)

    there = await send(shared, operation, ids, role=Role.ADMINISTRATOR, of=BETA)
    nowhere = await send(shared, operation, absent(operation), role=Role.ADMINISTRATOR, of=BETA)

    assert there.status == 403
    assert same(there, nowhere)
    assert await done(shared) == before


@every("operation", WITH_THINGS, ids=named)
async def test_C1_given_a_thing_of_another_account_when_asked_for_then_404_as_if_there_were_none(
    shared: World, operation: Operation
) -> None:
    ids = await specimen(shared, operation)
    before = await done(shared)

    there = await send(shared, operation, ids, role=Role.ADMINISTRATOR, of=BETA)
    nowhere = await send(shared, operation, absent(operation), role=Role.ADMINISTRATOR, of=BETA)

    assert (there.status, there.slug) == (404, "not-found")
    assert same(there, nowhere)
    assert await done(shared) == before


@every("operation", OF_ONE_USER, ids=named)
async def test_C1_given_a_thing_of_another_user_when_asked_for_then_404_as_if_there_were_none(
    shared: World, operation: Operation
) -> None:
    ids = await specimen(shared, operation)

    nowhere = await send(shared, operation, absent(operation), role=Role.ADMINISTRATOR, of=BETA)
    for account in (ALPHA, BETA, OPERATOR):
        there = await send(shared, operation, ids, role=Role.OPERATOR, of=account)
        assert there.status == 404
        assert same(there, nowhere)


@every("operation", WITHOUT_THINGS, ids=named)
async def test_C1_given_another_account_when_named_then_404_as_if_there_were_none(
    shared: World, operation: Operation
) -> None:
    before = await done(shared)

    there = await send(shared, operation, {}, account=ALPHA, role=Role.ADMINISTRATOR, of=BETA)
    nowhere = await send(shared, operation, {}, account="nowhere", role=Role.ADMINISTRATOR, of=BETA)

    assert there.status == 404
    assert same(there, nowhere)
    assert await done(shared) == before


@every("operation", [it for it in WITHOUT_THINGS if it.is_safe], ids=named)
async def test_C1_given_things_of_another_account_when_listed_then_none_of_them_is_there(
    shared: World, operation: Operation
) -> None:
    # A node is nobody's: the trail may name it to those who tried to drain it.
    makers = [make for name, make in SPECIMENS.items() if name != "node_name"]
    ids = [await shared.write(make) for make in makers]
    ids = [f'"account_id": "{ALPHA}"' if it == ALPHA else it for it in ids]

    own = await send(shared, operation, {}, role=Role.ADMINISTRATOR, of=BETA)
    everybodys = await send(shared, operation, {}, role=Role.ADMINISTRATOR)

    assert own.status == 200, own.text
    assert everybodys.status == 200, everybodys.text
    assert [it for it in ids if it in own.text] == []


@every("operation", CLOSED, ids=named)
async def test_C9_given_an_operations_example_when_sent_by_one_who_may_then_it_is_not_refused_for_who_asks(
    shared: World, operation: Operation
) -> None:
    ids = await specimen(shared, operation)
    if operation.example is not None and "upload" in operation.example:
        example = {**operation.example, "upload": await refused_upload(shared)}
        operation = dataclasses.replace(operation, example=example)

    reply = await send(
        shared,
        operation,
        ids,
        account=None if operation.scope is Scope.OWN else ALPHA,
        of=ALPHA if operation.scope is Scope.OWN else OPERATOR,
    )

    assert reply.status not in {401, 403, 404}, reply.text
    assert reply.status < 500, reply.text


async def test_C9_given_an_address_below_the_prefix_that_is_none_when_asked_for_then_a_problem(
    shared: World,
) -> None:
    nowhere = await shared.ask("GET", "/nowhere", role=None)
    wrong_method = await shared.ask("DELETE", "/accounts", role=None)

    assert (nowhere.status, nowhere.slug) == (404, "not-found")
    assert (wrong_method.status, wrong_method.slug) == (405, "method-not-allowed")
    assert wrong_method.headers["Allow"] == "GET, POST"
    assert PREFIX == "/api/v1"
    assert await shared.read(lambda session: session.get(Account, ALPHA)) is not None
