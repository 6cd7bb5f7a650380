"""Lists by cursor: a page begins after the last key of the one before, however far in it is.

A cursor is opaque to clients. It holds that key and a digest of the other parameters; it gives access to
nothing, as every page is filtered anew.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, tuple_
from sqlmodel import Session

from controller.management.models import Page, PageQuery
from controller.management.problems import wrong_field

Row = TypeVar("Row")
Item = TypeVar("Item")


def paged(
    session: Session,
    statement: Select[Any],
    keys: Sequence[Any],
    query: PageQuery,
    path: str,
    view: Callable[[Any], Item],
    *,
    descending: bool = False,
    params: str = "",
) -> Page[Item]:
    """One page of what `statement` selects. Raises Invalid for a cursor that is none of this list.

    :param statement: a select of one entity or of columns, the keys among them, filtered, without order or
        limit.
    :param keys: columns that together are unique and never null: the order.
    :param params: the query string without its cursor, for the next page's address.
    """
    list_id = _list_id(path, params)
    if query.cursor is not None:
        after = _decoded(query.cursor, keys, list_id)
        place = tuple_(*keys)
        statement = statement.where(place < tuple_(*after) if descending else place > tuple_(*after))
    statement = statement.order_by(*(key.desc() if descending else key for key in keys))
    found = session.execute(statement.limit(query.limit + 1))
    rows: list[Any] = list(found.scalars() if len(statement.column_descriptions) == 1 else found)
    shown = rows[: query.limit]
    following = None
    if len(rows) > query.limit:
        cursor = _encoded([getattr(shown[-1], key.key) for key in keys], list_id)
        following = f"{path}?{params}&cursor={cursor}" if params else f"{path}?cursor={cursor}"
    return Page[Any](items=[view(row) for row in shown], next=following)


def _list_id(path: str, params: str) -> str:
    return hashlib.sha256(f"{path}?{params}".encode()).hexdigest()[:12]


def _encoded(values: Sequence[Any], list_id: str) -> str:
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([list_id, *plain]).encode()).decode().rstrip("=")


def _decoded(cursor: str, keys: Sequence[Any], list_id: str) -> list[Any]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        given = json.loads(base64.b64decode(padded, b"-_", validate=True))
        whose, *values = given
        if whose != list_id or len(values) != len(keys):
            raise ValueError
        return [_typed(value, _kind(key)) for value, key in zip(values, keys, strict=True)]
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise wrong_field("cursor", "belongs to no page of this list", "query") from None


def _kind(key: Any) -> type:
    """What a column's values are, also where its type is one of ours around another."""
    kind: type = getattr(key.type, "impl_instance", key.type).python_type
    return kind


def _typed(value: Any, kind: type) -> Any:
    if kind is datetime:
        made = datetime.fromisoformat(value)
        if made.tzinfo is None:
            raise ValueError
        return made
    if type(value) is not kind:
        raise ValueError
    if isinstance(value, str) and not value.isprintable():
        raise ValueError
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ValueError
    return value
