"""`voicecall node-files`: the configuration of an Asterisk that isn't the platform's own."""

import shutil
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from controller.asterisk.configuration import NodeConfiguration, write_files, write_private
from controller.capture.hep import Address
from controller.command import ConfigOption, failure, read_settings
from controller.share import shared

_TRANSPORT = "pjsip_transport.conf"


def node_files(
    directory: Annotated[Path, typer.Argument(help="Where the files go; on the node it is /etc/asterisk.")],
    sip_address: Annotated[str, typer.Option(help="Address on which the node takes SIP.")] = "0.0.0.0",  # noqa: S104
    sip_port: Annotated[int, typer.Option(help="Its UDP port.")] = 5060,
    rtp_ports: Annotated[str, typer.Option(help="First and last UDP port of RTP.")] = "10000-19999",
    control_address: Annotated[
        str, typer.Option(help="Address on which the node takes ARI and AMI; only controllers may reach it.")
    ] = "127.0.0.1",
    control_network: Annotated[
        list[str],
        typer.Option(help="Network from which AMI is taken, with its mask; can stand several times."),
    ] = ["127.0.0.1/255.255.255.255"],  # noqa: B006 - typer reads it, nobody changes it
    capture_address: Annotated[
        str,
        typer.Option(help="The controller's capture.address: the node sends SIP and RTCP of calls there."),
    ] = "",
    external_address: Annotated[
        str, typer.Option(help="Address under which phones outside reach the node, if it is behind NAT.")
    ] = "",
    local_network: Annotated[
        list[IPv4Network],
        typer.Option(help="Network in which phones reach the node directly; can stand several times."),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    log_to_console: Annotated[
        bool, typer.Option(help="Warnings and errors go to Asterisk's standard output too: for containers.")
    ] = False,
    module_dir: Annotated[
        Path | None, typer.Option(help="Asterisk's modules on the node, if not where it looks itself.")
    ] = None,
    node: Annotated[str, typer.Option(help="Its name in the settings, where there are several.")] = "",
    config: ConfigOption = None,
) -> None:
    """Write the configuration of an Asterisk node; ports, users and passwords are those of the settings.

    Paths in it are those of Debian's package. The dialplan goes into the same folder.
    """
    whole = read_settings(config)
    nodes = {found.name: found for found in whole.nodes}
    settings = nodes.get(node) if node or len(nodes) > 1 else next(iter(nodes.values()))
    if settings is None:
        raise failure(f"--node {node or 'is missing'}: the settings have {', '.join(nodes)}")
    first, _, last = rtp_ports.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last) <= 65535):
        raise failure(f"--rtp-ports {rtp_ports}: must be like 10000-19999")
    if capture_address and not _is_ip(capture_address):
        raise failure(f"--capture-address {capture_address}: must be an IP address; its port is capture.port")
    var, etc = Path("/var"), Path("/etc/asterisk")
    try:
        configuration = NodeConfiguration(
            node_name=settings.name,
            etc_dir=etc,
            lib_dir=var / "lib/asterisk",
            spool_dir=var / "spool/asterisk",
            run_dir=Path("/run/asterisk"),
            log_dir=var / "log/asterisk",
            module_dir=module_dir,
            data_dir=Path("/usr/share/asterisk"),
            http_port=urlsplit(settings.ari_url).port or 80,
            ami_port=settings.ami_port,
            sip_port=sip_port,
            ari_password=settings.ari_password.get_secret_value(),
            ami_password=settings.ami_password.get_secret_value(),
            ari_user=settings.ari_user,
            ami_user=settings.ami_user,
            control_address=control_address,
            control_networks=",".join(control_network),
            sip_address=sip_address,
            rtp_first_port=int(first),
            rtp_last_port=int(last),
            capture="yes" if capture_address else "no",
            capture_address=str(Address(capture_address or whole.capture.address, whole.capture.port)),
            console_levels="warning,error" if log_to_console else None,
            dialplan_dir=etc / "dialplan",
        )
        directory.mkdir(parents=True, exist_ok=True)
        write_files(configuration, directory)
        shutil.copytree(shared("dialplan"), directory / "dialplan", dirs_exist_ok=True)
        write_private(directory / _TRANSPORT, _behind_nat(external_address, local_network))
    except (OSError, ValueError) as error:
        raise failure(f"the files can't be written: {error}") from None
    typer.echo(f"The configuration of {settings.name} is in {directory}", err=True)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _behind_nat(external_address: str, local_networks: list[IPv4Network]) -> str:
    """What the transport has besides."""
    if not external_address:
        return "; Phones reach this node directly.\n"
    lines = [
        f"external_media_address = {external_address}",
        f"external_signaling_address = {external_address}",
    ]
    return "\n".join([*lines, *(f"local_net = {network}" for network in local_networks), ""])
