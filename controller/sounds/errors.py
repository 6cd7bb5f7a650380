"""Why nothing comes of what is asked of a sound file or template.

::

    ContentError
    ├── SoundUnknown          the account has no such sound file
    ├── SoundInUse            calls in progress play it
    ├── TooManySounds         the account has as many as it may have
    ├── UploadsBusy           too many uploads are under way
    ├── TemplateUnknown       the account has no such template
    ├── TemplateExists        the account has a template of this id already
    ├── NotADraft             it was submitted or approved already
    ├── PreviewUnavailable    this platform has no speech engine
    └── PreviewsBusy          too many previews are being made

What is wrong with a file, a name or a text is a PromptError of the prompts room.
"""

from collections.abc import Sequence


class ContentError(Exception):
    """Root of this room's errors."""


class SoundUnknown(ContentError):
    """The account has no such sound file."""


class SoundInUse(ContentError):
    """Calls in progress play the sound file; `sessions` are their session ids."""

    def __init__(self, name: str, sessions: Sequence[str]) -> None:
        named = ", ".join(sessions[:5]) + (" and others" if len(sessions) > 5 else "")
        super().__init__(f"{name} is used by {len(sessions)} call(s) in progress: {named}")
        self.sessions = tuple(sessions)


class TooManySounds(ContentError):
    """The account has as many sound files as it may have."""


class UploadsBusy(ContentError):
    """As many uploads are under way as the operator allows."""


class TemplateUnknown(ContentError):
    """The account has no such template."""


class TemplateExists(ContentError):
    """The account has a template of this id already."""


class NotADraft(ContentError):
    """Only a draft, or what was rejected, can be submitted."""


class PreviewUnavailable(ContentError):
    """This platform has no speech engine; the text says why."""


class PreviewsBusy(ContentError):
    """As many previews are being made as may be: calls need the voice, too."""
