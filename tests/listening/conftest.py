from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from controller.prompts.speech.synthesiser import Synthesiser
from controller.settings import Settings, SpeechSettings
from controller.speech import running_speech
from testbed.ear import Ear
from testbed.platform import SPEECH_MODEL


@pytest.fixture(scope="session")
def ear() -> Ear:
    return Ear.open()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def synthesiser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Synthesiser]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("speech"),
        speech=SpeechSettings(
            engine="kokoro", model_dir=str(SPEECH_MODEL), niceness=0, parallel=2, timeout=300
        ),
    )
    async with running_speech(settings) as made:
        assert made is not None
        yield made
