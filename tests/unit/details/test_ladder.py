"""Ladder: what stands in which row, who is left of whom, and that nothing overlaps or is cut off."""

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from controller.details.ladder import columns_of, ladder_text, rows_of
from controller.details.ladder_svg import ladder_parts, ladder_svg
from controller.details.report import (
    CallReport,
    CaptureReport,
    Decisions,
    LegReport,
    PushReport,
    Request,
    SipReport,
    Span,
    Step,
)
from controller.store.tables import Service
from controller.wording import english

pytestmark = pytest.mark.requirement("B4")

BEGIN = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def message(seconds: float, leg: str, text: str, *, sent: bool, **more: Any) -> SipReport:
    status = int(text[:3]) if text[:3].isdigit() else None
    values: dict[str, Any] = {
        "method": "INVITE" if status else text,
        "dialog": 1,
        "repeated": False,
        "source": None,
        "destination": None,
        "message": None,
        **more,
    }
    return SipReport(
        at=at(seconds),
        seconds=seconds,
        leg=leg,
        sent=sent,
        status=status,
        text=text,
        **values,  # type: ignore[arg-type]
    )


def step(seconds: float, kind: str, text: str, leg: str | None = None) -> Step:
    return Step(at=at(seconds), seconds=seconds, kind=kind, leg=leg, text=text)


def push(seconds: float, **more: Any) -> PushReport:
    values: dict[str, Any] = {
        "id": 1,
        "message_id": "m",
        "event_type": "callout",
        "sequence": 0,
        "attempt": 1,
        "url": "https://customer.example/",
        "latency_ms": 5,
        "status": 200,
        "failure": None,
        "error": None,
        "answer": "",
        "body": None,
        **more,
    }
    return PushReport(at=at(seconds), **values)


def leg(name: str, spans: list[Span] | None = None) -> LegReport:
    return LegReport(
        name=name,  # type: ignore[arg-type]
        number="+8613900001111",
        shown="+8657126880001",
        trunk="carrier-a",
        dialled=None,
        ringing=None,
        answered=None,
        ring_seconds=None,
        talk_seconds=None,
        cause=0,
        cause_text="",
        spans=spans or [],
    )


def call(
    messages: list[SipReport], steps: list[Step], pushes: list[PushReport], *legs: LegReport
) -> CallReport:
    callback = len(legs) == 2
    return CallReport(
        verdict="B was busy.",
        request=Request(
            service=Service.CALLBACK if callback else Service.NOTIFICATION,
            display_number="+8657126880001",
            first_number="+8613900001111",
            second_display_number=None,
            second_number=None,
            bind_number=None,
            options=None,
            user_data=None,
            push_profile="compat",
        ),
        decisions=Decisions(
            controller="host",
            node="node1",
            first_trunk=None,
            second_trunk=None,
            failovers=[],
            simulated=False,
        ),
        state_code=8102,
        cut_point=0,
        sip_status=486,
        sip_text="Busy Here",
        legs=list(legs),
        steps=steps,
        pushes=pushes,
        cdr_delivery=None,
        cost=None,
        recording=None,
        capture=CaptureReport(missing=None, messages=messages, left_out=0, quality=[], quality_missing={}),
    )


@pytest.fixture
def callback() -> CallReport:
    spans = [Span(kind="ringing", begins=at(1.25), ends=at(2), text="rings")]
    return call(
        [
            message(1.0, "a", "INVITE", sent=True),
            message(1.25, "a", "180 Ringing", sent=False),
            message(2.0, "a", "200 OK", sent=False),
            message(2.5, "b", "INVITE", sent=True),
            message(2.75, "b", "INVITE", sent=True, repeated=True),
            message(3.0, "b", "486 Busy Here", sent=False),
            message(3.5, "a", "200 OK", sent=False, method="BYE"),
        ],
        [
            step(0.0, "accepted", "the request is accepted"),
            step(2.25, "collected", "A pressed ••", "a"),
            step(4.0, "disconnect", "the call is over"),
            step(1.5, "push", "push of callout: 200 after 5 ms"),
        ],
        [push(1.5), push(5.0, status=None, failure="timeout", attempt=2)],
        leg("a", spans),
        leg("b"),
    )


def test_B4_given_a_callback_when_laid_out_then_the_platform_stands_between_both_and_the_customer_last(
    callback: CallReport,
) -> None:
    assert [column.place for column in columns_of(callback)] == ["a", "platform", "b", "customer"]
    one = call([], [step(0, "accepted", "x")], [], leg("a"))
    assert [column.title for column in columns_of(one)] == ["Callee", "voicecall"]


def test_B4_given_sip_steps_and_pushes_when_laid_out_then_they_are_in_one_order_and_none_twice(
    callback: CallReport,
) -> None:
    rows = rows_of(callback)

    assert [row.seconds for row in rows] == [0, 1, 1.25, 1.5, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 5]
    ways = {row.text: (row.begin, row.end, row.mark) for row in rows}
    assert ways["180 Ringing"] == ("a", "platform", "good")
    assert ways["INVITE again"] == ("platform", "b", "request")
    assert ways["486 Busy Here"] == ("b", "platform", "bad")
    assert ways["200 OK (BYE)"] == ("a", "platform", "good")
    assert ways["callout 200"] == ("platform", "customer", "push")
    assert ways["callout timeout #2"] == ("platform", "customer", "failed")
    assert ways["A pressed ••"] == ("a", "a", "step")
    assert [row.message for row in rows if row.message is not None] == list(range(7))


