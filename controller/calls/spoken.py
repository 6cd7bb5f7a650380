"""What a call says: made playable before its phone is dialled, and kept until the call is over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Protocol

from controller.calls.call import LiveCall, PlayItem, Prompt, Spoken
from controller.calls.timeline import Kind
from controller.prompts.reading import Passage


class PlayableText(Protocol):
    """A text that Asterisk can play now."""

    @property
    def media(self) -> str: ...

    @property
    def seconds(self) -> float: ...

    @property
    def conversion_seconds(self) -> float: ...


class Speaker(Protocol):
    """Makes texts playable."""

    def playable(
        self, texts: Sequence[Sequence[Passage]]
    ) -> AbstractAsyncContextManager[Sequence[PlayableText]]:
        """A prompt for each text, all made at the same time; they stay until the end of the block.

        Raises SpeechError when one of them can't be made.
        """
        ...


@asynccontextmanager
async def made_playable(
    call: LiveCall, items: Sequence[PlayItem], speaker: Speaker | None
) -> AsyncIterator[list[PlayItem]]:
    """The items with a prompt in the place of every text. Raises SpeechError."""
    spoken = [item.prompt for item in items if isinstance(item.prompt, Spoken)]
    if not spoken:
        yield list(items)
        return
    assert speaker is not None, "a request with speech is refused where there is none"
    async with speaker.playable([words.passages for words in spoken]) as texts:
        # The same text twice was made once.
        conversions = {text.media: text.conversion_seconds for text in texts}
        call.tell(Kind.SPEECH, None, {"seconds": round(sum(conversions.values()), 3)})
        prompts = iter(
            Prompt(words.name, text.media, text.seconds, spoken=True)
            for words, text in zip(spoken, texts, strict=True)
        )
        yield [
            replace(item, prompt=next(prompts)) if isinstance(item.prompt, Spoken) else item for item in items
        ]
