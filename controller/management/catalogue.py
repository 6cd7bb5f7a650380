"""All operations of the management API."""

from controller.management.operations import Operation
from controller.management.resources import (
    accounts,
    audit,
    billing,
    contacts,
    reviews,
    sessions,
    sounds,
    spending,
    templates,
    tokens,
    users,
)

OPERATIONS: tuple[Operation, ...] = tuple(
    operation
    for module in (
        sessions,
        accounts,
        users,
        tokens,
        sounds,
        templates,
        reviews,
        contacts,
        billing,
        spending,
        audit,
    )
    for operation in module.operations
)
