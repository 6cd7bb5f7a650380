"""What a notice says: JSON for programs, plain text for people."""

import json
from datetime import datetime
from typing import Any

_SUBJECTS = {
    ("review.approved", "sound"): "Your sound file {subject} was approved",
    ("review.rejected", "sound"): "Your sound file {subject} was rejected",
    ("review.approved", "template"): "Your voice template {subject} was approved",
    ("review.rejected", "template"): "Your voice template {subject} was rejected",
    ("review.approved", "enterprise"): "Your enterprise {subject} was approved",
    ("review.rejected", "enterprise"): "Your enterprise {subject} was rejected",
}


def subject(event: str, data: dict[str, Any]) -> str:
    """One line, whatever stands in the data."""
    form = _SUBJECTS.get((event, str(data.get("kind"))))
    if form is not None:
        text = form.format(subject=data["subject"])
    elif event == "alarm":
        text = f"Alarm: {data['alarm']}"
    elif event == "endpoint.disabled":
        text = f"Nothing is pushed to {data['url']} any more: it has done nothing but fail"
    else:
        text = event
    return " ".join(text.split())


def text(event: str, data: dict[str, Any], account_id: str) -> str:
    """The body of an e-mail."""
    lines = [f"{subject(event, data)}.", ""]
    lines += [f"{name.replace('_', ' ').capitalize()}: {value}" for name, value in data.items()]
    return "\n".join((*lines, f"Account: {account_id}", ""))


def body(event: str, data: dict[str, Any], account_id: str, created_at: datetime) -> bytes:
    """The body of a webhook, in the form that Standard Webhooks recommends."""
    return json.dumps(
        {
            "type": event,
            "timestamp": created_at.isoformat().replace("+00:00", "Z"),
            "data": {"account": account_id, **data},
        },
        ensure_ascii=False,
    ).encode()
