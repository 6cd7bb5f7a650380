"""What the legs of a call said in SIP and RTCP, as it is told."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from controller.capture import sip
from controller.capture.leg_capture import LegCapture
from controller.capture.room import CallCapture
from controller.capture.rtcp import Quality
from controller.details.report import CaptureReport, LegReport, QualityReport, SipReport
from controller.wording import N_, Say

_MISSING: Final = {
    "off": N_("SIP messages are not taken here: capture.enabled is false."),
    "shed": N_("Not everything was kept: too many calls began at once (capture.legs_per_second)."),
    "none": N_(
        "Nothing is kept: they are too old, or the node that the call ran on sends none here (hep.conf)."
    ),
}
_SIMULATED: Final = N_("A simulated callee has no phone: it speaks neither SIP nor RTP.")
_FIRST_REPORT: Final = 5.0
"""Seconds between the reports that Asterisk and most phones send."""


def capture_report(
    accepted_at: datetime,
    legs: Sequence[LegReport],
    captured: CallCapture,
    say: Say,
    *,
    simulated: bool,
    inside: bool,
) -> CaptureReport:
    """All of it; `inside`: whether whole messages and the addresses of carriers may be seen."""
    told = [_Told(leg) for leg in captured.legs]
    messages = [message for leg in told for message in leg.messages(accepted_at, _dialog(told, leg), inside)]
    missing = None if captured.missing is None else say(_MISSING[captured.missing])
    if captured.missing == "none" and simulated:
        missing = say(_SIMULATED)
    quality = [report for leg in told for report in leg.qualities()]
    there = {report.leg for report in quality}
    return CaptureReport(
        missing=missing,
        messages=sorted(messages, key=lambda message: message.at),
        left_out=sum(leg.kept.left_out for leg in told),
        quality=quality,
        quality_missing={
            leg.name: _no_quality(leg, any(it.name == leg.name for it in told), simulated, say)
            for leg in legs
            if leg.name not in there
        },
    )


class _Told:
    def __init__(self, kept: LegCapture) -> None:
        self.kept = kept
        self.name: Literal["a", "b"] = "b" if kept.leg == "b" else "a"

    def messages(self, accepted_at: datetime, dialog: int, inside: bool) -> Iterator[SipReport]:
        seen: Counter[tuple[bool, str]] = Counter()
        for message in self.kept.messages:
            line = sip.line_of(message.text)
            at = datetime.fromtimestamp(message.at, UTC)
            seen[message.sent, message.text] += 1
            yield SipReport(
                at=at,
                seconds=round((at - accepted_at).total_seconds(), 3),
                leg=self.name,
                dialog=dialog,
                sent=message.sent,
                method=line.method,
                status=line.status,
                text=line.text,
                repeated=seen[message.sent, message.text] > 1,
                source=message.source if inside else None,
                destination=message.destination if inside else None,
                message=message.text if inside else None,
            )

    def qualities(self) -> Iterator[QualityReport]:
        agreed = next(
            (found for it in self.kept.messages if not it.sent and (found := sip.codec(it.text))), ""
        )
        both = self.kept.qualities
        for direction, quality in (("from_phone", both.from_phone), ("to_phone", both.to_phone)):
            if quality.reports:
                yield _quality(self.name, direction, agreed, quality)  # type: ignore[arg-type]  # a literal


def _quality(
    leg: Literal["a", "b"], direction: Literal["from_phone", "to_phone"], codec: str, quality: Quality
) -> QualityReport:
    return QualityReport(
        leg=leg,
        direction=direction,
        codec=codec,
        reports=quality.reports,
        packets=quality.packets,
        lost=quality.lost,
        loss_percent=round(100 * quality.loss, 2),
        worst_loss_percent=round(100 * quality.worst_loss, 2),
        jitter_ms=round(1000 * quality.jitter, 2),
        worst_jitter_ms=round(1000 * quality.worst_jitter, 2),
        round_trip_ms=round(1000 * quality.round_trip, 2) if quality.round_trips else None,
        mos=quality.mos,
    )


def _dialog(told: Sequence[_Told], leg: _Told) -> int:
    return [it for it in told if it.name == leg.name].index(leg) + 1


def _no_quality(leg: LegReport, has_messages: bool, simulated: bool, say: Say) -> str:
    if leg.answered is None:
        return say("It was not answered.")
    if not has_messages:
        return say(_SIMULATED) if simulated else say("Nothing is kept of this leg.")
    if leg.talk_seconds is not None and leg.talk_seconds < _FIRST_REPORT:
        return say("It was too short: the first reports come after about %(seconds)s s.") % {
            "seconds": f"{_FIRST_REPORT:g}"
        }
    return say("Neither the phone nor its network sent reports.")
