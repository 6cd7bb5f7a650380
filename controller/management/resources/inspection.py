"""Quality inspection: the operator listens to recordings that were drawn for it, with the app's consent.

A recording is drawn at random when its call is asked for; both parties hear a tone of its own then.
"""

from typing import Any

from sqlalchemy import Select, select
from sqlmodel import Session, col

from controller.management.context import Context
from controller.management.models import AccountQuery, Moment, Page, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import NotFound
from controller.management.resources.recordings import RecordingLink
from controller.management.roles import Role, Scope
from controller.recordings.download import recording_location
from controller.recordings.errors import RecordingNotReady, RecordingUnknown
from controller.store.recordings import KEPT
from controller.store.tables import App, Call, Recording

operations = Operations(
    "inspection",
    {RecordingNotReady: lambda _error: NotFound(), RecordingUnknown: lambda _error: NotFound()},
)


def _drawn() -> Select[Any]:
    """Recordings that are there and were drawn, of apps that consent still."""
    return (
        select(Recording)
        .join(Call, col(Call.id) == col(Recording.call_id))
        .join(App, col(App.key) == col(Call.app_key))
        .where(
            col(Recording.inspected),
            col(App.quality_inspection),
            col(Recording.state).in_(sorted(KEPT)),
        )
    )


def _find(session: Session, call_id: str) -> Owner | None:
    found = session.execute(_drawn().where(col(Recording.call_id) == call_id)).scalar_one_or_none()
    return None if found is None else Owner(found.account_id)


INSPECTED = Kind(
    "inspected recording",
    "inspected_id",
    "The call whose recording was drawn: what its sessionId has before the @.",
    _find,
    r"^[A-Za-z0-9_]{1,64}$",
)


class InspectionView(View):
    """A recording that was drawn for quality inspection."""

    call_id: str
    """Of which call."""
    account_id: str
    """Whose it is."""
    started_at: Moment
    """When it began."""
    seconds: float
    """How long it is."""
    purge_at: Moment | None
    """When its file goes."""


@operations.get("/inspection/recordings", needs=Role.OPERATOR, scope=Scope.OPERATOR)
async def list_inspection(ctx: Context, query: AccountQuery) -> Page[InspectionView]:
    """List the recordings that were drawn for quality inspection, those that began last first."""
    statement = _drawn()
    if query.account_id is not None:
        statement = statement.where(col(Recording.account_id) == query.account_id)
    fields = set(InspectionView.model_fields)
    return await ctx.page(
        statement,
        [col(Recording.started_at), col(Recording.call_id)],
        query,
        lambda row: InspectionView(**row.model_dump(include=fields)),
        descending=True,
    )


@operations.post(
    "/inspection/recordings/{inspected_id}/link",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[INSPECTED],
)
async def inspect_recording(ctx: Context) -> RecordingLink:
    """Make a link that opens a drawn recording for a while.

    The audit trail says who had one, the account's own too.
    """
    recording = await ctx.read(lambda session: session.get_one(Recording, ctx.path["inspected_id"]))
    services = ctx.services
    location = await recording_location(
        services.database, services.details.signer, recording.account_id, recording.name
    )
    # The link itself would open the recording for whoever reads the trail.
    await ctx.note("recording", recording.call_id, account_id=recording.account_id)
    return RecordingLink(location=location)