def test_B4_given_a_ladder_when_drawn_then_all_of_it_lies_within_the_picture(callback: CallReport) -> None:
    picture = ElementTree.fromstring(ladder_svg(callback))
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])

    for line in picture.iter(f"{SVG}line"):
        assert all(0 <= float(line.attrib[name]) <= width for name in ("x1", "x2"))
        assert all(0 <= float(line.attrib[name]) <= height for name in ("y1", "y2"))
    ys = [float(it.attrib["y"]) for it in picture.iter(f"{SVG}text") if it.attrib.get("class") == "time"]
    assert len(ys) == len(rows_of(callback)) == len(set(ys))
    assert ys == sorted(ys)


def test_B4_given_a_step_of_many_words_when_drawn_then_the_picture_is_as_wide_as_they_need() -> None:
    said = "通话结束（stateCode 7100，由被叫结束）：被叫未应答，主叫等候后挂机"
    wide, narrow = (
        ElementTree.fromstring(ladder_svg(call([], [step(0, "over", words)], [push(1)], leg("a"))))
        for words in (said, "over")
    )

    words = next(it for it in wide.iter(f"{SVG}text") if (it.findtext(f"{SVG}title") or "") == said)
    # Chinese characters are as wide as they are high.
    needs = sum(12 if ord(one) > 0x2E80 else 6 for one in said)
    assert words.attrib["text-anchor"] == "start"
    assert float(words.attrib["x"]) + needs <= float(wide.attrib["width"])
    assert float(narrow.attrib["width"]) < float(wide.attrib["width"])


def test_B4_given_an_arrow_that_passes_over_a_leg_when_drawn_then_its_label_stands_beside_the_legs_lifeline(
    callback: CallReport,
) -> None:
    picture = ElementTree.fromstring(ladder_svg(callback))
    lifelines = {float(it.attrib["x1"]) for it in picture.iter(f"{SVG}line") if it.get("class") == "lifeline"}
    labels = [it for it in picture.iter(f"{SVG}text") if (it.get("class") or "").startswith("label")]

    assert len(labels) > 3
    for label in labels:
        assert min(abs(float(label.attrib["x"]) - line) for line in lifelines) > 100, label.findtext(
            f"{SVG}title"
        )


@pytest.mark.parametrize(("whole", "links"), [("BYE", ["#message-0"]), (None, [])])
def test_B4_given_messages_when_drawn_for_a_page_then_those_that_may_be_seen_lead_to_their_text(
    whole: str | None, links: list[str]
) -> None:
    report = call(
        [message(1.0, "a", "BYE", sent=True, message=whole)], [step(0, "accepted", "x")], [], leg("a")
    )
    _head, body = ladder_parts(report, english)

    assert [it.attrib["href"] for it in ElementTree.fromstring(body).iter(f"{SVG}a")] == links
    assert "href" not in ladder_svg(report)


def test_B4_given_a_span_when_drawn_then_it_goes_from_row_to_row(callback: CallReport) -> None:
    _head, body = ladder_parts(callback, english)
    (bar,) = ElementTree.fromstring(body).iter(f"{SVG}rect")

    # 180 is the third row and 200 the fifth: two rows of 26 further down.
    assert (float(bar.attrib["y"]), float(bar.attrib["height"])) == (2 * 26 + 13, 2 * 26)


def test_B4_given_a_ladder_as_text_when_written_then_lifelines_stand_under_each_other(
    callback: CallReport,
) -> None:
    lines = ladder_text(callback).splitlines()

    assert lines[0] == "B was busy."
    drawn = [line for line in lines if ">" in line or "<" in line]
    assert len(drawn) == 9
    assert all(line.index("|") in (12, 38, 64) for line in drawn)
    invite = next(line for line in drawn if "INVITE" in line)
    assert invite[12:39].startswith("|<") and invite[38] == "|"
    assert max(map(len, lines)) < 120


def test_B4_given_texts_longer_than_a_column_when_written_then_they_are_cut_and_arrows_keep_their_ends() -> (
    None
):
    report = call(
        [message(1.0, "a", "486 " + "被叫用户正忙请稍后再拨" * 9, sent=False)],
        [step(0, "accepted", "x" * 500)],
        [],
        leg("a"),
    )
    arrow = next(line for line in ladder_text(report).splitlines() if ">" in line)

    assert "…" in arrow
    assert arrow[12:].startswith("|-") and arrow.rstrip().endswith("|")
    assert "x" * 500 not in ladder_svg(report).replace("<title>" + "x" * 500, "")


def test_B4_given_a_call_of_which_nothing_is_known_when_drawn_then_there_is_a_ladder_all_the_same() -> None:
    report = call([], [step(0, "accepted", "the request is accepted")], [], leg("a"), leg("b"))

    assert "the request is accepted" in ladder_text(report)
    ElementTree.fromstring(ladder_svg(report))
