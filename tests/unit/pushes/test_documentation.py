"""docs/reference/pushes.md: its example verifies what we send, and it names every field."""

import base64
import re
from pathlib import Path
from typing import Any

from pydantic import SecretBytes
from unit.pushes.support import SetClock, application, http_sender, push, room
from unit.pushes.test_cdr_outbox import MOMENT, record

from controller.calls.timeline import LegTimes
from controller.pushes.receiver import Failure
from controller.pushes.wire import fee_info
from controller.store.database import Database
from testbed.push_receiver import PushReceiver

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "pushes.md").read_text("utf-8")
KEY = b"k" * 32


def example() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile("".join(re.findall(r"```python\n(.*?)```", PAGE, re.S)), "pushes.md", "exec"), names)
    return names


async def test_given_the_pages_example_when_a_push_comes_then_it_says_whether_it_is_ours(
    database: Database,
) -> None:
    app = application(webhook_keys=(SecretBytes(KEY),))
    async with (
        PushReceiver.start() as receiver,
        http_sender() as sender,
        room(database, sender, SetClock(), app) as place,
    ):
        url = receiver.url("/status?a=b")
        await place.courier.deliver(push(url))
    came, names = receiver.pushes[0], example()
    headers, secret = dict(came.headers), "whsec_" + base64.b64encode(KEY).decode()

    assert names["is_ours"](headers, url, app.secret.get_secret_value())
    assert not names["is_ours"](headers, url, "another secret")
    assert not names["is_ours"](headers, url + "&", app.secret.get_secret_value())
    assert names["is_ours_and_whole"](headers, came.body, secret)
    assert not names["is_ours_and_whole"](headers, came.body + b" ", secret)


def test_given_a_record_with_everything_when_put_on_the_wire_then_the_page_names_every_field() -> None:
    whole = record(
        service="callback",
        second_callee="+8613900002222",
        second_display_number="+8657126880002",
        second_leg=LegTimes(MOMENT, MOMENT, MOMENT),
        cut_point=518,
        recording_name="x.wav",
        recording_started_at=MOMENT,
        collection_started_at=MOMENT,
        keys="1",
        user_data="u",
    )

    assert [name for name in fee_info(whole) if f"`{name}`" not in PAGE] == []


def test_given_the_classes_of_failure_when_looked_up_then_the_page_names_each() -> None:
    assert [failure for failure in Failure if f"`{failure}`" not in PAGE and failure != "disabled"] == []
