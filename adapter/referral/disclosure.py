"""What a destination may see of a referral, as its policy says (disclosures.toml).

Whatever is withheld is listed by field, so that a navigator can decide to say more.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from adapter.referral.model import Person, Referral


class DisclosureError(ValueError):
    """There is no such policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy: fields to hide, identifier types to hide, kinds of notes to show."""

    name: str
    hide: tuple[str, ...]
    hide_sensitive_needs: bool
    hide_identifiers: frozenset[str]
    notes: frozenset[str]
    sensitive: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """A referral as a destination may see it, and the names of what it may not."""

    referral: Referral
    withheld: tuple[str, ...]


@cache
def policy(name: str = "community-minimum") -> Policy:
    """A policy by name.

    Raises:
        DisclosureError: no policy has this name.
    """
    file = resources.files("adapter.referral") / "disclosures.toml"
    table = tomllib.loads(file.read_text("utf-8"))
    row = table.get(name)
    if not isinstance(row, dict):
        raise DisclosureError(f"there is no disclosure policy {name!r}")
    return Policy(
        name=name,
        hide=tuple(row["hide"]),
        hide_sensitive_needs=row["hide_sensitive_needs"],
        hide_identifiers=frozenset(row["hide_identifiers"]),
        notes=frozenset(row["notes"]),
        sensitive=frozenset(table["sensitive"]),
    )


def disclose(referral: Referral, rules: Policy) -> Disclosed:
    """The referral with everything removed that these rules withhold."""
    withheld: list[str] = []
    changes: dict[str, object] = {}
    for name in rules.hide:
        if getattr(referral, name):
            withheld.append(name)
            changes[name] = () if isinstance(getattr(referral, name), tuple) else None
    if rules.hide_sensitive_needs:
        kept = tuple(need for need in referral.needs if need.category not in rules.sensitive)
        if len(kept) < len(referral.needs):
            withheld.append("needs")
            changes["needs"] = kept
    if "*" not in rules.notes:
        shown = tuple(note for note in referral.notes if note.kind in rules.notes)
        if len(shown) < len(referral.notes):
            withheld.append("notes")
            changes["notes"] = shown
    if referral.subject:
        person = _without_identifiers(referral.subject, rules)
        if person is not referral.subject:
            withheld.append("subject.identifiers")
            changes["subject"] = person
    return Disclosed(
        referral=replace(referral, **changes),  # type: ignore[arg-type]
        withheld=tuple(withheld),
    )


def _without_identifiers(person: Person, rules: Policy) -> Person:
    kept = tuple(i for i in person.identifiers if i.type not in rules.hide_identifiers)
    return person if len(kept) == len(person.identifiers) else replace(person, identifiers=kept)
