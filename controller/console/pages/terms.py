"""The words for what the platform's parts can be, and the colours of their states."""

from collections.abc import Mapping
from typing import Any, Final

from controller.console.words import N_
from controller.management.roles import Role
from controller.store.enterprise_tables import DocumentKind, EnterpriseState
from controller.store.tables import NumberState, PushProfile, Service

SERVICES: Final = {
    Service.CALLBACK: N_("voice callback"),
    Service.NOTIFICATION: N_("voice notification"),
    Service.VERIFICATION: N_("verification code"),
}
PUSH_PROFILES: Final = {
    PushProfile.COMPAT: N_("as the cloud does: status once, CDRs seven times"),
    PushProfile.DURABLE: N_("durable: everything in order, again for three days"),
}
NUMBER_STATES: Final = {
    NumberState.ORDERED: ("progress", N_("ordered")),
    NumberState.ACTIVE: ("success", N_("active")),
    NumberState.SUSPENDED: ("warn", N_("suspended")),
    NumberState.RELEASED: ("neutral", N_("released")),
}
ENTERPRISE_STATES: Final = {
    EnterpriseState.DRAFT: ("neutral", N_("draft")),
    EnterpriseState.SUBMITTED: ("progress", N_("submitted")),
    EnterpriseState.APPROVED: ("success", N_("approved")),
    EnterpriseState.REJECTED: ("fail", N_("rejected")),
}
DOCUMENTS: Final = {
    DocumentKind.LICENCE: N_("Copy of the licence"),
    DocumentKind.COMMITMENT_LETTER: N_("Letter of commitment"),
    DocumentKind.APPLICATION_LETTER: N_("Letter of application"),
    DocumentKind.IDENTITY_FRONT: N_("Identity card, front"),
    DocumentKind.IDENTITY_BACK: N_("Identity card, back"),
}
ROLES: Final = {role: role.value for role in Role}
"""The frame has them as messages."""


def any_of(words: Mapping[Any, str | tuple[str, str]]) -> list[tuple[str, str]]:
    """Choices of a filter: any, or one of these."""
    return [("", N_("any")), *one_of(words)]


def one_of(words: Mapping[Any, str | tuple[str, str]]) -> list[tuple[str, str]]:
    """Choices of a form."""
    return [(str(value), word if isinstance(word, str) else word[1]) for value, word in words.items()]
