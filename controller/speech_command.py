"""`voicecall speech`: fetch the model of the embedded voice, and hear what the engine in use says."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from controller.command import ConfigOption, failure, read_settings
from controller.key_file import KeyUnusable
from controller.prompts.errors import ModelError, PromptError
from controller.prompts.speech.fetch import fetch as fetch_files
from controller.prompts.speech.models import KOKORO_FILES, WHISPER_FILES
from controller.settings import Settings
from controller.speech import choose, make_engine, make_synthesiser

app = typer.Typer(help="The voice that reads templates and texts.", no_args_is_help=True)


@app.command()
def fetch(
    into: Annotated[Path | None, typer.Option(help="Folder; else speech.model_dir of the settings.")] = None,
    listening: Annotated[
        bool, typer.Option("--listening", help="The recogniser of the listening tests instead; needs --into.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Fetch the embedded voice's model (about 100 MB); what is there already is left alone."""
    if listening and into is None:
        raise failure("--listening needs --into: the platform itself does not use that model")
    folder = into or read_settings(config).speech_model_dir
    files = WHISPER_FILES if listening else KOKORO_FILES
    try:
        fetch_files(files, folder, lambda line: typer.echo(line, err=True))
    except ModelError as error:
        raise failure(str(error)) from None
    except OSError as error:
        raise failure(f"{folder}: {error.strerror}") from None


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    out: Annotated[Path, typer.Option(help="The WAV file to write.")],
    config: ConfigOption = None,
) -> None:
    """Say a text as a phone would hear it: 8 kHz A-law, by the reading rules."""
    settings = read_settings(config)
    choice = choose(settings)
    if choice.engine is None:
        raise failure(f"speech is not available: {choice.reason}")
    try:
        out.write_bytes(asyncio.run(_said(choice.engine, settings, text)))
    except PromptError as error:
        raise failure(str(error)) from None
    except KeyUnusable as error:
        raise failure(str(error)) from None
    except OSError as error:
        raise failure(f"{out}: {error.strerror}") from None
    typer.echo(f"{out} written ({choice.engine})")


async def _said(engine: str, settings: Settings, text: str) -> bytes:
    synthesiser = make_synthesiser(make_engine(engine, settings), settings)
    try:
        return await synthesiser.say(text)
    finally:
        await synthesiser.close()
