"""The same by API: commands to copy."""

import json
import shlex
from typing import Any
from urllib.parse import urlencode

from controller.management.operations import PREFIX


def curl(base_url: str, method: str, path: str, body: Any = None, version: bool = False, **query: str) -> str:
    """A shell command that asks the management API, with a token in $TOKEN; nothing in it is run.

    :param version: whether the operation asks for the version that is changed.
    """
    address = base_url + PREFIX + path + (f"?{urlencode(query)}" if query else "")
    parts = [f"curl -sS {'' if method == 'GET' else f'-X {method} '}{shlex.quote(address)}"]
    parts.append('-H "Authorization: Bearer $TOKEN"')
    if version:
        parts.append("-H 'If-Match: *'")
    if body is not None:
        parts.append("-H 'Content-Type: application/json'")
        parts.append("-d " + shlex.quote(json.dumps(body, ensure_ascii=False)))
    return " \\\n  ".join(parts)
