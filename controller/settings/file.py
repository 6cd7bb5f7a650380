"""The settings as a file: every setting with its default and what it means, made from the code."""

import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from controller.settings import Settings

_WIDTH = 100


def initial_settings(directory: Path, speech_model: Path | None = None) -> dict[str, dict[str, Any]]:
    """What `voicecall init` sets for one machine: passwords, an Asterisk that keeps its files below
    `directory`, receivers on loopback, and where the embedded voice's model is, if it is already somewhere.
    """
    node = directory / "asterisk"
    return {
        "speech": {"model_dir": str(speech_model)} if speech_model else {},
        "asterisk": {
            "ari_password": secrets.token_urlsafe(18),
            "ami_password": secrets.token_urlsafe(18),
            "etc_dir": str(node / "etc"),
            "recording_dir": str(node / "spool" / "recording"),
        },
        "pushes": {"allowed_networks": ["127.0.0.0/8", "::1/128"]},
    }


def settings_text(values: Mapping[str, Mapping[str, Any]]) -> str:
    """A voicecall.toml in which `values` are set and everything else stands as a comment."""
    lines = [
        "# Settings of voicecall. A line that begins with # shows the default; remove the # to change it.",
        "# Each can also come from the environment: VOICECALL_HTTP__PORT=8080 wins over [http] port.",
        "",
    ]
    sections: list[tuple[str, type[BaseModel], str]] = []
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            kind = type(field.default)
            sections.append((name, kind, (kind.__doc__ or "").strip()))
        else:
            lines += _entry(name, field, values.get("", {}))
    for name, kind, meaning in sections:
        lines += ["", f"[{name}]", *_comment(meaning)]
        for setting, field in kind.model_fields.items():
            lines += _entry(setting, field, values.get(name, {}))
    return "\n".join(lines) + "\n"


def _entry(name: str, field: FieldInfo, values: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield from _comment(field.description or "")
    if name in values:
        yield f"{name} = {_toml(values[name])}"
    else:
        yield f"# {name} = {_toml(field.default)}"


def _comment(text: str) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + len(word) > _WIDTH:
            yield line
            line = "#"
        line += f" {word}"
    yield line


def _toml(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + "}"
    # JSON's strings, numbers and booleans are TOML's too. Networks are written as they read.
    return json.dumps(value, ensure_ascii=False, default=str)


def settings_table() -> str:
    """docs/reference/configuration.md."""
    lines = [
        "# Configuration",
        "",
        "Made from the code by `voicecall settings --reference`; `make check` fails when it is out of date.",
        "",
        "Settings come from one file, `voicecall.toml` (`--config`, else `VOICECALL_CONFIG`, else the",
        "working directory), and from the environment, which wins: `VOICECALL_HTTP__PORT=8080` is",
        "`[http] port`. `voicecall init` writes the file with every setting explained.",
        "",
    ]
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            kind = type(field.default)
            lines += ["", f"## [{name}]", "", (kind.__doc__ or "").strip(), "", *_table_head()]
            lines += [_table_row(setting, part) for setting, part in kind.model_fields.items()]
        else:
            if lines[-1] == "":
                lines += _table_head()
            lines.append(_table_row(name, field))
    return "\n".join(lines) + "\n"


def _table_head() -> list[str]:
    return ["| setting | default | meaning |", "| --- | --- | --- |"]


def _table_row(name: str, field: FieldInfo) -> str:
    return f"| `{name}` | `{_toml(field.default)}` | {field.description} |"
