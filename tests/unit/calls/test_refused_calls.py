"""What a node knows of its trunks from the calls that they failed at."""

from collections.abc import Iterator

import pytest
from unit.calls.support import CALLEE, House

from controller.ari.fake import Behaviour, FakeAsterisk
from controller.asterisk.routing import RouteConfiguration, RoutingTable

pytestmark = pytest.mark.requirement("E2")

HANGS_UP = Behaviour(hang_up_after=0.0)


def refuses(status: int, *, rings: bool = False) -> Behaviour:
    return Behaviour(ring_after=0.0 if rings else None, sip_status=status)


@pytest.fixture
def over_trunks(house: House) -> Iterator[House]:
    house.node.routing = RoutingTable([RouteConfiguration("+86", trunks=("carrier",))])
    yield house


@pytest.mark.parametrize("status", [403, 503])
async def test_E2_given_calls_that_the_carrier_refuses_when_one_rings_then_they_no_longer_count(
    over_trunks: House, status: int
) -> None:
    node, counted = over_trunks.node, []
    for _number in range(4):
        await over_trunks.call(behaviour=refuses(status))
        counted.append(node.failures(CALLEE))
    await over_trunks.call(behaviour=HANGS_UP)

    assert counted == [0, 0, 3, 4]
    assert node.failures(CALLEE) == 0


@pytest.mark.parametrize(
    "behaviour", [refuses(486), refuses(404), refuses(480), refuses(603), refuses(503, rings=True)]
)
async def test_E2_given_calls_that_fail_at_the_person_when_there_were_many_then_none_counts(
    over_trunks: House, behaviour: Behaviour
) -> None:
    for _number in range(4):
        await over_trunks.call(behaviour=behaviour)

    assert over_trunks.node.failures(CALLEE) == 0


async def test_E2_given_calls_that_the_carrier_refuses_when_a_person_is_busy_then_they_no_longer_count(
    over_trunks: House,
) -> None:
    for _number in range(3):
        await over_trunks.call(behaviour=refuses(503))
    assert over_trunks.node.failures(CALLEE) == 3

    await over_trunks.call(behaviour=refuses(486))

    assert over_trunks.node.failures(CALLEE) == 0


async def test_E2_given_a_trunk_that_fails_and_one_that_carries_its_calls_when_called_then_none_counts(
    over_trunks: House, asterisk: FakeAsterisk
) -> None:
    node = over_trunks.node
    node.routing = RoutingTable([RouteConfiguration("+86", trunks=("carrier", "spare"))])
    asterisk.phones = lambda endpoint, _variables: refuses(503) if "carrier" in endpoint else HANGS_UP
    for _number in range(3):
        await over_trunks.call()

    assert node.trunks.failures("carrier") == 3
    assert node.failures(CALLEE) == 0


async def test_E2_given_a_number_without_a_trunk_when_its_phone_refuses_then_nothing_is_counted(
    house: House,
) -> None:
    for _number in range(3):
        await house.call(behaviour=refuses(503))

    assert house.node.failures(CALLEE) == 0
    assert house.node.trunks._failures == {}
