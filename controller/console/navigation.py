"""What there is to go to, by role."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controller.console.words import N_
from controller.management.roles import Actor, Role


@dataclass(frozen=True)
class Place:
    """A page in the navigation."""

    path: str
    title: str
    needs: Role = Role.VIEWER
    operator_only: bool = False
    key: str = ""
    """Pressed after g."""


@dataclass(frozen=True)
class Group:
    """Places that belong together."""

    title: str
    places: Sequence[Place]


GROUPS: Final = (
    Group(
        "",
        (
            Place("/dashboard", N_("Dashboard"), key="d"),
            Place("/first-call", N_("Make a call"), Role.DEVELOPER, key="m"),
            Place("/calls", N_("Calls"), key="c"),
            Place("/live", N_("Live calls"), key="l"),
            Place("/phone", N_("Phone"), Role.DEVELOPER, key="p"),
        ),
    ),
    Group(
        N_("Content"),
        (
            Place("/applications", N_("Applications"), key="a"),
            Place("/numbers", N_("Numbers"), key="n"),
            Place("/sounds", N_("Sound files"), key="s"),
            Place("/templates", N_("Voice templates"), key="t"),
            Place("/reviews", N_("Review"), key="r"),
            Place("/recordings", N_("Recordings")),
            Place("/inspection", N_("Quality inspection"), Role.OPERATOR, operator_only=True),
            Place("/pushes", N_("Pushes")),
        ),
    ),
    Group(
        N_("Money"),
        (Place("/billing", N_("Billing"), key="b"), Place("/spending", N_("Spending"))),
    ),
    Group(
        N_("Administration"),
        (
            Place("/accounts", N_("Accounts")),
            Place("/enterprises", N_("Enterprises")),
            Place("/contacts", N_("Contacts")),
            Place("/users", N_("Users"), Role.ADMINISTRATOR),
            Place("/tokens", N_("API tokens")),
            Place("/trunks", N_("Trunks and routes"), operator_only=True),
            Place("/nodes", N_("Nodes"), operator_only=True),
            Place("/audit", N_("Audit trail"), Role.OPERATOR),
        ),
    ),
)


def navigation(actor: Actor) -> list[Group]:
    """The groups with the places that this user may go to."""
    groups = (Group(group.title, [place for place in group.places if _may(actor, place)]) for group in GROUPS)
    return [group for group in groups if group.places]


def _may(actor: Actor, place: Place) -> bool:
    return actor.role.covers(place.needs) and (actor.is_operators or not place.operator_only)
