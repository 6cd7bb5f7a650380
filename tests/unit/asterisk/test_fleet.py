"""Which node gets a call, and what a node that shares no files is told to play."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.asterisk import trunk_states
from controller.asterisk.errors import NodeUnavailable, NoRoute
from controller.asterisk.fleet import LATE, Fleet
from controller.asterisk.media import remote_media
from controller.asterisk.node import Node
from controller.asterisk.routing import RouteConfiguration, RoutingTable, TrunkConfiguration
from controller.asterisk.trunk_states import TrunkState
from controller.phone_number import PhoneNumber
from controller.settings import AsteriskSettings, PhoneSettings, Settings

NUMBER = PhoneNumber("+8613900001111")

pytestmark = pytest.mark.requirement("E2")


class There(Node):
    """A node that is connected, as far as its fleet can tell."""

    available = True  # type: ignore[assignment]
    trunks_in_force = True  # type: ignore[assignment]


def node(name: str, weight: float = 1, **more: Any) -> There:
    made = There(AsteriskSettings(name=name, weight=weight), random=Random(1), **more)
    made.routing = RoutingTable([RouteConfiguration("+86", trunks=("carrier",))])
    return made


def put(fleet: Fleet, count: int) -> Counter[str]:
    placed: Counter[str] = Counter()
    for number in range(count):
        chosen = fleet.choose([NUMBER])
        chosen.calls.add(f"call-{number}")
        placed[chosen.name] += 1
    return placed


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 60))
def test_E2_given_weights_when_calls_are_put_then_none_has_more_than_its_share_and_one(
    weights: list[int], count: int
) -> None:
    fleet = Fleet([node(f"node{index}", weight) for index, weight in enumerate(weights)])

    placed = put(fleet, count)

    for its in fleet:
        assert placed[its.name] <= count * its.settings.weight / sum(weights) + its.settings.weight


def test_E2_given_nodes_that_drain_are_away_or_play_nothing_when_called_then_the_other_has_it() -> None:
    nodes = [node(f"node{number}") for number in range(4)]
    nodes[0].draining = True
    nodes[1].probe = ("sound:/silence", 1.0)
    nodes[2].available = False  # type: ignore[misc]

    assert put(Fleet(nodes), 5) == {"node3": 5}


def test_E2_given_no_node_that_takes_calls_when_called_then_node_unavailable() -> None:
    only = node("node1")
    only.draining = True

    with pytest.raises(NodeUnavailable, match="node1 takes no calls now"):
        Fleet([only]).choose([NUMBER])


def test_E2_given_a_trunk_that_one_node_does_not_reach_when_called_then_the_other_has_the_call() -> None:
    cut, well = node("node1"), node("node2")
    cut.trunks.watch([TrunkConfiguration("carrier", "127.0.0.1")])
    cut.trunks._take({"carrier": TrunkState("carrier", reachable=False)})
    well.calls.update(f"call-{number}" for number in range(9))

    assert Fleet([cut, well]).choose([NUMBER]) is well
    assert Fleet([cut]).choose([NUMBER]) is cut


def shares(fleet: Fleet, refused: Node, count: int) -> Counter[str]:
    """Where so many calls go that are held, but those on `refused`: the carrier ends these at once."""
    placed: Counter[str] = Counter()
    for number in range(count):
        chosen = fleet.choose([NUMBER])
        placed[chosen.name] += 1
        if chosen is refused:
            chosen.trunks.call_failed("carrier")
        else:
            chosen.trunks.call_got_through("carrier")
            chosen.calls.add(f"call-{number}")
    return placed


async def test_E2_given_a_node_that_the_carrier_refuses_when_called_then_calls_go_to_those_that_it_takes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nodes = [node(f"node{number}") for number in range(3)]

    placed = shares(Fleet(nodes), nodes[1], 60)

    assert (placed["node1"], placed["node0"]) == (3, 29)
    [told] = [record for record in caplog.records if record.message == "Calls over a trunk fail"]
    assert (told.node, told.trunk) == ("node1", "carrier")  # type: ignore[attr-defined]


async def test_E2_given_a_node_that_was_refused_when_half_a_minute_is_over_then_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused, well = node("node1"), node("node2")
    fleet = Fleet([refused, well])
    shares(fleet, refused, 20)
    assert fleet.choose([NUMBER]) is well

    with monkeypatch.context() as later:
        later.setattr(trunk_states, "_REMEMBERED", 0.0)
        assert fleet.choose([NUMBER]) is refused
    # One more that fails is enough.
    refused.trunks.call_failed("carrier")
    assert fleet.choose([NUMBER]) is well
    refused.trunks.call_got_through("carrier")
    assert fleet.choose([NUMBER]) is refused


async def test_E2_given_a_carrier_that_refuses_every_node_when_called_then_calls_are_spread() -> None:
    nodes = [node(f"node{number}") for number in range(3)]
    nodes[0].calls.update(f"held-{number}" for number in range(9))
    fleet = Fleet(nodes)

    placed: Counter[str] = Counter()
    for _number in range(30):
        chosen = fleet.choose([NUMBER])
        chosen.trunks.call_failed("carrier")
        placed[chosen.name] += 1

    assert max(placed.values()) <= 11


async def test_E2_given_a_node_where_a_call_failed_now_and_then_when_called_then_it_has_its_share() -> None:
    failing, well = node("node1"), node("node2")
    well.calls.add("held")
    for _number in range(5):
        failing.trunks.call_failed("carrier")
        failing.trunks.call_failed("carrier")
        assert Fleet([failing, well]).choose([NUMBER]) is failing
        failing.trunks.call_got_through("carrier")


async def test_E2_given_a_node_whose_second_trunk_carries_its_calls_when_called_then_it_has_its_share() -> (
    None
):
    first, second = node("node1"), node("node2")
    for each in (first, second):
        each.routing = RoutingTable([RouteConfiguration("+86", trunks=("carrier", "spare"))])
    for _number in range(9):
        first.trunks.call_failed("carrier")
        first.trunks.call_got_through("spare")
    second.calls.add("held")

    assert Fleet([first, second]).choose([NUMBER]) is first


def test_E2_given_a_node_without_the_declared_trunks_when_called_then_the_other_has_the_call() -> None:
    lacking, well = node("node1"), node("node2")
    lacking.trunks_in_force = False  # type: ignore[misc]
    well.calls.add("call")

    assert Fleet([lacking, well]).choose([NUMBER]) is well


def test_E2_given_a_node_that_is_late_when_called_then_the_other_has_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late, well = node("node1"), node("node2")
    monkeypatch.setattr(
        type(late.ari), "longest_wait", property(lambda its: LATE + 1 if its is late.ari else 0.0)
    )
    well.calls.add("call")

    assert Fleet([late, well]).choose([NUMBER]) is well
    assert Fleet([late, well]).longest_wait == 0.0


def test_E2_given_a_number_that_no_route_leads_to_when_called_then_no_route() -> None:
    with pytest.raises(NoRoute):
        Fleet([node("node1"), node("node2")]).choose([PhoneNumber("+4930123456")])


@pytest.mark.requirement("E1")
def test_E2_given_a_node_that_asks_for_itself_when_told_the_ways_then_its_own_trunks_order_them() -> None:
    asking, other = node("node1"), node("node2")
    trunks = [TrunkConfiguration(name, "127.0.0.1") for name in ("first", "second")]
    for each in (asking, other):
        each.routing = RoutingTable([RouteConfiguration("+86", trunks=("first", "second"))])
        each.trunks.watch(trunks)
    asking.trunks._take({"first": TrunkState("first", reachable=False)})
    other.trunks._take({"second": TrunkState("second", reachable=False)})
    # Calls of the platform's go to the other one.
    asking.draining = True
    fleet = Fleet([asking, other])

    for name, trunk in (("node1", "second"), ("node2", "first"), ("", "first"), ("gone", "first")):
        assert fleet.ways_from(name, NUMBER)[0].trunk == trunk


@pytest.mark.requirement("E1")
@pytest.mark.parametrize("asked_by", ["node1", "node2"])
def test_E2_given_all_nodes_are_drained_when_one_asks_for_itself_then_it_is_told_and_nobody_else(
    asked_by: str,
) -> None:
    fleet = Fleet([node("node1"), node("node2")])
    for each in fleet:
        each.draining = True

    assert fleet.ways_from(asked_by, NUMBER)[0].trunk == "carrier"
    with pytest.raises(NodeUnavailable):
        fleet.ways_from("", NUMBER)


@pytest.mark.requirement("E1")
def test_E2_given_a_phone_in_a_browser_when_nodes_ask_for_it_then_it_is_told_to_the_one_that_has_it() -> None:
    first = node("node1", phone=PhoneSettings(prefix="+999018"))
    fleet = Fleet([first, node("node2")])
    # A route of the operator's must not lead such a number anywhere else.
    for each in fleet:
        each.routing = RoutingTable([RouteConfiguration("+", trunks=("carrier",))])
    number = PhoneNumber("+99901812345678")

    assert fleet.ways_from("node1", number) == fleet.ways_from("", number) == first.ways(number)
    assert first.ways(number)[0].trunk is None
    with pytest.raises(NoRoute, match=r"\*\*\*\*5678 is reached from node1 alone"):
        fleet.ways_from("node2", number)


def test_E2_given_a_variable_of_the_dialplan_when_set_then_each_node_has_its_own() -> None:
    fleet = Fleet([node("node1"), node("node2")])

    fleet.set_variable("VOICECALL_AGI", lambda name: f"agi://10.0.0.5:4573/{name}")

    told = [each.global_variables["VOICECALL_AGI"] for each in fleet]
    assert told == ["agi://10.0.0.5:4573/node1", "agi://10.0.0.5:4573/node2"]


def test_E2_given_a_phone_in_a_browser_when_called_then_the_first_node_has_the_call() -> None:
    first = node("node1", phone=PhoneSettings(prefix="+999018"))
    first.calls.update(f"call-{number}" for number in range(9))
    fleet = Fleet([first, node("node2")])

    assert fleet.choose([NUMBER, PhoneNumber("+99901812345678")]) is first


def test_E2_given_files_of_the_controllers_when_played_elsewhere_then_they_are_addresses_and_tones_stay() -> (
    None
):
    digest = "ab" * 32

    told = remote_media(f"sound:/data/prompts/ab/{digest},tone:ring", "http://10.0.0.5:8080/")

    assert told == f"sound:http://10.0.0.5:8080/prompts/{digest}.alaw,tone:ring"


def test_E2_given_several_nodes_in_the_settings_when_read_then_each_has_what_is_common_and_its_own() -> None:
    common = {"ari_password": "secret", "heartbeat": 7, "name": "all"}
    nodes = [
        {"name": "node1", "ari_url": "http://10.0.0.6:8088"},
        {"name": "node2", "ari_url": "http://10.0.0.7:8088", "heartbeat": 9, "weight": 2},
    ]
    settings = Settings(name="a", asterisk={**common, "nodes": nodes})  # type: ignore[arg-type]

    assert [(its.name, its.heartbeat, its.weight) for its in settings.nodes] == [
        ("node1", 7, 1),
        ("node2", 9, 2),
    ]
    assert {its.ari_password.get_secret_value() for its in settings.nodes} == {"secret"}
    assert {its.application for its in settings.nodes} == {"voicecall-a"}


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        (
            [{"name": "n", "ari_url": "http://a"}, {"name": "n", "ari_url": "http://b"}],
            "2 of them have the name n",
        ),
        ([{"name": "n"}, {"name": "m"}], "2 of them have the ari_url"),
        ([{"name": "n", "application": "other"}], "the application is the same on all"),
        ([{"name": "n", "nodes": [{"name": "m"}]}], "a node has no nodes of its own"),
    ],
)
def test_E2_given_nodes_that_can_not_be_told_apart_when_read_then_the_settings_are_refused(
    nodes: list[dict[str, Any]], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        AsteriskSettings(nodes=nodes)  # type: ignore[arg-type]
