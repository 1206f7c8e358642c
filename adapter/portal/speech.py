"""Model values in words that need no catalogue: names, addresses, concepts, phone numbers."""

from __future__ import annotations

import re

from adapter.referral.model import Address, Concept, HumanName


def person(name: HumanName | None) -> str:
    """A name as one says it: prefix, given names, family name; empty if there is none."""
    if name is None:
        return ""
    if name.text:
        return name.text
    return " ".join([*name.prefix, *name.given, *([name.family] if name.family else ())])


def concept(meaning: Concept | None) -> str:
    """A concept's own words, or the first display of its codes, or the first code."""
    if meaning is None:
        return ""
    if meaning.text:
        return meaning.text
    shown = [c.display or c.code for c in meaning.codings if c.display or c.code]
    return shown[0] or "" if shown else ""


def place(address: Address) -> str:
    """An address on one line."""
    if address.text:
        return address.text
    parts = [*address.lines, address.city, address.state, address.postal_code]
    return ", ".join(part for part in parts if part)


def phone_link(number: str) -> str:
    """The digits of a phone number as a ``tel:`` link takes them (RFC 3966)."""
    return re.sub(r"(?!^\+)\D", "", number.strip())
