"""All operations of the management API."""

from controller.management.operations import Operation
from controller.management.resources import (
    accounts,
    applications,
    audit,
    enterprises,
    nodes,
    numbers,
    sessions,
    tokens,
    users,
)

_MODULES = (sessions, accounts, users, tokens, enterprises, applications, numbers, nodes, audit)

OPERATIONS: tuple[Operation, ...] = tuple(operation for module in _MODULES for operation in module.operations)
