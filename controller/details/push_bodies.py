"""What pushes said, made again from what is kept: bodies are not stored, as they follow from the call."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from controller.calls.cdr import CallDetailRecord
from controller.calls.recovery import NotRestored, restored
from controller.calls.timeline import Kind
from controller.clock import Clock
from controller.details.steps import MASK
from controller.pushes.wire import fee_message, is_told, status_push
from controller.store.call_detail import StoredCall
from controller.store.tables import PushAttempt


class Bodies:
    """The bodies of one call's pushes; `digits`: whether keys that were pressed may be seen."""

    def __init__(self, stored: StoredCall, clock: Clock, *, digits: bool) -> None:
        self._stored = stored
        self._clock = clock
        self._digits = digits

    def of(self, attempt: PushAttempt) -> str | None:
        """What this attempt said; None if that can't be told any more."""
        if attempt.sequence is not None:
            return self._told.get(attempt.sequence)
        return self._fee

    @cached_property
    def _told(self) -> Mapping[int, str]:
        """By the number of the push."""
        try:
            call = restored(self._stored.call, self._stored.entries, self._clock)
        except NotRestored:
            # It was written by a newer version, which has said it in its own way.
            return {}
        bodies = {}
        for entry in call.timeline.entries:
            if not is_told(call, entry):
                continue
            push = status_push(call, entry)
            message = json.loads(push.body)
            if entry.kind is Kind.COLLECTED and not self._digits:
                message["statusInfo"]["digitInfo"] = MASK * len(message["statusInfo"]["digitInfo"])
            if push.sequence is not None:
                bodies[push.sequence] = _text(message)
        return bodies

    @cached_property
    def _fee(self) -> str | None:
        if self._stored.record is None:
            return None
        try:
            message = fee_message([CallDetailRecord.from_json(self._stored.record)])
        except (KeyError, TypeError, ValueError):
            # It was written by a version that kept less.
            return None
        for info in message["feeLst"]:
            if "dynIVRPath" in info and not self._digits:
                info["dynIVRPath"] = "-".join(MASK * len(keys) for keys in info["dynIVRPath"].split("-"))
        return _text(message)


def _text(message: Any) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
