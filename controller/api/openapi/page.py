"""The document as a page: one file, no scripts, nothing from elsewhere."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

Json = dict[str, Any]

_STYLE = """
:root { color-scheme: light dark; --accent: #2f6fde; }
:root { --line: color-mix(in srgb, currentColor 15%, transparent); }
body { font: 15px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
h2 small { font-weight: normal; opacity: .7; display: block; font-size: .9rem; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { border: 1px solid var(--line); border-radius: 6px; padding: .8rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; }
th, td { border-bottom: 1px solid var(--line); white-space: pre-line; }
th { font-weight: 600; font-size: .85rem; opacity: .7; }
a { color: var(--accent); } nav ul { columns: 2; padding-left: 1.2rem; }
@media (max-width: 40rem) { nav ul { columns: 1; } table { display: block; overflow-x: auto; } }
"""


def page(document: Json) -> str:
    """HTML of an OpenAPI document of ours."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    base = document["servers"][0]["url"].rstrip("/")
    requests = [
        _entry(document, base + path, method, it) for path, method, it in _operations(document["paths"])
    ]
    webhooks = document.get("webhooks", {})
    pushes = [_entry(document, "", "post", item["post"]) for item in webhooks.values()]
    links = "".join(
        f'<li><a href="#{it["operationId"]}">{escape(it["summary"])}</a></li>' for it in _all(document)
    )
    about = "".join(f"<p>{_text(part)}</p>" for part in info["description"].strip().split("\n\n"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>{about}"
        '<p>For programs: <a href="openapi.json">openapi.json</a></p>'
        f'<nav aria-label="Operations"><ul>{links}</ul></nav>'
        f"<main>{''.join(requests)}{''.join(pushes)}</main></body></html>\n"
    )


def _operations(paths: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield path, method, operation


def _all(document: Json) -> Iterator[Json]:
    yield from (operation for _path, _method, operation in _operations(document["paths"]))
    yield from (item["post"] for item in document.get("webhooks", {}).values())


def _entry(document: Json, path: str, method: str, operation: Json) -> str:
    where = f"{method.upper()} {path}" if path else "to your address"
    parts = [
        f'<section><h2 id="{operation["operationId"]}">{escape(operation["summary"])}'
        f"<small><code>{escape(where)}</code></small></h2><p>{_text(operation['description'])}</p>"
    ]
    if "parameters" in operation:
        rows = [
            (it["name"], _kind(document, it["schema"]), it.get("description", ""))
            for it in operation["parameters"]
        ]
        parts.append(_table(("parameter", "type", "meaning"), rows))
    if "requestBody" in operation:
        parts += _body(document, operation["requestBody"]["content"])
    if path:
        for status, answer in operation["responses"].items():
            done = answer.get("content", {}).get("application/json")
            parts += _fields(document, done["schema"]) if done and status.startswith("2") else ()
        parts.append(_answers(operation["responses"]))
    return "".join(parts) + "</section>"


def _body(document: Json, taken: Json) -> Iterator[str]:
    """What is sent: fields of JSON, or a file."""
    if "application/json" not in taken:
        yield f"<p>{_text('A file: `' + '`, `'.join(taken) + '`.')}</p>"
        return
    content = taken["application/json"]
    for schema in content["schema"].get("oneOf", [content["schema"]]):
        yield from _fields(document, schema)
    if "example" in content:
        yield f"<pre>{escape(json.dumps(content['example'], indent=2, ensure_ascii=False))}</pre>"


def _fields(document: Json, schema: Json, within: str = "") -> Iterator[str]:
    """A table of a schema, and of those within it."""
    found = _resolved(document, schema)
    required = found.get("required", [])
    rows, inner = [], []
    for name, field in found["properties"].items():
        item = field.get("items", field)
        if "$ref" in item and "properties" in _resolved(document, item):
            inner.append((item, f"{within}{name}."))
        needed = "" if name in required else " (optional)"
        rows.append((f"{within}{name}", f"{_kind(document, field)}{needed}", field.get("description", "")))
    if "description" in found:
        yield f"<p>{_text(found['description'])}</p>"
    yield _table(("field", "type", "meaning"), rows)
    for item, place in inner:
        yield from _fields(document, item, place)


def _kind(document: Json, field: Json) -> str:
    if "oneOf" in field:
        return '"true" or "false", or a boolean'
    if "const" in field or "enum" in field:
        return " | ".join(json.dumps(value) for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        limits = f", {field['minItems']} to {field['maxItems']}" if "minItems" in field else ""
        return f"array{limits}"
    if "$ref" in field:
        return "object"
    kind = str(field.get("type", "any"))
    if "minimum" in field:
        kind += f" {field['minimum']} to {field['maximum']}"
    elif "maxLength" in field:
        kind += f" ({field.get('minLength', 0)}-{field['maxLength']})"
    if "default" in field:
        kind += f", default {json.dumps(field['default'])}"
    return kind


def _answers(responses: Json) -> str:
    rows = []
    for status, answer in responses.items():
        examples = answer.get("content", {}).get("application/json", {}).get("examples", {})
        told = [f"`{code}` {it['value']['resultdesc']}" for code, it in examples.items()]
        rows.append((status, "", "\n".join(told) or answer["description"]))
    return _table(("status", "", "answer"), rows)


def _table(heads: tuple[str, str, str], rows: list[tuple[str, str, str]]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{_text(text)}</td></tr>"
        for name, kind, text in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema
