"""The resources of ARI, by the names that its users know: channels, bridges, playbacks, recordings, ...

Ids are chosen by the caller: then a request whose answer was lost can be repeated, as a second one gets
`Conflict` and does nothing. Playbacks are the exception: a second one with the same id is played again.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from controller.ari.connection import Connection
from controller.ari.errors import NotFound
from controller.ari.models import (
    Application,
    AsteriskInfo,
    Bridge,
    Channel,
    Endpoint,
    LiveRecording,
    Playback,
    RtpStatistics,
    VariableValue,
)
from controller.ari.protocol import decode_body

Variables = Mapping[str, str | Mapping[str, Any]]
"""Name -> value, or -> {"value": ..., "report_events": True} to have it ride in the channel's events."""


def _id(value: str) -> str:
    return quote(value, safe="")


class _Resource:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection


class Channels(_Resource):
    """Legs: made, dialled, played to, hung up."""

    async def create(
        self,
        endpoint: str,
        *,
        channel_id: str,
        variables: Variables | None = None,
        originator: str | None = None,
        formats: str | None = None,
        app_args: str | None = None,
    ) -> Channel:
        """Make a channel without dialling it. `endpoint` is as in `PJSIP/100@trunk`."""
        body = await self._connection.request(
            "channels.create",
            "POST",
            "channels/create",
            {
                "endpoint": endpoint,
                "app": self._connection.app,
                "appArgs": app_args,
                "channelId": channel_id,
                "originator": originator,
                "formats": None if originator else formats,
            },
            {"variables": dict(variables)} if variables else None,
        )
        return decode_body(body, Channel)

    async def originate(
        self,
        endpoint: str,
        *,
        channel_id: str,
        timeout: int,
        caller_id: str | None = None,
        variables: Variables | None = None,
        formats: str | None = None,
    ) -> Channel:
        """Make a channel and dial it; it enters the application when it is answered. `timeout` in seconds.

        The far end is shown `caller_id`, which is the channel's own caller id too.

        Costs Asterisk far less than `create` and `dial`; those are for a channel that must be heard, or be
        in a bridge, before the answer.
        """
        body = await self._connection.request(
            "channels.originate",
            "POST",
            f"channels/{_id(channel_id)}",
            {
                "endpoint": endpoint,
                "app": self._connection.app,
                "timeout": timeout,
                "callerId": caller_id,
                "formats": formats,
            },
            {"variables": dict(variables)} if variables else None,
        )
        return decode_body(body, Channel)

    async def dial(self, channel_id: str, *, timeout: int | None = None, caller: str | None = None) -> None:
        """Dial a created channel; `timeout` in seconds. Its progress arrives as `Dial` events."""
        await self._connection.request(
            "channels.dial",
            "POST",
            f"channels/{_id(channel_id)}/dial",
            {"timeout": timeout, "caller": caller},
        )

    async def get(self, channel_id: str) -> Channel:
        """One channel. Raises NotFound."""
        return decode_body(
            await self._connection.request("channels.get", "GET", f"channels/{_id(channel_id)}"), Channel
        )

    async def list(self) -> list[Channel]:
        """All channels of this Asterisk, of whatever application."""
        return decode_body(await self._connection.request("channels.list", "GET", "channels"), list[Channel])

    async def play(
        self,
        channel_id: str,
        media: str,
        *,
        playback_id: str,
        language: str | None = None,
        offset_ms: int | None = None,
    ) -> None:
        """Play `sound:...`, `tone:...` or `recording:...`; its end arrives as `PlaybackFinished`.

        `offset_ms` is where in it to begin.
        """
        await self._connection.request(
            "channels.play",
            "POST",
            f"channels/{_id(channel_id)}/play",
            {"media": media, "playbackId": playback_id, "lang": language, "offsetms": offset_ms},
        )

    async def ring(self, channel_id: str) -> None:
        """Tell the far end that it rings."""
        await self._connection.request("channels.ring", "POST", f"channels/{_id(channel_id)}/ring")

    async def stop_ringing(self, channel_id: str) -> None:
        """Take back `ring`."""
        await self._connection.request("channels.ringStop", "DELETE", f"channels/{_id(channel_id)}/ring")

    async def answer(self, channel_id: str) -> None:
        """Answer an incoming channel."""
        await self._connection.request("channels.answer", "POST", f"channels/{_id(channel_id)}/answer")

    async def hang_up(self, channel_id: str, *, cause: int | None = None) -> None:
        """Hang up with a cause of Q.850 (16 if None). Raises NotFound when it is gone already."""
        await self._connection.request(
            "channels.hangup", "DELETE", f"channels/{_id(channel_id)}", {"reason_code": cause}
        )

    async def rtp_statistics(self, channel_id: str) -> RtpStatistics:
        """Packets received and sent so far. Raises NotFound for channels without RTP."""
        body = await self._connection.request(
            "channels.rtpstatistics", "GET", f"channels/{_id(channel_id)}/rtp_statistics"
        )
        return decode_body(body, RtpStatistics)

    async def set_variable(self, channel_id: str, name: str, value: str) -> None:
        """Set a channel variable or function such as `CALLERID(num)`."""
        await self._connection.request(
            "channels.setChannelVar",
            "POST",
            f"channels/{_id(channel_id)}/variable",
            {"variable": name, "value": value},
        )

    async def variable(self, channel_id: str, name: str) -> str:
        """The value of a channel variable or function. Raises NotFound for a variable that is not set."""
        body = await self._connection.request(
            "channels.getChannelVar", "GET", f"channels/{_id(channel_id)}/variable", {"variable": name}
        )
        return decode_body(body, VariableValue).value


