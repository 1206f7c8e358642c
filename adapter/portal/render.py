"""Templates to pages: the Jinja environment, and the headers that every page carries.

Pages run no script and load nothing: the policy allows one style sheet, inline, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from adapter.plugin.pages import Page
from adapter.portal.catalogue import translations
from adapter.portal.speech import concept, person, phone_link, place
from adapter.portal.words import words

LANGUAGE_NAMES = {"en": "English", "fr": "Français"}
"""What each language calls itself, for the switch on every page."""


@cache
def style() -> str:
    """The one style sheet, without its comments and line ends."""
    text = (resources.files("adapter.portal") / "templates" / "style.css").read_text("utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "".join(line for line in lines if line and not line.startswith("/*"))


@cache
def _style_hash() -> str:
    return base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()


@cache
def environment(language: str) -> Environment:
    """The templates in one language; everything that is put in is escaped."""
    made = Environment(
        loader=PackageLoader("adapter.portal", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    spoken = words(language)
    made.filters.update(
        day=spoken.day,
        tongue=spoken.tongue,
        concept=concept,
        person=person,
        place=place,
        phone_link=phone_link,
    )
    made.globals.update(
        language=language,
        names=LANGUAGE_NAMES,
        spoken=spoken,
        style=Markup(style()),  # noqa: S704 - our own file, not input
    )
    return made


def html(template: str, language: str, values: Mapping[str, Any]) -> bytes:
    """One template in one language, as UTF-8."""
    return environment(language).get_template(template).render(values).encode()


def page(template: str, language: str, status: int, values: Mapping[str, Any]) -> Page:
    """A whole page with its headers."""
    return Page(status=status, body=html(template, language, values), headers=headers(language))


def headers(language: str) -> dict[str, str]:
    """What every page says of itself: no caching, no index, no referrer, no script, no frame."""
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": language,
        "Cache-Control": "no-store",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_style_hash()}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow, noarchive",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def see_other(location: str, language: str) -> Page:
    """Send the browser to a page by GET, so that a reload posts nothing again."""
    return Page(status=303, body=b"", headers={**headers(language), "Location": location})
