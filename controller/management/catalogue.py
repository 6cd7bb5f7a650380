"""All operations of the management API."""

from controller.management.operations import Operation
from controller.management.resources import (
    accounts,
    applications,
    audit,
    billing,
    contacts,
    enterprises,
    nodes,
    numbers,
    reviews,
    sessions,
    sounds,
    spending,
    templates,
    tokens,
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
    sounds,
    templates,
    reviews,
    contacts,
    billing,
    spending,
    nodes,
    audit,
)

OPERATIONS: tuple[Operation, ...] = tuple(operation for module in _MODULES for operation in module.operations)