class Bridges(_Resource):
    """What joins legs."""

    async def create(self, *, bridge_id: str, kind: str = "mixing") -> Bridge:
        """Make a bridge. Raises Conflict if there is one with this id."""
        body = await self._connection.request(
            "bridges.create", "POST", f"bridges/{_id(bridge_id)}", {"type": kind}
        )
        return decode_body(body, Bridge)

    async def list(self) -> list[Bridge]:
        """All bridges of this Asterisk."""
        return decode_body(await self._connection.request("bridges.list", "GET", "bridges"), list[Bridge])

    async def add_channels(self, bridge_id: str, *channel_ids: str) -> None:
        """Put channels into a bridge, none if one is missing; a created one may be put in before its dial."""
        await self._connection.request(
            "bridges.addChannel",
            "POST",
            f"bridges/{_id(bridge_id)}/addChannel",
            {"channel": ",".join(channel_ids)},
        )

    async def remove_channel(self, bridge_id: str, channel_id: str) -> None:
        """Take a channel out."""
        await self._connection.request(
            "bridges.removeChannel",
            "POST",
            f"bridges/{_id(bridge_id)}/removeChannel",
            {"channel": channel_id},
        )

    async def play(self, bridge_id: str, media: str, *, playback_id: str) -> None:
        """Play to all in the bridge."""
        await self._connection.request(
            "bridges.play",
            "POST",
            f"bridges/{_id(bridge_id)}/play",
            {"media": media, "playbackId": playback_id},
        )

    async def record(self, bridge_id: str, *, name: str, audio_format: str) -> LiveRecording:
        """Record all that is said in the bridge, both directions mixed."""
        body = await self._connection.request(
            "bridges.record",
            "POST",
            f"bridges/{_id(bridge_id)}/record",
            {"name": name, "format": audio_format, "ifExists": "fail", "beep": False},
        )
        return decode_body(body, LiveRecording)

    async def destroy(self, bridge_id: str) -> None:
        """End a bridge; its channels stay."""
        await self._connection.request("bridges.destroy", "DELETE", f"bridges/{_id(bridge_id)}")


class Playbacks(_Resource):
    """Prompts under way."""

    async def get(self, playback_id: str) -> Playback:
        """One playback. Raises NotFound once it is over."""
        return decode_body(
            await self._connection.request("playbacks.get", "GET", f"playbacks/{_id(playback_id)}"), Playback
        )

    async def stop(self, playback_id: str) -> None:
        """Stop playing. Raises NotFound once it is over."""
        await self._connection.request("playbacks.stop", "DELETE", f"playbacks/{_id(playback_id)}")


