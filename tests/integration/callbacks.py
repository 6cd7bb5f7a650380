"""What tests of callbacks work with."""

from integration.support import CALLED, QUICK, SECOND, Bench

from testbed.listening import Audio, load_wav, tone_stretches

SIMULATED = QUICK.simulated_prefix
PATIENT = {"calls": QUICK.model_copy(update={"ring_timeout": 10.0})}
A_TONE, B_TONE, NETWORK_TONE, RINGBACK = 700, 900, 1100, 450


def kinds(statuses: list) -> list[tuple[str, str | None]]:
    return [(status.event_type, status.info.get("called")) for status in statuses]


def heard_for(audio: Audio, frequency: float) -> float:
    """Seconds that a tone was heard."""
    return sum(stretch.seconds for stretch in tone_stretches(audio, frequency))


def wait_sound(b: Bench) -> Audio:
    return load_wav(b.home.directory / "wait.wav")


async def both_recordings(b: Bench) -> tuple[Audio, Audio]:
    a = await b.phones[CALLED].next_call()
    second = await b.phones[SECOND].next_call()
    return load_wav(await a.recorded(timeout=20)), load_wav(await second.recorded(timeout=20))
