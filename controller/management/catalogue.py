"""All operations of the management API."""

from controller.management.operations import Operation
from controller.management.resources import (
    accounts,
    applications,
    audit,
    billing,
    calls,
    contacts,
    enterprises,
    nodes,
    numbers,
    phones,
    pushes,
    recordings,
    reviews,
    sessions,
    sounds,
    spending,
    statements,
    templates,
    tokens,
    trunks,
    users,
)

_MODULES = (
    sessions,
    accounts,
    users,
    tokens,
    enterprises,
    applications,
    numbers,
    trunks,
    phones,
    calls,
    recordings,
    pushes,
    sounds,
    templates,
    reviews,
    contacts,
    billing,
    statements,
    spending,
    nodes,
    audit,
)

OPERATIONS: tuple[Operation, ...] = tuple(operation for module in _MODULES for operation in module.operations)
