"""The REST part of a fake Asterisk: requests in, answers out, as ARI of 22.10 words them."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from controller.ari.fake.objects import FakeBridge, FakeChannel, FakeRecording, Json
from controller.ari.fake.switch import NO_CHANNEL, NOT_IN_STASIS, Refusal, Switch, timestamp

_FORMATS = {"alaw", "ulaw", "wav", "sln", "gsm", "g722"}
_STATES_WITHOUT_SOUND = ("Down", "Rsrved", "Ringing")
_PACKETS_PER_SECOND = 50
_TECHNOLOGIES = ("PJSIP/", "Local/")

_NO_PLAYBACK = (404, "Playback not found")
_NO_RECORDING = (404, "Recording not found")
_NO_BRIDGE = (404, "Bridge not found")
_NO_APPLICATION = (404, "Application not found")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, `at` on the loop's clock. `operation` is the name in ARI's own documents."""

    operation: str
    method: str
    uri: str
    parameters: Mapping[str, str]
    body: Json
    at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: JSON, nothing, or (over HTTP only) the bytes of a file."""

    status: int
    body: Any = None
    content: bytes | None = None
    content_type: str = "application/json"

    @property
    def reason(self) -> str:
        return HTTPStatus(self.status).phrase


_DONE = Answer(204)


def refused(status: int, message: str) -> Answer:
    """An error in ARI's form."""
    return Answer(status, {"message": message})


@dataclass
class FakeApplication:
    """A Stasis application; it lives on without a socket for as long as it has channels."""

    name: str
    disallowed: list[Json] = field(default_factory=list)
    allowed: list[Json] = field(default_factory=list)

    def wants(self, kind: str) -> bool:
        if any(entry.get("type") == kind for entry in self.disallowed):
            return False
        return not self.allowed or any(entry.get("type") == kind for entry in self.allowed)


Handler = Callable[[Request, list[str]], Answer]


