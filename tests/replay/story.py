"""A call as it was recorded: what was asked for, what was said over ARI, what came of it. One file each."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from controller.calls.call import (
    Callback,
    CallRequest,
    Notification,
    Plan,
    PlayItem,
    Prompt,
    Verification,
)
from controller.calls.collection import ReplayRule
from controller.phone_number import PhoneNumber

CORPUS = Path(__file__).parent / "corpus"
CALL = "CALL"
"""Stands for the call's id in what was recorded."""

FIRST, SECOND, SHOWN, SECOND_SHOWN = (PhoneNumber(f"+861380000000{place}") for place in range(1, 5))
"""Stand for the numbers."""
ACCOUNT, APP = "account-1", "app-1"


@dataclass(frozen=True)
class Step:
    """A frame. Of a request of the controller its method, path and serial; of an answer that serial."""

    at: float
    """Seconds since the first."""
    kind: str
    """ask, answer or event."""
    serial: int = 0
    method: str = ""
    path: str = ""
    status: int = 0
    body: str = ""
    event: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """`outcome` is what the record of the call said, as far as it must be the same again."""

    name: str
    plan: dict[str, Any]
    settings: dict[str, Any]
    outcome: dict[str, Any]
    timeline: list[str]
    steps: list[Step]

    def write(self) -> None:
        """Keep it in the corpus."""
        head = {
            "plan": self.plan,
            "settings": self.settings,
            "outcome": self.outcome,
            "timeline": self.timeline,
        }
        lines = [head, *({k: v for k, v in vars(step).items() if v or k == "at"} for step in self.steps)]
        text = "\n".join(json.dumps(line, ensure_ascii=False, sort_keys=True) for line in lines)
        (CORPUS / f"{self.name}.jsonl").write_text(text + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> "Story":
        """One of the corpus."""
        head, *steps = (json.loads(line) for line in path.read_text("utf-8").splitlines())
        return cls(path.stem, steps=[Step(**step) for step in steps], **head)


def request_of(plan: dict[str, Any], media: dict[str, str] | None = None) -> CallRequest:
    """The request of a plan in plain words; `media`: where prompts are, by name."""

    def prompt(name: str | None) -> Prompt | None:
        return None if name is None else Prompt(name, (media or {}).get(name, f"sound:{name}"), 1.0)

    def certain(name: str) -> Prompt:
        found = prompt(name)
        assert found is not None
        return found

    made: Plan
    match plan["service"]:
        case "notification":
            made = Notification(
                tuple(
                    PlayItem(
                        certain(its["prompt"]),
                        its.get("collect", 0),
                        ReplayRule("replay" in its, its.get("replay")),
                    )
                    for its in plan["items"]
                )
            )
        case "verification":
            digits = tuple(certain(name) for name in plan["digits"])
            made = Verification(certain(plan["pre"]), digits, prompt(plan.get("post")), plan["times"])
        case _:
            made = Callback(
                SECOND,
                SECOND_SHOWN,
                pre_voice=prompt(plan.get("pre")),
                wait_voice=prompt(plan.get("wait")),
                max_minutes=plan.get("minutes", 0),
                last_minute_voice=prompt(plan.get("last")),
                record=plan.get("record", False),
                tells_party=True,
            )
    return CallRequest(ACCOUNT, APP, SHOWN, FIRST, made, user_data="data")


def outcome_of(cdr: dict[str, Any]) -> dict[str, Any]:
    """What of a record must be the same whenever the same is said."""
    same = ("service", "state_code", "cut_point", "sip_status", "first_leg_cause", "second_leg_cause", "keys")
    legs = {
        leg: sorted(name for name, at in cdr[leg].items() if at is not None)
        for leg in ("first_leg", "second_leg")
    }
    return {
        **{name: cdr[name] for name in same},
        **legs,
        "plays": cdr["tts_plays"],
        "recorded": cdr["recording_name"] is not None,
    }


def path_of(uri: str) -> str:
    """Of a request: without what may differ, as where a phone is and how a prompt is named."""
    return urlsplit(uri).path.removeprefix("/ari/").lstrip("/")
