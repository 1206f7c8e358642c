"""People and organizations: the client, who stands by them, and who refers or performs."""

from __future__ import annotations

from dataclasses import dataclass

from adapter.referral.model.construction import quick
from adapter.referral.model.values import Concept, Identifier, Period


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class HumanName:
    """A person's name; `use` is a FHIR name-use code."""

    family: str | None = None
    given: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    use: str | None = None
    text: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; a person without one is valid."""

    lines: tuple[str, ...] = ()
    city: str | None = None
    district: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    use: str | None = None
    type: str | None = None
    text: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Telecom:
    """One way to reach somebody; `system` is a FHIR contact-point-system code."""

    system: str | None = None
    value: str | None = None
    use: str | None = None
    rank: int | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedPerson:
    """Somebody close to the client (HL7 v2 NK1)."""

    id: str | None = None
    name: HumanName | None = None
    relationship: Concept | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()
    period: Period | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The client. Every field may be absent: no card, no address, 'prefer not to say' are valid."""

    id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    name: HumanName | None = None
    other_names: tuple[HumanName, ...] = ()
    birth_date: str | None = None
    gender: str | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()
    language: str | None = None
    marital_status: Concept | None = None
    deceased: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A clinic, agency, hub or other body."""

    id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    name: str | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Practitioner:
    """A person who works for a party of the referral."""

    id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    name: HumanName | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to ask at a party (HL7 v2 CTD)."""

    role: Concept | None = None
    name: HumanName | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()
    identifiers: tuple[Identifier, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A practitioner in a role at an organization (FHIR PractitionerRole, HL7 v2 PRD).

    `role` is an HL7 table 0286 code: RP referring, RT referred to, PP primary care, CP consulting,
    and the national additions IR (intended recipient) and others.
    """

    id: str | None = None
    role: str | None = None
    role_text: str | None = None
    practitioner: Practitioner | None = None
    organization: Organization | None = None
    specialty: Concept | None = None
    location: str | None = None
    period: Period | None = None
    telecoms: tuple[Telecom, ...] = ()
    contacts: tuple[Contact, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRules:
    """How the client may safely be reached; `do_not_contact` binds everybody."""

    do_not_contact: bool | None = None
    may_leave_message: bool | None = None
    safe_contact: str | None = None
    preferred: str | None = None
    best_time: str | None = None
