"""All operations of the management API."""

from controller.management.operations import Operation
from controller.management.resources import (
    accounts,
    audit,
    contacts,
    reviews,
    sessions,
    sounds,
    templates,
    tokens,
    users,
)

OPERATIONS: tuple[Operation, ...] = tuple(
    operation
    for module in (sessions, accounts, users, tokens, sounds, templates, reviews, contacts, audit)
    for operation in module.operations
)
