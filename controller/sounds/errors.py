"""Why nothing comes of what is asked of a sound file or template.

::

    ContentError
    ├── SoundUnknown          the account has no such sound file
    ├── SoundInUse            calls in progress play it
    ├── TooManySounds         the account has as many as it may have
    ├── UploadsBusy           too many uploads are under way
    ├── UploadKept            the file isn't in the required form, and waits for being converted
    ├── UploadUnknown         there is no such file that waits
    ├── TemplateUnknown       the account has no such template
    ├── TemplateExists        the account has a template of this id already
    ├── NotADraft             it was submitted or approved already
    ├── PreviewUnavailable    this platform has no speech engine
    └── PreviewsBusy          too many previews are being made

What is wrong with a file, a name or a text is a PromptError of the prompts room.
"""

from collections.abc import Sequence

from controller.prompts.errors import SoundFileError


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


class UploadKept(ContentError):
    """The file was refused for `fault`; for an hour `ticket` names it, so that it can be converted."""

    def __init__(self, fault: SoundFileError, ticket: str) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.ticket = ticket


class UploadUnknown(ContentError):
    """The account has no such file that waits for being converted, or no longer."""


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
