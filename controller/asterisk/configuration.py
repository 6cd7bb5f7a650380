"""Configuration of an Asterisk node, rendered from the templates in `asterisk_conf/`.

The same templates serve the launcher, an operator's own Asterisk and the Docker image.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from string import Template

from controller.share import shared

CREDENTIAL = re.compile(r"[^\s;\[\]#\\]{1,128}")
"""What can stand as a user or a password in Asterisk's files: it takes the rest for comments and sections."""


@dataclass(frozen=True)
class NodeConfiguration:
    """Everything that differs from one Asterisk node to the next; the names are the templates' own.

    Raises ValueError for a user or a password that is empty, or that Asterisk would read as another one.
    """

    node_name: str
    etc_dir: Path
    lib_dir: Path
    spool_dir: Path
    run_dir: Path
    log_dir: Path
    module_dir: Path | None
    """None: where this Asterisk was built to have its modules."""
    data_dir: Path
    http_port: int
    ami_port: int
    sip_port: int
    ari_password: str
    ami_password: str
    ari_user: str = "voicecall"
    ami_user: str = "voicecall"
    control_address: str = "127.0.0.1"
    control_networks: str = "127.0.0.1/255.255.255.255"
    """From where AMI is taken: networks with their masks, with commas between them."""
    sip_address: str = "127.0.0.1"
    rtp_first_port: int = 10000
    rtp_last_port: int = 19999
    capture: str = "no"
    """Whether the node sends what calls say in SIP and RTCP: yes or no."""
    capture_address: str = "127.0.0.1:9060"
    """Where it sends that, host:port."""
    console_levels: str | None = None
    """What of its log goes to its standard output as well, such as warning,error; None: nothing."""
    dialplan_dir: Path = field(default_factory=lambda: shared("dialplan"))

    def __post_init__(self) -> None:
        for name in ("ari_user", "ari_password", "ami_user", "ami_password"):
            value = getattr(self, name)
            if not value:
                raise ValueError(f"asterisk.{name} is empty: whoever reaches the node's ports could enter")
            if not CREDENTIAL.fullmatch(value):
                raise ValueError(
                    f"asterisk.{name} has a blank, one of ; # [ ] \\, or more than 128 characters: "
                    "Asterisk's files can't hold it"
                )

    @property
    def recording_dir(self) -> Path:
        """Where Asterisk keeps recordings; it answers 500 to every `record` if this is missing."""
        return self.spool_dir / "recording"


def render_node(configuration: NodeConfiguration, templates: Path | None = None) -> None:
    """Write all of the node's configuration files and make its directories.

    Raises KeyError when a template names a value that `NodeConfiguration` lacks.
    """
    for directory in (
        configuration.etc_dir,
        configuration.lib_dir / "keys",
        configuration.lib_dir / "cache",
        configuration.run_dir,
        configuration.log_dir,
        configuration.recording_dir,
    ):
        directory.mkdir(parents=True, exist_ok=True)
    write_files(configuration, configuration.etc_dir, templates)


def write_files(configuration: NodeConfiguration, directory: Path, templates: Path | None = None) -> None:
    """Write the node's configuration files into a folder, whatever folder that is on the node.

    Raises KeyError when a template names a value that `NodeConfiguration` lacks.
    """
    values = {value.name: getattr(configuration, value.name) for value in fields(configuration)}
    for template in sorted((templates or shared("asterisk_conf")).glob("*.conf")):
        write_private(directory / template.name, fill(template.read_text("utf-8"), values))


def fill(template: str, values: Mapping[str, object]) -> str:
    """Put values into a template; refuses values that would start a line of their own.

    A line that names a value that is None is left out.
    """
    for name, value in values.items():
        if any(character in str(value) for character in "\r\n\0"):
            raise ValueError(f"{name} has a line break in it")
    absent = [f"${{{name}}}" for name, value in values.items() if value is None]
    lines = [line for line in template.splitlines(keepends=True) if not any(name in line for name in absent)]
    return Template("".join(lines)).substitute(values)


def write_private(path: Path, text: str) -> bool:
    """Replace a file at once and readable by its owner alone; False if it held just this already."""
    if path.is_file() and path.read_text("utf-8") == text:
        return False
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text, "utf-8")
    draft.replace(path)
    return True
