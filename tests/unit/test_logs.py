"""Log lines: whatever is logged, a record stays one record."""

import io
import json
import logging
from types import TracebackType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.logs import JsonFormatter, TerminalFormatter, TerseHandler

_FORGED = "x\n2026-11-26 08:00:00 INFO    The trail was verified\r\x1b[2J"


def record(message: str, **attributes: object) -> logging.LogRecord:
    made = logging.LogRecord("controller", logging.WARNING, "", 0, message, None, None)
    vars(made).update(attributes)
    return made


@pytest.mark.requirement("E3")
@given(message=st.text(), value=st.text())
def test_E3_given_any_text_when_logged_as_json_then_it_is_one_line_that_holds_it(
    message: str, value: str
) -> None:
    line = JsonFormatter().format(record(message, error=value))

    assert len(line.splitlines()) == 1 or not any(mark in line for mark in "\n\r")
    read = json.loads(line)
    assert (read["message"], read["error"]) == (message, value)


@pytest.mark.requirement("E3")
def test_E3_given_line_breaks_and_escapes_in_an_attribute_when_shown_at_a_terminal_then_they_are_none() -> (
    None
):
    shown = TerminalFormatter().format(record("A push failed", error=_FORGED))

    assert len(shown.splitlines()) == 1
    assert "\x1b" not in shown
    assert "The trail was verified" in shown


def test_given_an_exception_when_shown_at_a_terminal_then_its_lines_follow_the_message() -> None:
    made = record("A call failed", call="1200_1")
    made.exc_info = (ValueError, ValueError("wrong"), None)
    first, *rest = TerminalFormatter().format(made).splitlines()

    assert first.endswith("A call failed  call=1200_1")
    assert rest == ["ValueError: wrong"]


@pytest.mark.requirement("E3", "E4")
def test_E4_given_a_fault_that_comes_again_and_again_when_logged_then_it_is_traced_once_a_minute() -> None:
    handler, told = TerseHandler(), io.StringIO()
    handler.setFormatter(JsonFormatter())
    handler.setStream(told)
    for second, wrong in [(0.0, "one"), (1.0, "two\nlines"), (2.0, "three"), (61.0, "four")]:
        made = record("It can't be read; trying again")
        made.created = 1_000_000.0 + second
        made.exc_info = raised(OSError(wrong))
        handler.emit(made)
    elsewhere = record("It can't be read; trying again")
    elsewhere.created, elsewhere.exc_info = 1_000_062.0, (ValueError, ValueError("other"), None)
    handler.emit(elsewhere)

    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    assert [line.get("error") for line in lines] == [None, "OSError: two", "OSError: three", None, None]
    assert ["Traceback" in line.get("exception", "") for line in lines] == [True, False, False, True, False]
    assert "other" in lines[-1]["exception"]


def raised(error: Exception) -> tuple[type[Exception], Exception, TracebackType | None]:
    try:
        raise error
    except Exception as caught:
        return type(caught), caught, caught.__traceback__
