"""A sound file's whole way on a real Asterisk: uploaded, converted, approved, distributed, heard."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile
from integration.support import HEARD, Bench, StartBench
from service.notices.support import mail_server
from service.sounds.support import pieces

from controller.accounts.contact_details import ContactDetails
from controller.asterisk.errors import CannotPlay
from controller.clock import SystemClock
from controller.notices.contacts import Contacts
from controller.prompts import alaw, wav
from controller.prompts.library import PromptLibrary
from controller.prompts.resample import resample, to_float
from controller.settings import MailSettings
from controller.sounds.errors import SoundInUse
from controller.sounds.files import Sound
from testbed.listening import load_wav, share_heard
from testbed.softphone_plan import Answer
from testbed.sounds import distinct_prompt

ACCOUNT, NAME = "test", "offer@spring.wav"


def as_mp3(folder: Path, seed: int, seconds: float) -> bytes:
    """A prompt that sounds like no other, soft, in stereo, at 44.1 kHz."""
    samples = to_float(alaw.decode(wav.read(distinct_prompt(seed, seconds))))
    wide = resample(samples, 8000, 44100) * np.float32(0.1)
    path = folder / "source.mp3"
    soundfile.write(path, np.stack([wide, wide], axis=1), 44100)
    return path.read_bytes()


async def usable(bench: Bench, name: str = NAME) -> Sound:
    """Wait until calls can play a file as it is."""
    files = bench.controller.content.sounds
    async with asyncio.timeout(20):
        while True:
            sound = await files.get(ACCOUNT, name)
            if sound.current:
                # It is written down a moment before this controller's calls go by it.
                await bench.controller.directory.refresh()
                return sound
            await asyncio.sleep(0.05)


@pytest.mark.requirement("C5", "D4", "A4.5")
async def test_C5_given_an_mp3_file_when_converted_submitted_and_approved_then_a_phone_hears_it(
    bench: StartBench, tmp_path: Path
) -> None:
    b = await bench(Answer())
    files, queue = b.controller.content.sounds, b.controller.reviews
    item = {"notifyVoice": NAME}

    await files.upload(ACCOUNT, NAME, pieces(as_mp3(tmp_path, 77, 2.0)), convert=True)
    await files.submit(ACCOUNT, NAME, by="dora")
    refused = await b.client.notify(b.request(item))
    assert refused.code == "1010002"
    assert f"{NAME} does not exist" in refused.text

    (waiting,) = await queue.page()
    began = asyncio.get_running_loop().time()
    await queue.approve(waiting.id, by="oscar")
    await usable(b)
    took = asyncio.get_running_loop().time() - began

    session = await b.notify(item)
    call = await b.phone.next_call()
    heard = load_wav(await call.recorded())
    await b.over(session)

    stored = tmp_path / "stored.wav"
    stored.write_bytes(await files.audio(ACCOUNT, NAME))
    source = tmp_path / "prompt.wav"
    source.write_bytes(distinct_prompt(77, 2.0))
    assert share_heard(load_wav(stored), heard) >= HEARD
    assert share_heard(load_wav(source), heard) >= HEARD
    assert took < 10


@pytest.mark.requirement("C5")
async def test_C5_given_a_call_that_plays_a_file_when_it_is_deleted_then_the_call_is_named_and_goes_on(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    session = await b.notify({"notifyVoice": "long.wav"})
    call = await b.phone.next_call()
    with pytest.raises(SoundInUse, match=session):
        await b.controller.content.sounds.delete(ACCOUNT, "long.wav")
    await b.stop(session, "test-app")
    await call.ended()
    await b.over(session)

    await b.controller.content.sounds.delete(ACCOUNT, "long.wav")
    await b.controller.directory.refresh()
    assert "does not exist" in (await b.client.notify(b.request({"notifyVoice": "long.wav"}))).text


@pytest.mark.requirement("C5")
async def test_C5_given_a_node_when_asked_to_play_then_it_plays_what_is_there_and_says_when_it_cannot(
    bench: StartBench,
) -> None:
    b = await bench()
    library = PromptLibrary(b.home.settings.prompt_dir)
    node = b.controller.node
    short, long = (library.add(distinct_prompt(seed, seconds)) for seed, seconds in ((5, 0.1), (6, 60.0)))

    began = asyncio.get_running_loop().time()
    for prompt in (short, long):
        await node.check_plays(library.media(prompt.digest), prompt.seconds)
    # Only the end of it is played.
    assert asyncio.get_running_loop().time() - began < 20

    library.discard(long.digest)
    with pytest.raises(CannotPlay, match="can't open or read"):
        await node.check_plays(library.media(long.digest), long.seconds)
    # A hang-up is answered before the channel is gone.
    async with asyncio.timeout(5):
        while True:
            if not await node.ari.channels.list():
                break
            await asyncio.sleep(0.05)


@pytest.mark.requirement("C7")
async def test_C7_given_a_contact_when_a_file_is_rejected_then_the_running_controller_sends_the_mail(
    bench: StartBench,
) -> None:
    async with mail_server() as server:
        mail = MailSettings(host="127.0.0.1", port=server.port, security="none")
        b = await bench(sections={"mail": mail})
        contacts = Contacts(b.controller.database, SystemClock())
        await contacts.add(ACCOUNT, ContactDetails(email="dora@example.com"))
        await b.controller.content.sounds.upload(ACCOUNT, NAME, pieces(distinct_prompt(8)))
        await b.controller.content.sounds.submit(ACCOUNT, NAME, by="dora")
        (waiting,) = await b.controller.reviews.page()
        await b.controller.reviews.reject(waiting.id, by="oscar", reason="too loud")
        async with asyncio.timeout(5):
            await server.news.wait()

    ((_, message),) = server.messages
    assert (message["To"], message["Subject"]) == (
        "dora@example.com",
        f"Your sound file {NAME} was rejected",
    )
