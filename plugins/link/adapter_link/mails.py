"""The mails as messages: plain text and simple HTML, in English or French, without PHI."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from html import escape
from importlib import resources
from typing import Any

from babel.dates import format_date

LANGUAGES = ("en", "fr")
_LOCALES = {"en": "en_CA", "fr": "fr_CA"}
_NAME = re.compile(r"\{([a-z_]+)\}")
_ALONE = "margin:1.5em 0"
_BUTTON = (
    "display:inline-block;padding:.7em 1.4em;border-radius:6px;background:#0b5563;"
    "color:#ffffff;text-decoration:none;font-weight:bold"
)
_CODE = "font-size:1.8em;letter-spacing:.2em;font-weight:bold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a mail needs besides its words."""

    sender: str
    recipient: str
    message_id: str
    date: datetime


@cache
def texts() -> Mapping[str, Any]:
    """All texts, as the file has them."""
    return tomllib.loads((resources.files("adapter_link") / "mails.toml").read_text("utf-8"))


def day(value: datetime, language: str) -> str:
    """A date in words; French says "1er" for the first of a month."""
    text = format_date(value, "long", locale=_LOCALES[language])
    return re.sub(r"^1 ", "1er ", text) if language == "fr" else text


def compose(
    event: str,
    language: str,
    values: Mapping[str, str | None],
    envelope: Envelope,
    *,
    urgent: bool = False,
    test: bool = False,
) -> EmailMessage:
    """One mail.

    `values` are the names in braces of mails.toml; a paragraph with an unknown value is left out.
    """
    words = texts()[language]
    text = words[event]
    known = {name: value for name, value in values.items() if value}
    subject = text.get("subject_by") if known.get("reply_by") else None
    subject = (subject or text["subject"]).format_map(known)
    paragraphs = [p for p in text["paragraphs"] if set(_NAME.findall(p)) <= known.keys()]
    paragraphs += [words["privacy"], words["help"]]
    message = EmailMessage()
    message["From"] = envelope.sender
    message["To"] = envelope.recipient
    message["Subject"] = (
        (words["test"] if test else "") + (words["urgent"] if urgent else "") + subject
    )
    message["Date"] = format_datetime(envelope.date)
    message["Message-ID"] = envelope.message_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content("\n\n".join(p.format_map(known) for p in paragraphs) + "\n")
    message.add_alternative(
        _html(paragraphs, known, language, text.get("button", "")), subtype="html"
    )
    message["Content-Language"] = language
    return message


def _html(paragraphs: list[str], known: Mapping[str, str], language: str, button: str) -> str:
    lines = "\n".join(_paragraph(p, known, button) for p in paragraphs)
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(known['reference'])}</title></head>\n"
        '<body style="font-family:sans-serif;font-size:16px;line-height:1.5;color:#1c2b33;'
        f'max-width:36em;overflow-wrap:anywhere">\n{lines}\n</body>\n</html>\n'
    )


def _paragraph(paragraph: str, known: Mapping[str, str], button: str) -> str:
    if paragraph == "{link}":
        link = escape(known["link"])
        return (
            f'<p style="{_ALONE}"><a href="{link}" style="{_BUTTON}">{escape(button)}</a></p>\n'
            f"<p>{link}</p>"
        )
    text = escape(paragraph.format_map(known))
    return f'<p style="{_CODE}">{text}</p>' if paragraph == "{code}" else f"<p>{text}</p>"
