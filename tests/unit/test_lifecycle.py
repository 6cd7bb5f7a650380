"""Work in the background, of which nobody awaits the end."""

import asyncio
import logging

import pytest

from controller.lifecycle import background


async def test_given_work_in_the_background_when_an_error_ends_it_then_that_is_told_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        raise KeyError("unforeseen")

    with pytest.raises(KeyError):
        async with background(work()):
            while not caplog.records:  # noqa: ASYNC110
                await asyncio.sleep(0)
            (record,) = caplog.records

    assert record.levelno == logging.CRITICAL
    assert record.exc_info and isinstance(record.exc_info[1], KeyError)
    assert "work" in record.__dict__["part"]


async def test_given_work_in_the_background_when_the_house_ends_then_nothing_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with background(asyncio.sleep(3600)):
        await asyncio.sleep(0)

    assert not caplog.records