class Rest:
    """The operations that controller.ari.resources uses."""

    def __init__(
        self,
        switch: Switch,
        applications: dict[str, FakeApplication],
        endpoints: Mapping[str, str],
        now: Callable[[], datetime],
        publish: Callable[[Iterable[str], str, Json], None],
        entity_id: str,
    ) -> None:
        self._publish = publish
        self._entity_id = entity_id
        self.startup_time = timestamp(now())
        self.global_variables: dict[str, str] = {}
        self.objects: dict[tuple[str, ...], dict[str, str]] = {}
        """Configuration put in over ARI, by module, kind and name."""
        self._switch = switch
        self._media = switch.media
        self._applications = applications
        self._endpoints = endpoints
        self._now = now
        routes: list[tuple[str, str, str, Handler]] = [
            ("asterisk.getInfo", "GET", "asterisk/info", self._info),
            ("asterisk.ping", "GET", "asterisk/ping", self._ping),
            ("asterisk.setGlobalVar", "POST", "asterisk/variable", self._set_global_variable),
            ("applications.get", "GET", "applications/*", self._application),
            ("applications.filter", "PUT", "applications/*/eventFilter", self._filter),
            ("asterisk.updateObject", "PUT", "asterisk/config/dynamic/*/*/*", self._put_object),
            ("asterisk.deleteObject", "DELETE", "asterisk/config/dynamic/*/*/*", self._delete_object),
            ("endpoints.listByTech", "GET", "endpoints/*", self._endpoints_of),
            ("events.user", "POST", "events/user/*", self._user_event),
            ("endpoints.get", "GET", "endpoints/*/*", self._endpoint),
            ("channels.list", "GET", "channels", self._channels),
            ("channels.create", "POST", "channels/create", self._create),
            ("channels.get", "GET", "channels/*", self._channel),
            ("channels.originate", "POST", "channels/*", self._originate),
            ("channels.hangup", "DELETE", "channels/*", self._hang_up),
            ("channels.dial", "POST", "channels/*/dial", self._dial),
            ("channels.answer", "POST", "channels/*/answer", self._acknowledge),
            ("channels.ring", "POST", "channels/*/ring", self._acknowledge),
            ("channels.ringStop", "DELETE", "channels/*/ring", self._acknowledge),
            ("channels.rtpstatistics", "GET", "channels/*/rtp_statistics", self._rtp_statistics),
            ("channels.setChannelVar", "POST", "channels/*/variable", self._set_variable),
            ("channels.getChannelVar", "GET", "channels/*/variable", self._variable),
            ("channels.play", "POST", "channels/*/play", self._play),
            ("playbacks.get", "GET", "playbacks/*", self._playback),
            ("playbacks.stop", "DELETE", "playbacks/*", self._stop_playback),
            ("bridges.list", "GET", "bridges", self._bridges),
            ("bridges.create", "POST", "bridges/*", self._make_bridge),
            ("bridges.destroy", "DELETE", "bridges/*", self._destroy_bridge),
            ("bridges.addChannel", "POST", "bridges/*/addChannel", self._add),
            ("bridges.removeChannel", "POST", "bridges/*/removeChannel", self._remove),
            ("bridges.play", "POST", "bridges/*/play", self._play_to_bridge),
            ("bridges.record", "POST", "bridges/*/record", self._record),
            ("recordings.getLive", "GET", "recordings/live/*", self._live),
            ("recordings.stop", "POST", "recordings/live/*/stop", self._stop_recording),
            ("recordings.getStored", "GET", "recordings/stored/*", self._stored),
            ("recordings.getStoredFile", "GET", "recordings/stored/*/file", self._stored_file),
            ("recordings.deleteStored", "DELETE", "recordings/stored/*", self._delete_stored),
        ]
        self._routes = [
            (operation, method, re.compile(pattern.replace("*", "([^/]+)")), handler)
            for operation, method, pattern, handler in routes
        ]

    def operation(self, method: str, uri: str) -> str:
        """The name of what is asked; "" for what ARI (or this fake) does not have."""
        found = self._route(method, uri)
        return found[0] if found else ""

    def _route(self, method: str, uri: str) -> tuple[str, Handler, list[str]] | None:
        for operation, its_method, pattern, handler in self._routes:
            found = pattern.fullmatch(uri)
            if its_method == method and found:
                return operation, handler, [unquote(part) for part in found.groups()]
        return None

    def answer(self, request: Request) -> Answer:
        """Do what is asked."""
        found = self._route(request.method, request.uri)
        if found is None:
            return refused(404, "Resource not found")
        try:
            return found[1](request, found[2])
        except Refusal as refusal:
            return refused(refusal.status, refusal.message)
        except ValueError:
            return refused(400, "Invalid parameter")

    # Asterisk, applications, endpoints

    def _info(self, _request: Request, _ids: list[str]) -> Answer:
        system = {"version": "22.10.1", "entity_id": self._entity_id}
        status = {"startup_time": self.startup_time, "last_reload_time": self.startup_time}
        return Answer(200, {"system": system, "config": {"name": "fake"}, "status": status})

    def _ping(self, _request: Request, _ids: list[str]) -> Answer:
        told = {"ping": "pong", "timestamp": timestamp(self._now()), "asterisk_id": self._entity_id}
        return Answer(200, told)

    def _user_event(self, request: Request, ids: list[str]) -> Answer:
        name = request.parameters.get("application", "")
        if name not in self._applications:
            raise Refusal(*_NO_APPLICATION)
        self._publish([name], "ChannelUserevent", {"eventname": ids[0], "userevent": {"eventname": ids[0]}})
        return _DONE

    def _set_global_variable(self, request: Request, _ids: list[str]) -> Answer:
        name = self._variable_name(request)
        self.global_variables[name] = request.parameters.get("value", "")
        return _DONE

    def _variable_name(self, request: Request) -> str:
        name = request.parameters.get("variable")
        if not name:
            raise Refusal(400, "Variable name is required")
        return name

    def _application(self, _request: Request, ids: list[str]) -> Answer:
        application = self._applications.get(ids[0])
        if application is None:
            raise Refusal(*_NO_APPLICATION)
        body = {
            "name": application.name,
            "channel_ids": [it.id for it in self._switch.channels.values() if it.app == application.name],
            "bridge_ids": [it.id for it in self._media.bridges.values() if application.name in it.apps],
            "endpoint_ids": [],
            "events_allowed": application.allowed,
            "events_disallowed": application.disallowed,
        }
        return Answer(200, body)

    def _filter(self, request: Request, ids: list[str]) -> Answer:
        application = self._applications.get(ids[0])
        if application is None:
            raise Refusal(*_NO_APPLICATION)
        lists = {name: request.body.get(name, []) for name in ("allowed", "disallowed")}
        if not all(isinstance(entries, list) for entries in lists.values()):
            raise Refusal(400, "Invalid format definition")
        application.allowed, application.disallowed = lists["allowed"], lists["disallowed"]
        return self._application(request, ids)

    def _endpoint(self, _request: Request, ids: list[str]) -> Answer:
        name = "/".join(ids)
        if name not in self._endpoints:
            raise Refusal(404, "Endpoint not found")
        technology, resource = ids
        using = [it.id for it in self._switch.channels.values() if it.name.startswith(f"{name}-")]
        body = {"technology": technology, "resource": resource, "state": self._endpoints[name]}
        return Answer(200, {**body, "channel_ids": using})

    def _endpoints_of(self, _request: Request, ids: list[str]) -> Answer:
        declared = [name.partition("/")[2] for name in self._endpoints if name.startswith(f"{ids[0]}/")]
        dynamic = [name for _module, kind, name in self.objects if kind == "endpoint"]
        return Answer(
            200, [{"technology": ids[0], "resource": name, "channel_ids": []} for name in declared + dynamic]
        )

    def _put_object(self, request: Request, ids: list[str]) -> Answer:
        fields = request.body.get("fields", [])
        self.objects[tuple(ids)] = {field["attribute"]: field["value"] for field in fields}
        return Answer(200, fields)

    def _delete_object(self, _request: Request, ids: list[str]) -> Answer:
        if self.objects.pop(tuple(ids), None) is None:
            raise Refusal(404, "Object not found")
        return _DONE

    # Channels

    def _channels(self, _request: Request, _ids: list[str]) -> Answer:
        return Answer(200, [channel.to_json() for channel in self._switch.channels.values()])

    def _channel(self, _request: Request, ids: list[str]) -> Answer:
        return Answer(200, self._switch.channel(ids[0]).to_json())

    def _create(self, request: Request, _ids: list[str]) -> Answer:
        channel = self._make(request, request.parameters.get("channelId", ""), originated=False)
        return Answer(200, channel.to_json())

    def _originate(self, request: Request, ids: list[str]) -> Answer:
        channel = self._make(request, ids[0], originated=True)
        timeout = request.parameters.get("timeout")
        self._switch.call(channel, None if timeout is None else float(timeout))
        return Answer(200, channel.to_json())

    def _make(self, request: Request, channel_id: str, *, originated: bool) -> FakeChannel:
        asked = request.parameters
        endpoint, app = asked.get("endpoint"), asked.get("app")
        if not endpoint:
            raise Refusal(400, "Endpoint must be specified")
        if not app:
            raise Refusal(400, "Application must be specified")
        # Asterisk has no better words for a technology that it doesn't know.
        if channel_id in self._switch.channels or not endpoint.startswith(_TECHNOLOGIES):
            raise Refusal(409, "Channel with given unique ID already exists")
        arguments = asked["appArgs"].split(",") if asked.get("appArgs") else []
        variables = dict(request.body.get("variables", {}))
        if caller_id := asked.get("callerId"):
            variables = {"CALLERID(num)": caller_id, "CONNECTEDLINE(num,i)": caller_id} | variables
        return self._switch.make(channel_id, endpoint, app, arguments, variables, originated=originated)

    def _dial(self, request: Request, ids: list[str]) -> Answer:
        timeout = request.parameters.get("timeout")
        self._switch.dial(self._switch.channel(ids[0]), None if timeout is None else float(timeout))
        return _DONE

    def _hang_up(self, request: Request, ids: list[str]) -> Answer:
        cause = request.parameters.get("reason_code")
        self._switch.hang_up(self._switch.channel(ids[0]), None if cause is None else int(cause))
        return _DONE

    def _acknowledge(self, _request: Request, ids: list[str]) -> Answer:
        self._controlled(ids[0])
        return _DONE

    def _controlled(self, channel_id: str) -> FakeChannel:
        channel = self._switch.channel(channel_id)
        if not channel.in_stasis:
            raise Refusal(*NOT_IN_STASIS)
        return channel

    def _rtp_statistics(self, request: Request, ids: list[str]) -> Answer:
        since = self._switch.channel(ids[0]).sounds_since
        received = 0 if since is None else 1 + int((request.at - since) * _PACKETS_PER_SECOND)
        return Answer(200, {"channel_uniqueid": ids[0], "rxcount": received, "txcount": 0})

    def _set_variable(self, request: Request, ids: list[str]) -> Answer:
        name = self._variable_name(request)
        channel = self._switch.channel(ids[0])
        self._switch.set_variable(channel, name, request.parameters.get("value", ""))
        return _DONE

    def _variable(self, request: Request, ids: list[str]) -> Answer:
        name = self._variable_name(request)
        value = self._switch.channel(ids[0]).variables.get(name)
        if value is None:
            raise Refusal(404, "Provided variable was not found")
        return Answer(200, {"value": value})

    # Playbacks

    def _play(self, request: Request, ids: list[str]) -> Answer:
        channel = self._controlled(ids[0])
        if channel.state in _STATES_WITHOUT_SOUND:
            raise Refusal(412, "Channel in invalid state")
        return self._play_to(channel, request)

    def _play_to_bridge(self, request: Request, ids: list[str]) -> Answer:
        return self._play_to(self._bridge(ids[0]), request)

    def _play_to(self, target: Any, request: Request) -> Answer:
        asked = request.parameters
        if not asked.get("media"):
            raise Refusal(500, "Failed to queue media for playback")
        playback_id, language = asked.get("playbackId", ""), asked.get("lang", "en")
        return Answer(201, self._media.play(target, asked["media"], playback_id, language).to_json())

    def _playback(self, _request: Request, ids: list[str]) -> Answer:
        found = self._media.playbacks.get(ids[0])
        if found is None:
            raise Refusal(*_NO_PLAYBACK)
        return Answer(200, found.to_json())

    def _stop_playback(self, _request: Request, ids: list[str]) -> Answer:
        found = self._media.playbacks.get(ids[0])
        if found is None:
            raise Refusal(*_NO_PLAYBACK)
        self._media.stop_playback(found)
        return _DONE

    # Bridges

    def _bridge(self, bridge_id: str) -> FakeBridge:
        found = self._media.bridges.get(bridge_id)
        if found is None:
            raise Refusal(*_NO_BRIDGE)
        return found

    def _bridges(self, _request: Request, _ids: list[str]) -> Answer:
        return Answer(200, [bridge.to_json() for bridge in self._media.bridges.values()])

    def _make_bridge(self, request: Request, ids: list[str]) -> Answer:
        if ids[0] in self._media.bridges:
            raise Refusal(409, f"Bridge with id '{ids[0]}' already exists")
        kind = request.parameters.get("type", "mixing")
        return Answer(200, self._media.make_bridge(ids[0], kind, timestamp(self._now())).to_json())

    def _destroy_bridge(self, _request: Request, ids: list[str]) -> Answer:
        self._media.destroy_bridge(self._bridge(ids[0]))
        return _DONE

    def _add(self, request: Request, ids: list[str]) -> Answer:
        bridge = self._bridge(ids[0])
        wanted = request.parameters.get("channel", "").split(",")
        channels = [self._switch.channels[channel] for channel in wanted if channel in self._switch.channels]
        if len(channels) < len(wanted):
            raise Refusal(400, NO_CHANNEL[1])
        if not all(channel.in_stasis for channel in channels):
            raise Refusal(*NOT_IN_STASIS)
        for channel in channels:
            self._media.add(bridge, channel)
        return _DONE

    def _remove(self, request: Request, ids: list[str]) -> Answer:
        bridge = self._bridge(ids[0])
        channel = self._switch.channels.get(request.parameters.get("channel", ""))
        if channel is None:
            raise Refusal(400, NO_CHANNEL[1])
        if channel.bridge is not bridge:
            raise Refusal(422, "Channel not in this bridge")
        self._media.remove(channel)
        return _DONE

    # Recordings

    def _record(self, request: Request, ids: list[str]) -> Answer:
        bridge = self._bridge(ids[0])
        name, audio_format = request.parameters.get("name", ""), request.parameters.get("format", "")
        if name in self._media.recordings or name in self._media.stored:
            raise Refusal(409, f"Recording '{name}' already exists and can not be overwritten")
        if audio_format not in _FORMATS:
            raise Refusal(422, "specified format is unknown on this system")
        return Answer(201, self._media.record(bridge, name, audio_format).to_json())

    def _recording(self, name: str) -> FakeRecording:
        found = self._media.recordings.get(name)
        if found is None:
            raise Refusal(*_NO_RECORDING)
        return found

    def _live(self, _request: Request, ids: list[str]) -> Answer:
        return Answer(200, self._recording(ids[0]).to_json())

    def _stop_recording(self, _request: Request, ids: list[str]) -> Answer:
        self._media.stop_recording(self._recording(ids[0]))
        return _DONE

    def _stored(self, _request: Request, ids: list[str]) -> Answer:
        audio_format, _content = self._stored_recording(ids[0])
        return Answer(200, {"name": ids[0], "format": audio_format})

    def _stored_recording(self, name: str) -> tuple[str, bytes]:
        if name not in self._media.stored:
            raise Refusal(*_NO_RECORDING)
        return self._media.stored[name]

    def _stored_file(self, _request: Request, ids: list[str]) -> Answer:
        audio_format, content = self._stored_recording(ids[0])
        return Answer(200, content=content, content_type=f"audio/{audio_format}")

    def _delete_stored(self, _request: Request, ids: list[str]) -> Answer:
        if self._media.stored.pop(ids[0], None) is None:
            raise Refusal(*_NO_RECORDING)
        return _DONE
