"""An engine behind HTTP: ``POST /v1/audio/speech``, the call that OpenAI introduced and many servers have."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import aiohttp

from controller.prompts.conversion.decode import samples_of
from controller.prompts.errors import SoundFileError, SpeechEngineError
from controller.prompts.speech.engine import Language, Passage, Speech
from controller.prompts.speech.trim import trim

_MOST_BYTES: Final = 32 * 1024 * 1024


class HttpSpeechEngine:
    """Asks an OpenAI-compatible server for WAV.

    :param base_url: what comes before ``/v1/audio/speech``.
    :param model: name of the model, as the server knows it.
    :param voices: name of the voice for each language.
    :param api_key: sent as a bearer token; never part of a message or of the identity.
    :param timeout: seconds for one call.
    :param session: used and not closed when given; else one of our own is made with the first call.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str,
        voices: Mapping[Language, str],
        api_key: str | None = None,
        speed: float = 1.0,
        timeout: float = 30.0,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/v1/audio/speech"
        self._model = model
        self._voices = dict(voices)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._speed = speed
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session = session
        self._own = session is None

    def __repr__(self) -> str:
        return f"HttpSpeechEngine({self._url!r}, model={self._model!r})"

    @property
    def identity(self) -> str:
        """Address, model, voices and speed."""
        voices = "+".join(f"{language}:{voice}" for language, voice in sorted(self._voices.items()))
        return f"http/{self._url}/{self._model}/{voices}/{self._speed:g}"

    async def prepare(self) -> None:
        """The server prepares itself."""

    async def speak(self, passage: Passage) -> Speech:
        """Sound of ``passage`` at the rate that the server chooses.

        :raises SpeechEngineError: the server can't be reached, refuses, or answers with something else.
        """
        file = await self._ask(passage)
        try:
            # A server that streams doesn't know the length when it writes the header.
            samples, rate = samples_of(file)
        except SoundFileError as error:
            raise SpeechEngineError(f"The speech server gave no usable sound: {error}") from error
        return Speech(await asyncio.to_thread(trim, samples, rate), rate)

    async def close(self) -> None:
        """Close the session when it is our own."""
        if self._own and self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, passage: Passage) -> bytes:
        voice = self._voices.get(passage.language)
        if voice is None:
            raise SpeechEngineError(f"No voice is configured for the language {passage.language.value!r}")
        if self._session is None:
            self._session = aiohttp.ClientSession()
        request = {
            "model": self._model,
            "voice": voice,
            "input": passage.text,
            "response_format": "wav",
            "speed": self._speed,
        }
        try:
            async with self._session.post(
                self._url,
                json=request,
                headers=self._headers,
                timeout=self._timeout,
                # A redirect would carry the key to another host.
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    raise SpeechEngineError(f"The speech server answered with status {response.status}")
                return await _limited(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise SpeechEngineError(f"The speech server can't be asked: {reason}") from error


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > _MOST_BYTES:
            raise SpeechEngineError(f"The speech server sent more than {_MOST_BYTES} bytes")
    return bytes(body)
