"""What a test can have go wrong on a healthy connection: wrong answers, late answers, odd events."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from controller.ari.fake.objects import Json

ANY = "*"
"""Every operation, every type of event."""


@dataclass
class _WrongAnswer:
    operation: str
    status: int
    message: str
    times: int
    after_doing: bool


class Faults:
    """Orders for what comes next. Operations are named as in ARI's documents, such as "channels.play"."""

    def __init__(self) -> None:
        self._wrong_answers: list[_WrongAnswer] = []
        self._delays: dict[str, Callable[[], float]] = {}
        self._omitted: Counter[str] = Counter()
        self._doubled: Counter[str] = Counter()
        self._held_back: Counter[str] = Counter()
        self._waiting: list[Json] = []
        self.garble: Callable[[str], list[str]] | None = None
        """What is sent in place of each event that would be sent, as text; None: just that."""

    def answer(
        self, operation: str, status: int, message: str = "", *, times: int = 1, after_doing: bool = False
    ) -> None:
        """Answer the next `times` requests with an error; with `after_doing` they are done all the same."""
        text = message or f"ordered: {status}"
        self._wrong_answers.append(_WrongAnswer(operation, status, text, times, after_doing))

    def delay_answers(self, delay: float | Callable[[], float], operation: str = ANY) -> None:
        """Do at once, answer `delay` seconds later (0: no longer late; `math.inf`: never).

        A function is asked anew for each answer, so that answers can overtake each other.
        """
        self._delays[operation] = delay if callable(delay) else lambda: delay

    def omit(self, kind: str, times: int = 1) -> None:
        """Don't send the next `times` events of this type."""
        self._omitted[kind] += times

    def double(self, kind: str, times: int = 1) -> None:
        """Send each of the next `times` events of this type twice."""
        self._doubled[kind] += times

    def hold_back(self, kind: str, times: int = 1) -> None:
        """Send the next `times` events of this type after the event that follows them."""
        self._held_back[kind] += times

    def clear(self) -> None:
        """Nothing goes wrong any more; what was held back comes after the next event."""
        for orders in (self._delays, self._omitted, self._doubled, self._held_back):
            orders.clear()
        self._wrong_answers.clear()
        self.garble = None

    def wrong_answer(self, operation: str) -> tuple[int, str, bool] | None:
        """(status, message, done all the same) if this request shall fail."""
        for fault in self._wrong_answers:
            if fault.operation in (operation, ANY):
                fault.times -= 1
                if fault.times <= 0:
                    self._wrong_answers.remove(fault)
                return fault.status, fault.message, fault.after_doing
        return None

    def delay(self, operation: str) -> float:
        """Seconds until the answer to this request."""
        delay = self._delays.get(operation) or self._delays.get(ANY)
        return delay() if delay else 0.0

    def texts(self, event: Json) -> list[str]:
        """What is sent in place of an event, as it goes over the socket."""
        texts = [json.dumps(sent) for sent in self._events(event)]
        return texts if self.garble is None else [sent for text in texts for sent in self.garble(text)]

    def _events(self, event: Json) -> list[Json]:
        kind = event["type"]
        if _take(self._omitted, kind):
            return []
        if _take(self._held_back, kind):
            self._waiting.append(event)
            return []
        sent = [event, event] if _take(self._doubled, kind) else [event]
        waiting, self._waiting = self._waiting, []
        return sent + waiting


def _take(orders: Counter[str], kind: str) -> bool:
    for name in (kind, ANY):
        if orders[name] > 0:
            orders[name] -= 1
            return True
    return False
