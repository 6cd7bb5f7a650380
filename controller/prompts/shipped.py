"""The prompts that come with the program: default voices and digits, in Chinese and English."""

from pathlib import Path

from controller.prompts.library import PromptLibrary, StoredPrompt

CHINESE, ENGLISH = "zh", "en"


class ShippedPrompts:
    """Shipped prompts, put into the library when they are first asked for."""

    def __init__(self, library: PromptLibrary, folder: Path, secret: bytes = b"") -> None:
        """`secret` hides which digits a code has from those who see the names of files."""
        self._library = library
        self._folder = folder
        self._secret = secret
        self._stored: dict[str, StoredPrompt] = {}

    @property
    def digests(self) -> set[str]:
        """Of those that were asked for so far."""
        return {stored.digest for stored in self._stored.values()}

    def prompt(self, language: str, name: str) -> StoredPrompt:
        """A prompt such as ("zh", "transferring"). Raises FileNotFoundError if none is shipped."""
        return self._kept(f"{language}/{name}.wav")

    def _kept(self, path: str, secret: bytes = b"") -> StoredPrompt:
        if path not in self._stored:
            self._stored[path] = self._library.add((self._folder / path).read_bytes(), secret)
        return self._stored[path]

    def digit(self, language: str, digit: str) -> StoredPrompt:
        """A spoken digit."""
        return self._kept(f"{language}/digit_{digit}.wav", self._secret)

    def silence(self) -> StoredPrompt:
        """One second of nothing."""
        return self.prompt(".", "silence_1s")
