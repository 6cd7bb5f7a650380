"""What the scripts of the dialplan's door answer."""

import pytest

from controller.agi import Abilities, Announcement, Refused
from controller.agi.protocol import AgiRequest
from controller.agi.scripts import run
from controller.phone_number import PhoneNumber

NUMBER = "+8613900001111"


class Recorder:
    """Abilities that note what they are asked."""

    def __init__(
        self, refusal: Exception | None = None, sound: str | None = "/sounds/not_in_service"
    ) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._refusal = refusal
        self._sound = sound

    @property
    def abilities(self) -> Abilities:
        return Abilities(self.inbound, self.route, self.notify)

    def note(self, *question: str) -> None:
        self.asked.append(question)
        if self._refusal is not None:
            raise self._refusal

    async def inbound(self, called: str, caller: str) -> Announcement:
        self.note(called, caller)
        return Announcement(self._sound, 22)

    async def route(self, number: PhoneNumber, node: str) -> str:
        self.note(number.e164, node)
        return f"PJSIP/{number.e164}@carrier"

    async def notify(self, number: PhoneNumber, app_key: str, sound: str) -> str:
        self.note(number.e164, app_key, sound)
        return "session-1"


async def test_given_an_inbound_call_when_asked_then_announcement_and_cause_are_told() -> None:
    recorder = Recorder()

    told = await run(AgiRequest("inbound", caller="1380000", called="+865712688"), recorder.abilities)

    assert told == {
        "VOICECALL_ANNOUNCEMENT": "/sounds/not_in_service",
        "VOICECALL_CAUSE": "22",
        "VOICECALL_ERROR": "",
    }
    assert recorder.asked == [("+865712688", "1380000")]


async def test_given_no_announcement_when_asked_then_there_is_none_to_play() -> None:
    told = await run(AgiRequest("inbound"), Recorder(sound=None).abilities)

    assert told["VOICECALL_ANNOUNCEMENT"] == ""


async def test_given_a_number_when_its_route_is_asked_then_the_dial_string_is_told() -> None:
    recorder = Recorder()

    told = await run(AgiRequest("route", (NUMBER,), node="node2"), recorder.abilities)

    assert told == {"VOICECALL_DIAL": f"PJSIP/{NUMBER}@carrier", "VOICECALL_ERROR": ""}
    assert recorder.asked == [(NUMBER, "node2")]


@pytest.mark.parametrize(
    ("arguments", "caller"),
    [(("app", "hello.wav"), NUMBER), (("app", "hello.wav", NUMBER), "anonymous")],
)
async def test_given_a_notification_when_asked_then_the_caller_or_the_given_number_is_called(
    arguments: tuple[str, ...], caller: str
) -> None:
    recorder = Recorder()

    told = await run(AgiRequest("notify", arguments, caller=caller), recorder.abilities)

    assert told == {"VOICECALL_SESSION": "session-1", "VOICECALL_ERROR": ""}
    assert recorder.asked == [(NUMBER, "app", "hello.wav")]


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (AgiRequest("route"), "route needs an argument: number"),
        (AgiRequest("route", ("",)), "route needs an argument: number"),
        (AgiRequest("route", (NUMBER, "x")), "too many arguments"),
        (AgiRequest("route", ("13900001111",)), "the number is not one"),
        (AgiRequest("notify", ("app",), caller=NUMBER), "notify needs an argument: sound"),
        (AgiRequest("notify", ("app", "x.wav")), "the number is not one"),
        (AgiRequest("notify", ("app", "x.wav", NUMBER, "y")), "too many arguments"),
        (AgiRequest("reboot"), "no such script"),
    ],
)
async def test_given_a_wrong_question_when_asked_then_the_error_says_why_and_nothing_is_done(
    request_: AgiRequest, why: str
) -> None:
    recorder = Recorder()

    told = await run(request_, recorder.abilities)

    assert why in told["VOICECALL_ERROR"]
    assert recorder.asked == []
    assert "".join(value for name, value in told.items() if name != "VOICECALL_ERROR") == ""


@pytest.mark.parametrize(
    ("error", "why"),
    [(Refused("the app is not active"), "the app is not active"), (OSError("x"), "internal")],
)
@pytest.mark.parametrize(
    ("script", "arguments", "expected"),
    [
        ("inbound", (), {"VOICECALL_ANNOUNCEMENT": "", "VOICECALL_CAUSE": "1"}),
        ("route", (NUMBER,), {"VOICECALL_DIAL": ""}),
        ("notify", ("app", "x.wav", NUMBER), {"VOICECALL_SESSION": ""}),
    ],
)
async def test_given_an_ability_that_fails_when_asked_then_no_variable_keeps_an_older_answer(
    script: str, arguments: tuple[str, ...], expected: dict[str, str], error: Exception, why: str
) -> None:
    told = dict(await run(AgiRequest(script, arguments), Recorder(error).abilities))

    assert why in told.pop("VOICECALL_ERROR")
    assert told == expected
