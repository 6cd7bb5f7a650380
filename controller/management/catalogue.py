"""All operations of the management API."""

from controller.management.operations import Operation
from controller.management.resources import accounts, audit, billing, sessions, spending, tokens, users

OPERATIONS: tuple[Operation, ...] = tuple(
    operation
    for module in (sessions, accounts, users, tokens, billing, spending, audit)
    for operation in module.operations
)
