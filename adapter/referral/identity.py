"""Ids of what a message maps to: the same message always gives the same ids.

Each part gets a uuid5 of the site and of what identifies it there, so that mapping again, or
receiving again, never makes a second one (design: uuid5 of site and source identifiers). A part
without any identifier of its own is identified by its place in its parent.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

NAMESPACE = uuid.UUID("6f4b1f0e-3a52-5c1b-9d53-0b8a5c1f7e21")

Document = dict[str, Any]


_PARTS = (
    ("RelatedPerson", "related"),
    ("Condition", "needs"),
    ("DocumentReference", "documents"),
    ("Observation", "observations"),
    ("QuestionnaireResponse", "answers"),
)
_OUTCOMES = (
    ("Procedure", "activities"),
    ("QuestionnaireResponse", "measures"),
    ("Observation", "observations"),
    ("DocumentReference", "documents"),
)


_NAMED = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)


def mapped_id(*parts: str) -> str:
    """The uuid5 (RFC 4122, 4.3) of these parts, in this order, as `uuid.uuid5` makes it.

    A message has twenty of them, and `uuid.uuid5` begins each with the namespace again.
    """
    named = _NAMED.copy()
    named.update("\x1f".join(parts).encode())
    made = named.hexdigest()
    variant = "89ab"[int(made[16], 16) & 3]
    return f"{made[:8]}-{made[8:12]}-5{made[13:16]}-{variant}{made[17:20]}-{made[20:32]}"


def placer(referral: Document) -> Document | None:
    """The identifier that the requester knows it by: PLAC, else the first with a value."""
    identifiers = [each for each in referral.get("identifiers", ()) if each.get("value")]
    for identifier in identifiers:
        if identifier.get("type") == "PLAC":
            return dict(identifier)
    return dict(identifiers[0]) if identifiers else None


def assign_ids(event: Document, site: str) -> None:
    """Give every part of a canonical event that lacks an id its own, in place.

    Args:
        event: a ReferralEvent document.
        site: whose identifiers these are; ids of two sites never meet.
    """
    referral = event.get("referral")
    if referral is None:
        return
    if "id" not in referral:
        number = placer(referral)
        message = event.get("envelope", {}).get("id", "")
        key = (number.get("system", ""), number["value"]) if number else ("message", message)
        referral["id"] = mapped_id(site, "ServiceRequest", *key)
    own = referral["id"]
    subject = referral.get("subject")
    if subject is not None:
        _own(subject, site, "Patient", own)
    for name in ("requester",):
        if name in referral:
            _party(referral[name], site, own, name)
    for name in ("recipients", "other_parties"):
        for index, party in enumerate(referral.get(name, ())):
            _party(party, site, own, f"{name}/{index}")
    for kind, name in _PARTS:
        if name in referral:
            _listed(referral[name], kind, own, name)
    if "consent" in referral and "id" not in referral["consent"]:
        referral["consent"]["id"] = mapped_id(own, "Consent")
    for index, fulfilment in enumerate(event.get("fulfilments", ())):
        _fulfilment(fulfilment, own, index)


def _fulfilment(fulfilment: Document, referral: str, index: int) -> None:
    if "id" not in fulfilment:
        fulfilment["id"] = mapped_id(referral, "Task", str(index))
    fulfilment.setdefault("referral", referral)
    own = fulfilment["id"]
    outcome = fulfilment.get("outcome", {})
    for kind, name in _OUTCOMES:
        if name in outcome:
            _listed(outcome[name], kind, own, f"outcome/{name}")


def _listed(parts: Iterable[Document], kind: str, parent: str, name: str) -> None:
    for index, part in enumerate(parts):
        if "id" not in part:
            part["id"] = mapped_id(parent, kind, name, str(index))


def _party(party: Document, site: str, parent: str, place: str) -> None:
    if "id" not in party:
        party["id"] = mapped_id(parent, "PractitionerRole", place)
    if "practitioner" in party:
        _own(party["practitioner"], site, "Practitioner", f"{parent}/{place}")
    if "organization" in party:
        _own(party["organization"], site, "Organization", f"{parent}/{place}")


def _own(part: Document, site: str, kind: str, parent: str) -> None:
    """By its first identifier, so that two messages about one person share the record."""
    if "id" in part:
        return
    for identifier in part.get("identifiers", ()):
        if identifier.get("value"):
            system = identifier.get("system") or identifier.get("type") or ""
            part["id"] = mapped_id(site, kind, system, identifier["value"])
            return
    part["id"] = mapped_id(parent, kind)
