"""The portal's words in each language: gettext catalogues, read from their sources.

``locale/<language>/LC_MESSAGES/portal.po`` is what translators edit and what is shipped. The
binary form that gettext reads is made in memory when a language is first used, so that a wheel, an
editable install and a changed catalogue need no extra step.
"""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations
from importlib import resources
from io import BytesIO
from typing import BinaryIO, cast

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES: tuple[str, ...] = ("en", "fr")
"""The languages that every string exists in; the first is the one the templates are written in."""

DOMAIN = "portal"


def mark(text: str) -> str:
    """Give back `text`; marks it for translation where it is defined and not yet shown."""
    return text


def known(language: str) -> str:
    """The language if there is a catalogue for it (``fr-CA`` counts as ``fr``), else English."""
    short = language.split("-")[0].split("_")[0].lower()
    return short if short in LANGUAGES else LANGUAGES[0]


def source(language: str) -> Catalog:
    """The catalogue of a language as its translators wrote it."""
    file = resources.files("adapter.portal") / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    with file.open("rb") as stream:
        return read_po(cast(BinaryIO, stream), locale=language, domain=DOMAIN)


@cache
def translations(language: str) -> GNUTranslations:
    """The catalogue of a language, ready for gettext; made once."""
    binary = BytesIO()
    write_mo(binary, source(language))
    binary.seek(0)
    return GNUTranslations(binary)
