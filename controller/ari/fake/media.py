"""Playbacks, bridges and recordings of a fake Asterisk."""

import asyncio
import math
from collections.abc import Callable, Iterable
from datetime import datetime

from controller.ari.fake.objects import FakeBridge, FakeChannel, FakePlayback, FakeRecording, Json, Target
from controller.ari.fake.phones import Sounds

_SILENCE = b"\xd5"
"""A-law."""

_RATE = 8000


class Media:
    """What channels hear and what is kept of it."""

    def __init__(
        self,
        publish: Callable[[Iterable[str], str, Json], None],
        sounds: Sounds,
        now: Callable[[], datetime],
    ) -> None:
        self.sounds = sounds
        self.bridges: dict[str, FakeBridge] = {}
        self.playbacks: dict[str, FakePlayback] = {}
        self.recordings: dict[str, FakeRecording] = {}
        self.stored: dict[str, tuple[str, bytes]] = {}
        """Name -> (format, content) of recordings that are complete."""
        self._publish = publish
        self._now = now

    # Playbacks

    def play(self, target: Target, media: str, playback_id: str, language: str) -> FakePlayback:
        """Queue a prompt, or several with commas between. A repeated id is no error: it is played again."""
        playback = FakePlayback(playback_id, media.split(","), target, language)
        target.playbacks.append(playback)
        self.playbacks[playback_id] = playback
        if len(target.playbacks) == 1:
            self._begin(playback)
        return playback

    def _begin(self, playback: FakePlayback) -> None:
        loop = asyncio.get_running_loop()
        playback.timer = loop.call_soon(self._started, playback)

    def _started(self, playback: FakePlayback) -> None:
        if playback.stopped:
            self._finish(playback, "done")
            return
        playback.state = "playing"
        self._tell(playback, "PlaybackStarted")
        length = self.sounds(playback.media[0])
        loop = asyncio.get_running_loop()
        if length is None:
            playback.timer = loop.call_later(0, self._go_on, playback, "failed")
        elif length != math.inf:
            playback.timer = loop.call_later(length, self._go_on, playback, "done")

    def _go_on(self, playback: FakePlayback, state: str) -> None:
        if len(playback.media) == 1:
            self._finish(playback, state)
            return
        playback.state = "continuing"
        self._tell(playback, "PlaybackContinuing")
        del playback.media[0]
        self._started(playback)

    def stop_playback(self, playback: FakePlayback) -> None:
        """End a prompt at once; one that waits for its turn ends when that comes."""
        if playback.state == "playing":
            self._finish(playback, "done")
        else:
            playback.stopped = True

    def _finish(self, playback: FakePlayback, state: str, *, go_on: bool = True) -> None:
        if playback.timer is not None:
            playback.timer.cancel()
        playback.state = state
        if self.playbacks.get(playback.id) is playback:
            del self.playbacks[playback.id]
        queue = playback.target.playbacks
        queue.remove(playback)
        self._tell(playback, "PlaybackFinished")
        if go_on and queue:
            self._begin(queue[0])

    def _silence(self, target: Target) -> None:
        """The target goes away: what plays has failed, what waits is never heard of again."""
        playing = [playback for playback in target.playbacks if playback.state == "playing"]
        for playback in target.playbacks[len(playing) :]:
            if playback.timer is not None:
                playback.timer.cancel()
            self.playbacks.pop(playback.id, None)
        del target.playbacks[len(playing) :]
        for playback in playing:
            self._finish(playback, "failed", go_on=False)

    # Bridges

    def make_bridge(self, bridge_id: str, kind: str, creationtime: str) -> FakeBridge:
        bridge = FakeBridge(bridge_id, kind, creationtime)
        self.bridges[bridge_id] = bridge
        return bridge

    def add(self, bridge: FakeBridge, channel: FakeChannel) -> None:
        """Put a channel into a bridge, out of the one it is in."""
        self.remove(channel)
        bridge.channels.append(channel)
        bridge.apps.add(channel.app)
        channel.bridge = bridge
        self._tell_bridge(bridge, "ChannelEnteredBridge", {"channel": channel.to_json()})

    def remove(self, channel: FakeChannel) -> None:
        """Take a channel out of its bridge, if it is in one."""
        bridge, channel.bridge = channel.bridge, None
        if bridge is not None:
            bridge.channels.remove(channel)
            self._tell_bridge(bridge, "ChannelLeftBridge", {"channel": channel.to_json()})

    def leave(self, channel: FakeChannel) -> None:
        """A channel ends."""
        self._silence(channel)
        self.remove(channel)

    def destroy_bridge(self, bridge: FakeBridge) -> None:
        """End a bridge. What was recorded is kept, but nobody is told so: that was seen."""
        self._silence(bridge)
        for channel in list(bridge.channels):
            self.remove(channel)
        del self.bridges[bridge.id]
        self._tell_bridge(bridge, "BridgeDestroyed", {})
        for recording in list(self.recordings.values()):
            if recording.target is bridge:
                self._store(recording)

    # Recordings

    def record(self, bridge: FakeBridge, name: str, audio_format: str) -> FakeRecording:
        loop = asyncio.get_running_loop()
        recording = FakeRecording(name, bridge, audio_format, loop.time())
        self.recordings[name] = recording
        loop.call_soon(self._recording_started, recording)
        return recording

    def _recording_started(self, recording: FakeRecording) -> None:
        if self.recordings.get(recording.name) is recording:
            recording.state = "recording"
            self._tell_recording(recording, "RecordingStarted")

    def stop_recording(self, recording: FakeRecording) -> None:
        """End a recording and keep it."""
        self._store(recording)
        self._tell_recording(recording, "RecordingFinished")

    def _store(self, recording: FakeRecording) -> None:
        seconds = asyncio.get_running_loop().time() - recording.started
        recording.state = "done"
        recording.duration = int(seconds)
        del self.recordings[recording.name]
        self.stored[recording.name] = (recording.format, _SILENCE * int(seconds * _RATE))

    def clear(self) -> None:
        """The process dies. Stored recordings are on disk and stay."""
        for playback in self.playbacks.values():
            if playback.timer is not None:
                playback.timer.cancel()
        self.bridges.clear()
        self.playbacks.clear()
        self.recordings.clear()

    # Telling

    def _tell(self, playback: FakePlayback, kind: str) -> None:
        self._publish(_apps(playback.target), kind, {"playback": playback.to_json()})

    def _tell_bridge(self, bridge: FakeBridge, kind: str, fields: Json) -> None:
        self._publish(sorted(bridge.apps), kind, {"bridge": bridge.to_json(), **fields})

    def _tell_recording(self, recording: FakeRecording, kind: str) -> None:
        self._publish(_apps(recording.target), kind, {"recording": recording.to_json()})


def _apps(target: Target) -> list[str]:
    return [target.app] if isinstance(target, FakeChannel) else sorted(target.apps)
