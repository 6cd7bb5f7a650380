"""The page on several nodes, followed on one machine: its addresses are such of loopback here."""

import dataclasses
import os
import re
import shlex
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from integration.support import APP_KEY, CALLED, HEARD, SECRET, Bench
from integration.test_one_call_page import whole
from sqlmodel import Session, select
from typer.testing import CliRunner
from unit.test_how_to_settings import blocks

from controller.cli import app
from controller.doctor import examination
from controller.doctor.clock import KernelClock
from controller.doctor.finding import Level
from controller.settings import load_settings
from controller.store.tables import Call
from testbed.asterisk import AsteriskProgram, RunningAsterisk, configuration_below, start_asterisk
from testbed.listening import load_wav, share_heard
from testbed.platform import SPEECH_MODEL, Platform
from testbed.ports import reserved_ports
from testbed.push_receiver import PushReceiver
from testbed.softphone import Softphone

NETWORK = f"127.{1 + os.getpid() % 250}.7."
"""Stands for 10.0.0.: nobody else has the page's ports there."""

BESIDES = f"""
[limits]
account_calls_per_second = 0
[pushes]
allowed_networks = ["127.0.0.0/8"]
[speech]
model_dir = "{SPEECH_MODEL}"
"""
"""What the calls of tests need."""


async def node_of_the_page(
    command: str, settings: Path, folder: Path, program: AsteriskProgram, sip_port: int
) -> RunningAsterisk:
    """Have the page's command write a node's files, and start an Asterisk with them.

    Its folders are below `folder`, as two nodes are on this machine, and so is its SIP port one of its own.
    """
    own = configuration_below(folder, program, folder.name, 8088, 5038, sip_port)
    for path in (own.lib_dir / "keys", own.lib_dir / "cache", own.run_dir, own.log_dir, own.recording_dir):
        path.mkdir(parents=True)
    _voicecall, _node_files, _directory, *options = shlex.split(command)
    more = [f"--sip-port={sip_port}", f"--module-dir={program.module_dir}", f"--config={settings}"]
    done = CliRunner().invoke(app, ["node-files", str(own.etc_dir), *options, *more])
    assert done.exit_code == 0, done.output

    moved = {
        "/etc/asterisk": own.etc_dir,
        "/var/lib/asterisk": own.lib_dir,
        "/var/spool/asterisk": own.spool_dir,
        "/run/asterisk": own.run_dir,
        "/var/log/asterisk": own.log_dir,
        "/usr/share/asterisk": own.data_dir,
    }
    standard = re.compile(rf"(?<=[ =>])({'|'.join(moved)})\b")
    for file in own.etc_dir.rglob("*.conf"):
        text = file.read_text("utf-8")
        file.write_text(standard.sub(lambda found: str(moved[found[0]]), text), "utf-8")
    address = options[options.index("--control-address") + 1]
    passwords = {"ari_password": "...", "ami_password": "..."}
    return await start_asterisk(dataclasses.replace(own, control_address=address, **passwords), program)


@pytest.mark.requirement("B4", "E2", "E3")
async def test_E2_given_the_page_on_several_nodes_when_followed_then_both_make_calls_that_are_seen(
    tmp_path: Path, program: AsteriskProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "kernel_clock", lambda: KernelClock(is_kept=True, error=0.01))
    [settings_block], [write, _drain] = blocks("several-nodes", "toml"), blocks("several-nodes", "sh")
    file = tmp_path / "voicecall.toml"
    text = f'data_dir = "{tmp_path / "data"}"\n{settings_block}{BESIDES}'
    file.write_text(text.replace("10.0.0.", NETWORK), "utf-8")
    # Whoever connects to a loopback address comes from 127.0.0.1.
    commands = write.replace("\\\n", "").replace("10.0.0.5/", "127.0.0.1/").replace("10.0.0.", NETWORK)

    async with AsyncExitStack() as stack:
        # Asterisk's issue 444: a prompt's address must be longer than its path in the node's cache.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vc")))
        ports = stack.enter_context(reserved_ports(2))
        nodes = []
        for number, (command, port) in enumerate(zip(commands.splitlines(), ports, strict=True)):
            nodes.append(await node_of_the_page(command, file, folder / str(number), program, port))
            stack.push_async_callback(nodes[-1].stop)
        home = Platform(tmp_path, nodes[0], load_settings(file))
        phone = await stack.enter_async_context(Softphone.start(directory=tmp_path / "phone"))
        receiver = await stack.enter_async_context(PushReceiver.start())
        b = Bench(home, receiver, {CALLED: phone}, stack)
        await b.declare(max_calls=10)
        b.controller, b.client = await stack.enter_async_context(home.serving(APP_KEY, SECRET))
        for node in b.controller.fleet:
            await node.wait_takes_calls()

        found = await examination.examine(home.settings)
        assert [it for it in found if it.level is not Level.OK] == []

        sessions = [await b.notify({"notifyVoice": "one.wav"}) for _ in range(3)]
        for session in sessions:
            await b.over(session)
            heard = load_wav(await (await phone.next_call()).recorded(timeout=20))
            assert share_heard(load_wav(tmp_path / "one.wav"), heard) >= HEARD
            # Waits until the end of the dialog has come from the node.
            await whole(b, session, "200 OK BYE")

        def placed(session: Session) -> list[str]:
            return sorted(session.exec(select(Call.node)))

        assert await b.controller.database.read(placed) == ["node1", "node2", "node2"]
