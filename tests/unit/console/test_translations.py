"""Every message of the console is there in every language, with the same holes."""

import re
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

from controller.calls import outcome
from controller.console.faults import translated_fault
from controller.console.words import FOLDER, LANGUAGES, language_of, translations
from controller.details.words import TOLD

CONSOLE = FOLDER.parent
HOLE = re.compile(r"%\(\w+\)s")
OTHERS = sorted(set(LANGUAGES) - {"en"})


@cache
def _messages() -> dict[str, str]:
    """Where each message stands."""
    found = chain.from_iterable(
        extract_from_dir(
            str(folder),
            method_map=[
                ("pages/**.py", "python"),
                ("*.py", "python"),
                ("templates/**.html", "jinja2.ext:babel_extract"),
            ],
            options_map={"templates/**.html": {"newstyle_gettext": "true", "trimmed": "true"}},
            keywords={
                "_": None,
                "gettext": None,
                "ngettext": (1, 2),
                "N_": None,
                "text": None,
                "say": None,
                "go": (2,),
            },
        )
        for folder in (CONSOLE, CONSOLE.parent / "details")
    )
    return {
        message if isinstance(message, str) else message[0]: f"{Path(name)}:{line}"
        for name, line, message, *_ in found
        if message
    }


@pytest.mark.requirement("C9")
@pytest.mark.parametrize("language", OTHERS)
def test_given_a_message_of_the_console_when_looked_up_then_every_language_has_it(language: str) -> None:
    words = translations(language)
    catalog = words._catalog
    assert "Log in" in _messages()
    missing = {message: place for message, place in _messages().items() if message and message not in catalog}
    assert missing == {}


@pytest.mark.parametrize("language", OTHERS)
def test_given_a_translation_when_compared_then_it_has_the_same_holes(language: str) -> None:
    catalog = translations(language)._catalog
    wrong = {
        message: said
        for message, said in catalog.items()
        if isinstance(message, str)
        and message
        and sorted(HOLE.findall(message)) != sorted(HOLE.findall(said))
    }
    assert wrong == {}


@pytest.mark.parametrize("language", OTHERS)
def test_given_message_files_when_read_then_no_message_is_translated_twice(language: str) -> None:
    seen: dict[str, str] = {}
    for path in sorted((FOLDER / language.replace("-", "_")).glob("*.po")):
        for message in re.findall(r'^msgid "(.+)"$', path.read_text(), re.MULTILINE):
            assert message not in seen, f"{message!r} is in {seen[message]} and {path.name}"
            seen[message] = path.name


def test_given_a_fault_with_what_differs_when_translated_then_the_holes_are_filled() -> None:
    class Words:
        _catalog = {"must have at most %(most)s characters": "最多 %(most)s 个字符"}

        def gettext(self, message: str) -> str:
            return self._catalog.get(message, message)

    said = translated_fault(Words(), "must have at most 32 characters")  # type: ignore[arg-type]
    assert said == "最多 32 个字符"


@pytest.mark.parametrize(
    ("chosen", "accepted", "expected"),
    [
        ("zh-CN", "en", "zh-CN"),
        (None, "zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
        (None, "fr, en-GB;q=0.8", "en"),
        ("xx", "", "en"),
    ],
)
def test_given_a_choice_or_a_browser_when_the_language_is_decided_then_it_is_one_we_have(
    chosen: str | None, accepted: str, expected: str
) -> None:
    assert language_of(chosen, accepted) == expected


@pytest.mark.requirement("B4")
@pytest.mark.parametrize("language", OTHERS)
def test_given_the_ways_in_which_calls_end_when_a_step_tells_of_one_then_every_language_has_it(
    language: str,
) -> None:
    ends = {end.text for end in vars(outcome).values() if isinstance(end, outcome.Outcome)}
    ends |= {outcome.failed_leg("a", cause, 0).text for cause in range(128)}
    assert "Callee busy." in ends
    assert ends == set(TOLD)
    assert not ends - translations(language)._catalog.keys()