class Recordings(_Resource):
    """Recordings, live and stored."""

    async def get_live(self, name: str) -> LiveRecording:
        """A recording under way. Raises NotFound."""
        body = await self._connection.request("recordings.getLive", "GET", f"recordings/live/{_id(name)}")
        return decode_body(body, LiveRecording)

    async def exists(self, name: str) -> bool:
        """Whether there is a recording of this name, under way or stored."""
        for kind, operation in (("live", "recordings.getLive"), ("stored", "recordings.getStored")):
            try:
                await self._connection.request(operation, "GET", f"recordings/{kind}/{_id(name)}")
            except NotFound:
                continue
            return True
        return False

    async def stop(self, name: str) -> None:
        """End a recording and keep it."""
        await self._connection.request("recordings.stop", "POST", f"recordings/live/{_id(name)}/stop")

    def fetch(self, name: str, silence: float = 30.0) -> AsyncIterator[bytes]:
        """The bytes of a stored recording, in pieces, over HTTP; lost after so many seconds without any."""
        return self._connection.download(
            "recordings.getStoredFile", f"recordings/stored/{_id(name)}/file", silence
        )

    async def delete_stored(self, name: str) -> None:
        """Remove a stored recording from Asterisk."""
        await self._connection.request("recordings.deleteStored", "DELETE", f"recordings/stored/{_id(name)}")


class Endpoints(_Resource):
    """Phones and trunks as Asterisk knows them."""

    async def get(self, technology: str, resource: str) -> Endpoint:
        """One endpoint, such as ("PJSIP", "trunk-a"). Raises NotFound."""
        body = await self._connection.request(
            "endpoints.get", "GET", f"endpoints/{_id(technology)}/{_id(resource)}"
        )
        return decode_body(body, Endpoint)

    async def list(self, technology: str) -> list[Endpoint]:
        """All endpoints of a technology."""
        body = await self._connection.request("endpoints.listByTech", "GET", f"endpoints/{_id(technology)}")
        return decode_body(body, list[Endpoint])


class Asterisk(_Resource):
    """Asterisk itself."""

    async def info(self) -> AsteriskInfo:
        """Version and time of start."""
        return decode_body(
            await self._connection.request("asterisk.getInfo", "GET", "asterisk/info"), AsteriskInfo
        )

    async def set_global_variable(self, name: str, value: str) -> None:
        """Set a variable of the whole dialplan; it lasts until Asterisk ends."""
        await self._connection.request(
            "asterisk.setGlobalVar", "POST", "asterisk/variable", {"variable": name, "value": value}
        )

    async def put_object(self, module: str, kind: str, name: str, fields: Mapping[str, str]) -> None:
        """Make a configuration object, such as ("res_pjsip", "endpoint", "phone"), or replace one.

        Needs a place in sorcery.conf that can be written to. Raises ResponseError.
        """
        await self._connection.request(
            "asterisk.updateObject",
            "PUT",
            f"asterisk/config/dynamic/{_id(module)}/{_id(kind)}/{_id(name)}",
            body={
                "fields": [{"attribute": attribute, "value": value} for attribute, value in fields.items()]
            },
        )

    async def delete_object(self, module: str, kind: str, name: str) -> None:
        """Take a configuration object away. Raises NotFound."""
        await self._connection.request(
            "asterisk.deleteObject",
            "DELETE",
            f"asterisk/config/dynamic/{_id(module)}/{_id(kind)}/{_id(name)}",
        )

    async def ping(self) -> None:
        """Raises when Asterisk does not answer."""
        await self._connection.request("asterisk.ping", "GET", "asterisk/ping")


class Applications(_Resource):
    """Stasis applications, this one among them."""

    async def get(self) -> Application:
        """This application and what it is subscribed to."""
        body = await self._connection.request(
            "applications.get", "GET", f"applications/{_id(self._connection.app)}"
        )
        return decode_body(body, Application)

    async def subscribe(self, *sources: str) -> None:
        """Get the events of objects that other applications made, such as `channel:ID`. Raises NotFound."""
        await self._connection.request(
            "applications.subscribe",
            "POST",
            f"applications/{_id(self._connection.app)}/subscription",
            {"eventSource": ",".join(sources)},
        )

    async def take(self, app: str) -> None:
        """Take an application from whoever has it, who loses it for good. Raises AriError."""
        await self._connection.take(app)

    async def filter_events(self, *, disallowed: list[str]) -> None:
        """Have Asterisk not send these types of events at all."""
        await self._connection.request(
            "applications.filter",
            "PUT",
            f"applications/{_id(self._connection.app)}/eventFilter",
            body={"disallowed": [{"type": name} for name in disallowed]},
        )
