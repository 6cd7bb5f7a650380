"""Recordings of calls: which there are, and links that open them."""

from sqlalchemy import select
from sqlmodel import col

from controller.management.context import Context
from controller.management.models import AccountQuery, Moment, Page, View
from controller.management.operations import Operations
from controller.management.problems import Conflict, NotFound
from controller.management.resources.calls import CALL
from controller.management.roles import Role
from controller.recordings.download import recording_location
from controller.recordings.errors import RecordingNotReady, RecordingUnknown
from controller.store.tables import Recording

operations = Operations(
    "recording",
    {RecordingNotReady: lambda error: Conflict(str(error)), RecordingUnknown: lambda _error: NotFound()},
)


class RecordingView(View):
    """A recording of a call."""

    call_id: str
    """Of which call."""
    account_id: str
    """Whose it is."""
    name: str
    """Its file."""
    state: str
    """pending, fetched, stored, purged, failed, discard or discarded."""
    started_at: Moment
    """When it began."""
    seconds: float
    """How long it is; 0 while it is not fetched."""
    purge_at: Moment | None
    """When its file goes."""


class RecordingLink(View):
    """What opens a recording for a while, without a login."""

    location: str
    """Path and query on this host."""


@operations.get("/recordings", needs=Role.VIEWER)
async def list_recordings(ctx: Context, query: AccountQuery) -> Page[RecordingView]:
    """List recordings, those that began last first."""
    fields = set(RecordingView.model_fields)
    return await ctx.page(
        select(Recording),
        [col(Recording.started_at), col(Recording.call_id)],
        query,
        lambda row: RecordingView(**row.model_dump(include=fields)),
        account=col(Recording.account_id),
        descending=True,
    )


@operations.post("/calls/{call_id}/recording-link", needs=Role.DEVELOPER, kinds=[CALL], problems=[Conflict])
async def link_recording(ctx: Context) -> RecordingLink:
    """Make a link that opens the recording of a call for a while.

    The audit trail says who had one.
    """
    call_id = ctx.path["call_id"].partition("@")[0]
    recording = await ctx.read(lambda session: session.get(Recording, call_id))
    if recording is None:
        raise NotFound
    services = ctx.services
    signer = services.details.signer
    location = await recording_location(services.database, signer, recording.account_id, recording.name)
    # The link itself would open the recording for whoever reads the trail.
    await ctx.note("recording", call_id)
    return RecordingLink(location=location)
