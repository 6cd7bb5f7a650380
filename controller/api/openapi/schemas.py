"""Schemas of an OpenAPI document, made from pydantic models."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

Json = dict[str, Any]
Key = tuple[type[BaseModel], JsonSchemaMode]

_PLACE = "#/components/schemas/"


def component_schemas(
    models: Iterable[Key], *, null_is_absent: bool = True
) -> tuple[Json, Mapping[Key, Json]]:
    """Schemas by name, and for each model the reference to its own.

    :param null_is_absent: whether fields that may be left out are described without the null that pydantic
        takes for it.
    """
    modes = list(dict.fromkeys(models))
    references, definitions = models_json_schema(modes, ref_template=f"{_PLACE}{{model}}")
    known = {it["$ref"].removeprefix(_PLACE) for it in references.values()}
    schemas = {
        name: _plain(it, null_is_absent=null_is_absent)
        for name, it in definitions.get("$defs", {}).items()
        if _is_used(name, known, definitions)
    }
    return dict(sorted(schemas.items())), {key: dict(it) for key, it in references.items()}  # type: ignore[misc]


def reference(name: str) -> Json:
    """Stands for the schema with this name."""
    return {"$ref": f"{_PLACE}{name}"}


def _is_used(name: str, known: set[str], definitions: Json) -> bool:
    """Types that describe themselves leave a definition behind to which nothing refers."""
    return name in known or f'"{_PLACE}{name}"' in json.dumps(definitions)


def _plain(schema: Any, *, null_is_absent: bool) -> Any:
    """A schema as people write it: without made-up titles."""
    if isinstance(schema, list):
        return [_plain(part, null_is_absent=null_is_absent) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        name: _plain(part, null_is_absent=null_is_absent)
        for name, part in schema.items()
        if name != "title" or isinstance(part, dict)
    }
    if null_is_absent and made.get("default", ...) is None:
        del made["default"]
        real = [part for part in made.pop("anyOf", []) if part != {"type": "null"}]
        for part in real:
            made |= part
    return made
