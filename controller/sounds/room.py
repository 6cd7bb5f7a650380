"""What accounts have played, put together: what the rest of the house needs of it, and what runs in it."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.clock import Clock
from controller.prompts.conversion.converter import Converter
from controller.prompts.library import PromptLibrary
from controller.prompts.speech.synthesiser import Synthesiser
from controller.settings import Settings
from controller.sounds.distribution import Distributor, Player
from controller.sounds.files import InUse, SoundFiles, SoundLimits
from controller.sounds.templates import VoiceTemplates
from controller.sounds.uploads import UploadDesk
from controller.store.database import Database

_MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True)
class Content:
    """Sound files and templates; `works` are to be run in the background."""

    sounds: SoundFiles
    templates: VoiceTemplates
    distributor: Distributor
    works: tuple[Coroutine[Any, Any, None], ...]


def sound_files(settings: Settings, database: Database, clock: Clock, in_use: InUse) -> SoundFiles:
    """The sound files that these settings speak of."""
    own = settings.sounds
    return SoundFiles(
        database,
        PromptLibrary(settings.draft_dir),
        PromptLibrary(settings.prompt_dir),
        Converter(timeout=own.convert_timeout, waiting=own.uploads),
        UploadDesk(settings.upload_dir, own.uploads),
        clock,
        SoundLimits(own.convert_megabytes * _MEGABYTE, own.files_per_account),
        in_use,
    )


async def opened_content(
    settings: Settings,
    database: Database,
    nodes: Sequence[Player],
    speech: Synthesiser | None,
    clock: Clock,
    in_use: InUse,
    on_usable: Callable[[], Awaitable[None]],
) -> Content:
    """The room, with nothing in it that a process that was killed left behind."""
    sounds = sound_files(settings, database, clock, in_use)
    await sounds.clear()
    distributor = Distributor(
        database, PromptLibrary(settings.draft_dir), PromptLibrary(settings.prompt_dir), nodes, on_usable
    )
    silence = "see `voicecall doctor`" if speech is None else ""
    templates = VoiceTemplates(database, speech, clock, silence)
    return Content(sounds, templates, distributor, (distributor.run(),))
