"""Nodes and health, when the node is away; with a real one: tests/integration/test_management.py."""

import pytest
from service.management.world import World

from controller.store.schema import revisions

pytestmark = pytest.mark.requirement("C9", "E3")


async def test_E3_given_a_node_that_is_away_when_asked_for_then_it_says_so(here: World) -> None:
    nodes = await here.ask("GET", "/nodes")
    health = await here.ask("GET", "/health")

    assert nodes.body == {
        "items": [
            {
                "name": here.services.fleet.first.name,
                "available": False,
                "reachable": False,
                "draining": False,
                "weight": 1.0,
                "version": None,
                "started_at": None,
                "live_calls": 0,
            }
        ],
        "next": None,
    }
    assert (health.body["healthy"], health.body["nodes"], health.body["available_nodes"]) == (False, 1, 0)


async def test_E3_given_a_database_when_health_is_asked_for_then_its_schema_is_told(here: World) -> None:
    _present, newest = revisions(here.services.settings.database_url)

    assert (await here.ask("GET", "/health")).body["schema_revision"] == newest
