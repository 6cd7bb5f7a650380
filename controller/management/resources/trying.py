"""What one needs to try the wire API: proofs for requests, and the messages that tell of a call."""

import secrets
from typing import Any

from sqlmodel import Session

from controller.api.wire.authentication.digests import aksk_digest
from controller.calls.cdr import CallDetailRecord
from controller.calls.recovery import restored
from controller.details.steps import MASK
from controller.management.context import Context
from controller.management.models import Page, View
from controller.management.operations import Operations
from controller.management.problems import NotFound
from controller.management.resources.applications import APPLICATION
from controller.management.resources.calls import CALL
from controller.management.roles import Role
from controller.pushes.wire import fee_message, status_messages
from controller.store.call_detail import StoredCall, stored_call
from controller.store.tables import App

operations = Operations("trying")


class RequestProof(View):
    """Headers that prove one request to be from an application."""

    authorization: str
    """The header `Authorization`."""
    x_aksk: str
    """The header `X-AKSK`: good for one request, within minutes."""


class CallMessage(View):
    """A message that tells of a call."""

    event_type: str
    """What it tells."""
    message: dict[str, Any]
    """Its body, as it is pushed."""


@operations.post("/applications/{app_key}/proof", needs=Role.DEVELOPER, kinds=[APPLICATION])
async def prove_request(ctx: Context) -> RequestProof:
    """Make the headers of one request of an application, to try it out with.

    The secret stays here; what it signs is good for one request, within minutes. Whoever may ask for this may
    renew the secret as well. The request itself goes the way of all requests, with every check.
    """
    key = ctx.path["app_key"]
    nonce, created = secrets.token_hex(16), ctx.services.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    secret = await ctx.read(lambda session: session.get_one(App, key).secret)
    digest = aksk_digest(secret, nonce, created)
    await ctx.note("application", key)
    return RequestProof(
        authorization='AKSK realm="SDP",profile="UsernameToken",type="Appkey"',
        x_aksk=f'UsernameToken Username="{key}", PasswordDigest="{digest}", '
        f'Nonce="{nonce}", Created="{created}"',
    )


@operations.get("/calls/{call_id}/messages", needs=Role.VIEWER, kinds=[CALL])
async def list_call_messages(ctx: Context) -> Page[CallMessage]:
    """List the messages that tell of a call, in order, whether or not they have an address to go to."""
    name, account_id = ctx.path["call_id"], ctx.account_id

    def read(session: Session) -> StoredCall | None:
        return stored_call(session, name, account_id)

    stored = await ctx.read(read)
    if stored is None:
        raise NotFound
    settings = ctx.services.settings.details
    call = restored(stored.call, stored.entries, ctx.services.clock)
    messages = status_messages(call)
    if stored.record is not None:
        messages.append(fee_message([CallDetailRecord.from_json(stored.record)]))
    if settings.mask_digits:
        messages = [_masked(message) for message in messages]
    items = [CallMessage(event_type=message["eventType"], message=message) for message in messages]
    return Page[CallMessage](items=items, next=None)


def _masked(message: dict[str, Any]) -> dict[str, Any]:
    """Without the keys that were pressed, where details hide them."""
    if "digitInfo" in message.get("statusInfo", {}):
        info = message["statusInfo"]
        return {**message, "statusInfo": {**info, "digitInfo": MASK * len(info["digitInfo"])}}
    if "feeLst" in message:
        told = [
            {name: it for name, it in record.items() if name != "dynIVRPath"} for record in message["feeLst"]
        ]
        return {**message, "feeLst": told}
    return message
