"""Hours of the day: edges, midnight, zones, clocks that are put forward, and how long to wait."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.rules.hours import Hours, check_span, check_zone

SHANGHAI, BERLIN = "Asia/Shanghai", "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


CASES: dict[str, tuple[list[str], str, str, timedelta]] = {
    "no_hours": ([], SHANGHAI, "2026-03-01T03:00+08:00", timedelta()),
    "a_second_before": (["08:00-21:00"], SHANGHAI, "2026-03-01T07:59:59+08:00", timedelta(seconds=1)),
    "at_the_start": (["08:00-21:00"], SHANGHAI, "2026-03-01T08:00+08:00", timedelta()),
    "a_second_before_the_end": (["08:00-21:00"], SHANGHAI, "2026-03-01T20:59:59+08:00", timedelta()),
    "at_the_end": (["08:00-21:00"], SHANGHAI, "2026-03-01T21:00+08:00", timedelta(hours=11)),
    "in_the_pause": (
        ["08:00-12:00", "14:00-21:00"],
        SHANGHAI,
        "2026-03-01T13:30+08:00",
        timedelta(minutes=30),
    ),
    "in_another_zone": (["08:00-21:00"], SHANGHAI, "2026-03-01T23:30+00:00", timedelta(minutes=30)),
    "over_midnight_before_it": (["21:00-08:00"], SHANGHAI, "2026-03-01T23:00+08:00", timedelta()),
    "over_midnight_after_it": (["21:00-08:00"], SHANGHAI, "2026-03-01T07:59+08:00", timedelta()),
    "over_midnight_at_its_end": (["21:00-08:00"], SHANGHAI, "2026-03-01T08:00+08:00", timedelta(hours=13)),
    "to_the_end_of_the_day": (["08:00-24:00"], SHANGHAI, "2026-03-01T23:59:59+08:00", timedelta()),
    "when_the_day_is_over": (["08:00-24:00"], SHANGHAI, "2026-03-02T00:00+08:00", timedelta(hours=8)),
    "when_the_clock_goes_forward": (["08:00-21:00"], BERLIN, "2026-03-28T21:00+01:00", timedelta(hours=10)),
    "when_the_clock_goes_back": (["08:00-21:00"], BERLIN, "2026-10-24T21:00+02:00", timedelta(hours=12)),
}


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("case", CASES)
def test_A4_4_given_hours_when_asked_at_a_moment_then_the_wait_is_known(case: str) -> None:
    spans, zone, moment, wait = CASES[case]

    assert Hours(spans, zone).opens_in(at(moment)) == wait


MINUTES = st.integers(0, 1439)


@given(start=MINUTES, end=MINUTES, moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)))
def test_given_any_span_when_one_has_waited_as_long_as_told_then_it_is_open(
    start: int, end: int, moment: datetime
) -> None:
    if start == end:
        return
    span = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    hours = Hours([span], SHANGHAI)
    wait = hours.opens_in(moment.replace(tzinfo=UTC))

    assert timedelta() <= wait < timedelta(days=1)
    assert hours.opens_in(moment.replace(tzinfo=UTC) + wait) == timedelta()


@pytest.mark.parametrize(
    "text", ["", "8:00-21:00", "08:00", "08:00-08:00", "24:00-08:00", "08:60-09:00", "08-21"]
)
def test_given_a_faulty_span_when_checked_then_the_text_names_it(text: str) -> None:
    with pytest.raises(ValueError, match=repr(text)):
        check_span(text)


@pytest.mark.parametrize("text", ["", "Asia/Nowhere", "../etc/passwd", "Asia"])
def test_given_a_zone_that_is_none_when_checked_then_the_text_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone such as Asia/Shanghai"):
        check_zone(text)
