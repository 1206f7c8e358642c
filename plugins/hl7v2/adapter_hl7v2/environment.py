"""What codecs know of one message, and the text of its parts."""

from __future__ import annotations

import re
from typing import Any

from adapter.plugin.formats import DomainError, Settings
from adapter_hl7v2 import times
from adapter_hl7v2.encoding import NULL, Encoding
from adapter_hl7v2.message import Message

PLAIN = Encoding()  # of every message that is written


class Er7Environment:
    """What codecs need to know of one message: delimiters, charset, time zone."""

    __slots__ = (
        "cs", "encoding", "es", "join", "placed", "reported", "rs", "ss", "unescape", "usual",
        "zone",
    )  # fmt: skip

    def __init__(self, encoding: Encoding, settings: Settings) -> None:
        self.encoding = encoding
        self.cs = encoding.component
        self.rs = encoding.repetition
        self.es = encoding.escape
        self.usual = encoding.component == "^" and encoding.subcomponent == "&"
        self.ss = encoding.subcomponent
        self.join = encoding.join
        self.unescape = encoding.unescape
        self.zone = settings.timezone
        self.reported: list[tuple[Any, ...]] = []
        self.placed: list[tuple[list[str], str]] = []

    def report(self, number: int, error: DomainError, where: Any = None) -> None:
        """Keep what a row with ``else: report`` left out."""
        self.reported.append((number, error.why, where))


def reading(tree: Message, settings: Settings) -> Er7Environment:
    """The environment for reading one message."""
    return Er7Environment(tree.encoding, settings)


def writing(settings: Settings) -> Er7Environment:
    """The environment for writing one message."""
    return Er7Environment(PLAIN, settings)


def text(raw: str, env: Er7Environment) -> str | None:
    """The text of a part: its first component and subcomponent, escapes decoded."""
    if env.cs in raw:
        raw = raw.partition(env.cs)[0]
    if env.ss in raw:
        raw = raw.partition(env.ss)[0]
    if not raw or raw == NULL:
        return None
    return env.unescape(raw) or None


def quoted(value: str, env: Er7Environment) -> str:
    """The raw form of a text."""
    return env.encoding.quote(value)


def unlines(value: str, env: Er7Environment) -> str:
    """Text with its line ends as escapes."""
    return env.encoding.quote(one_kind(value) if "\r" in value else value)


def one_kind(value: str) -> str:
    """Text with one kind of line end."""
    return value.replace("\r\n", "\n").replace("\r", "\n")


def when(raw: str, env: Er7Environment) -> str | None:
    """The ISO 8601 form of a date or time; a local one is in the zone of the sender."""
    value = raw if raw.isalnum() else text(raw, env)
    return None if value is None else times.iso(value, env.zone)


_SPECIAL = re.compile(r'[\\^&"]').search


def plain(raw: str, env: Er7Environment) -> str | None:
    """`text`, quickly, for a value in the usual delimiters that needs no work."""
    return raw if env.usual and not _SPECIAL(raw) else text(raw, env)


_PAD = [""] * 24


def parts_of(raw: str, env: Er7Environment) -> list[str]:
    """The texts of the components of one repetition, from number 1 on; absent ones are empty."""
    parts = ["", *raw.split(env.cs), *_PAD]
    if env.es in raw or env.ss in raw or NULL in raw:
        return [text(part, env) or "" if part else "" for part in parts]
    return parts
