"""Settings of Asterisk and what it talks to: sections `asterisk`, `agi` and `capture`."""

from collections import Counter
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from controller.settings.section import OneAddress, Port, Positive, Seconds, Section


class AsteriskSettings(Section):
    """The Asterisk node, or what several have in common."""

    name: str = Field(
        "node1", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Name of the node in logs and call details."
    )
    application: str = Field(
        "voicecall",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Stasis application. A controller with a `name` adds that to it, so that each "
        "has its own.",
    )
    ari_url: str = Field("http://127.0.0.1:8088", description="Address of Asterisk's HTTP server.")
    ari_user: str = Field("voicecall", description="User in ari.conf.")
    ari_password: SecretStr = Field(SecretStr(""), description="Password in ari.conf.")
    ami_address: str = Field("127.0.0.1", description="Address of AMI.")
    ami_port: Port = Field(5038, description="Port of AMI.")
    ami_user: str = Field("voicecall", description="User in manager.conf.")
    ami_password: SecretStr = Field(SecretStr(""), description="Password in manager.conf.")
    etc_dir: Path = Field(
        Path("/etc/asterisk"), description="Asterisk's configuration; pjsip_trunks.conf is written there."
    )
    recording_dir: Path = Field(
        Path("/var/spool/asterisk/recording"), description="Where Asterisk keeps recordings."
    )
    commands_in_flight: int = Field(
        16, ge=1, description="Commands sent to Asterisk and not answered, at most."
    )
    command_timeout: Seconds = Field(
        5, description="Time in which Asterisk must answer a command, in seconds."
    )
    heartbeat: Seconds = Field(
        4, description="Seconds between pings; a silent connection is found dead after one and a half."
    )
    weight: Positive = Field(
        1, description="Among several nodes: one with twice the weight has twice as many calls at a time."
    )
    prompt_url: str = Field(
        "",
        pattern=r"^(https?://[^/?#\s,]+)?$",
        description="Address of this controller's API as the node reaches it, such as http://10.0.0.5:8080; "
        "the node then fetches prompts there, and gets its trunks over AMI. Empty: it shares the folders "
        "{data_dir}/prompts, {data_dir}/speech and etc_dir with the controller.",
    )
    nodes: tuple["AsteriskSettings", ...] = Field(
        (),
        description="Several nodes: a section [[asterisk.nodes]] each, with the settings in which it differs "
        "from [asterisk], its name and ari_url at least. Empty: [asterisk] is the only node.",
    )

    @model_validator(mode="before")
    @classmethod
    def _in_common(cls, values: Any) -> Any:
        """What a node doesn't say is as in [asterisk]."""
        if not isinstance(values, dict) or not isinstance(nodes := values.get("nodes"), list | tuple):
            return values
        common = {name: value for name, value in values.items() if name not in ("nodes", "name", "ari_url")}
        whole = [{**common, **node} if isinstance(node, dict) else node for node in nodes]
        return {**values, "nodes": whole}

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if any(node.nodes for node in self.nodes):
            raise ValueError("nodes: a node has no nodes of its own")
        if any(node.application != self.application for node in self.nodes):
            raise ValueError("nodes: the application is the same on all, set it in [asterisk]")
        for setting in ("name", "ari_url"):
            for value, times in Counter(getattr(node, setting) for node in self.nodes).items():
                if times > 1:
                    raise ValueError(f"nodes: {times} of them have the {setting} {value}")
        return self


class AgiSettings(Section):
    """The dialplan's door: FastAGI scripts for calls that come in and for an operator's own dialplan."""

    enabled: bool = Field(True, description="Whether the dialplan can ask the controller anything.")
    address: OneAddress = Field(
        "127.0.0.1",
        description="Address to listen on, and under which Asterisk finds it. Whoever reaches it can start "
        "calls: loopback, or a network that only Asterisk is in.",
    )
    port: Port = Field(4573, description="Port to listen on; 0 takes a free one.")
    language: Literal["zh", "en"] = Field(
        "zh", description="Language in which callers are told that a number takes no calls: zh or en."
    )


class CaptureSettings(Section):
    """SIP and RTCP of calls, which Asterisk sends as HEP: for call details (hep.conf)."""

    enabled: bool = Field(True, description="Whether what legs say in SIP and RTCP is taken and kept.")
    address: OneAddress = Field(
        "127.0.0.1",
        description="Address to listen on, by UDP; `capture_address` in hep.conf. Whoever reaches it can "
        "make messages up: loopback, or a network that only Asterisk is in.",
    )
    port: Port = Field(9060, description="Port to listen on; 0 takes a free one.")
    legs_per_second: Positive = Field(
        20, description="Legs whose messages are kept; of more that begin in a second nothing is kept."
    )
    keep_days: Positive = Field(14, description="Days for which messages are kept.")
    megabytes: int = Field(
        256,
        ge=1,
        description="What kept messages may take on disk; the oldest go first. A leg takes about 2 kB.",
    )
