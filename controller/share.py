"""Where the files that come with the program are: configuration templates, dialplan, prompts."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shared(name: str) -> Path:
    """The shipped folder `name`: in the package when installed from a wheel, else in the checkout."""
    installed = _PACKAGE / "share" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
