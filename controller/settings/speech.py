"""Settings of how templates and texts are spoken: section `speech`."""

from typing import Literal

from pydantic import Field, SecretStr

from controller.settings.section import Positive, Seconds, Section


class SpeechSettings(Section):
    """How templates and texts are spoken."""

    engine: Literal["auto", "kokoro", "http", "espeak", "off"] = Field(
        "auto",
        description="kokoro: the embedded voice; http: a server with the OpenAI-compatible speech call; "
        "espeak: espeak-ng, hardly intelligible in Chinese; auto: kokoro if its model is there, else espeak "
        "if the program is there; off: requests with speech are refused.",
    )
    model_dir: str = Field(
        "{data_dir}/speech-models",
        description="The embedded voice's model; `voicecall speech fetch` fills it.",
    )
    threads: int = Field(1, ge=1, description="CPU threads of the embedded voice.")
    niceness: int = Field(
        19, ge=0, le=19, description="Of the embedded voice's process; 19 lets everything else go first."
    )
    parallel: int = Field(1, ge=1, description="Sentences that are synthesised at the same time.")
    waiting: int = Field(
        64,
        ge=1,
        description="Prompts under way or waiting at most; a call that needs one more fails at once.",
    )
    timeout: Seconds = Field(60, description="Seconds that one sentence may take once it is its turn.")
    cache_megabytes: int = Field(512, ge=1, description="What synthesised prompts may take on disk.")
    cache_days: Positive = Field(
        30, description="Days after which a prompt that nobody was played is dropped."
    )
    http_url: str = Field(
        "", description="Address of the speech server: what comes before `/v1/audio/speech`."
    )
    http_model: str = Field("", description="Name of the model there.")
    http_voice_zh: str = Field("", description="Name of the voice there for Chinese.")
    http_voice_en: str = Field("", description="Name of the voice there for English.")
    http_api_key: SecretStr = Field(SecretStr(""), description="Key for the server, sent as a bearer token.")
