"""How a sender departs from the standard: data, one table of dialects.toml each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from adapter.plugin import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way to speak HL7 v2.

    Attributes:
        summary: one line for people.
        charset: the codec to read with whatever MSH-18 says, or None.
        default_charset: the codec of a message whose MSH-18 is empty.
        keyed_by_content: True if messages have no control id and are told apart by their bytes.
        sending_applications: the values of MSH-3.1 that tell this dialect from others.
        versions: the values of MSH-12 that it uses; none means all.
        identifier_types: patient identifier types that are not in HL7 table 0203.
        recipient_roles: the values of PRD-1 that name who is asked.
        base64_notes: the values of NTE-4.2 whose NTE-3 is base64 of UTF-8 text.
    """

    name: str
    summary: str = ""
    charset: str | None = None
    default_charset: str = "utf-8"
    keyed_by_content: bool = False
    sending_applications: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    identifier_types: tuple[str, ...] = ()
    recipient_roles: tuple[str, ...] = ()
    base64_notes: tuple[str, ...] = ()


@cache
def dialects() -> dict[str, Dialect]:
    """Every dialect by name, ``generic`` first."""
    table = tomllib.loads(files(__package__).joinpath("dialects.toml").read_text("utf-8"))
    found: dict[str, Dialect] = {}
    generic = Dialect(name="generic")
    for name, settings in table.items():
        values: dict[str, Any] = {"name": name}
        for key, value in settings.items():
            values[key] = tuple(value) if isinstance(value, list) else value
        found[name] = replace(generic, **values)
        generic = found["generic"]
    return found


def dialect(name: str) -> Dialect:
    """A dialect by name.

    Raises:
        ConfigError: ``hl7v2.dialect-unknown``.
    """
    found = dialects().get(name)
    if found is None:
        raise ConfigError(
            "hl7v2.dialect-unknown",
            "there is no such HL7 v2 dialect",
            fix=f"use one of {', '.join(dialects())}",
        )
    return found


def recognise(sending_application: str) -> str:
    """The name of the dialect that a sender's MSH-3.1 shows, or ``generic``."""
    for known in dialects().values():
        if sending_application in known.sending_applications:
            return known.name
    return "generic"


GENERIC = dialects()["generic"]
