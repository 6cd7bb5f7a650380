"""What the commands have in common: the option that names the settings, and how a command fails."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from controller.faults import in_words
from controller.settings import Settings, load_settings

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else VOICECALL_CONFIG, else ./voicecall.toml."),
]


def failure(text: str) -> typer.Exit:
    """Say on standard error what is wrong; to be raised."""
    typer.echo(text, err=True)
    return typer.Exit(2)


def read_settings(path: Path | None) -> Settings:
    """The settings in force; ends the command with every fault named when they are wrong."""
    try:
        return load_settings(path)
    except FileNotFoundError as error:
        raise failure(str(error)) from None
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc']))} {in_words(fault, 'a section')}" for fault in error.errors()
        )
        raise failure("settings: " + "\nsettings: ".join(faults)) from None
    except ValueError as error:
        raise failure(f"settings: {error}") from None
