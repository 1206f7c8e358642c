"""How a sender departs from the standard: data, one row a dialect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way to speak HL7 v2.

    Attributes:
        charset: the codec to read with whatever MSH-18 says, or None.
        default_charset: the codec of a message whose MSH-18 is empty.
        keyed_by_content: True if messages have no control id and are told apart by their bytes.
    """

    name: str
    charset: str | None = None
    default_charset: str = "utf-8"
    keyed_by_content: bool = False


GENERIC = Dialect(name="generic")
