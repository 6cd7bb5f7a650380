"""The console's languages: English is what stands in the code, others come from `translations/`."""

import gettext
import io
from functools import cache
from pathlib import Path
from typing import Final

from controller.wording import N_ as N_

FOLDER: Final = Path(__file__).parent / "translations"
LANGUAGES: Final = {"en": "English", "zh-CN": "中文"}
"""By tag, in their own words."""


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The messages of a language; each page's are in a file of their own."""
    from babel.messages.catalog import Catalog
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    folder = FOLDER / language.replace("-", "_")
    if not folder.is_dir():
        return gettext.NullTranslations()
    whole = Catalog(locale=language.replace("-", "_"))
    for path in sorted(folder.glob("*.po")):
        for message in read_po(io.BytesIO(path.read_bytes()), locale=whole.locale):
            if message.id:
                whole[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def language_of(wanted: str | None, accepted: str) -> str:
    """The language that was chosen, else the first that the browser takes and we have, else English."""
    if wanted in LANGUAGES:
        return wanted
    for part in accepted.split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh-CN"
        if tag.startswith("en"):
            return "en"
    return "en"
