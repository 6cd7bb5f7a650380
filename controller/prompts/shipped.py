"""The prompts that come with the program: default voices and digits, in Chinese and English."""

from pathlib import Path

from controller.prompts.library import PromptLibrary, StoredPrompt

CHINESE, ENGLISH = "zh", "en"


class ShippedPrompts:
    """Shipped prompts, put into the library when they are first asked for."""

    def __init__(self, library: PromptLibrary, folder: Path) -> None:
        self._library = library
        self._folder = folder
        self._stored: dict[str, StoredPrompt] = {}

    def prompt(self, language: str, name: str) -> StoredPrompt:
        """A prompt such as ("zh", "transferring"). Raises FileNotFoundError if none is shipped."""
        path = f"{language}/{name}.wav"
        if path not in self._stored:
            self._stored[path] = self._library.add((self._folder / path).read_bytes())
        return self._stored[path]

    def digit(self, language: str, digit: str) -> StoredPrompt:
        """A spoken digit."""
        return self.prompt(language, f"digit_{digit}")

    def silence(self) -> StoredPrompt:
        """One second of nothing."""
        return self.prompt(".", "silence_1s")
