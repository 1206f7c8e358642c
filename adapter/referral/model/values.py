"""Values that many parts share: codes, periods, quantities, identifiers, attachments."""

from __future__ import annotations

from dataclasses import dataclass

from adapter.referral.model.construction import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """One code of one code system; `system` is a canonical URL or `urn:oid:`."""

    system: str | None = None
    code: str | None = None
    display: str | None = None
    version: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A meaning: codes that say the same thing, and the words that the sender used."""

    codings: tuple[Coding, ...] = ()
    text: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a resource points, in its sender's words, when what it points at did not come along."""

    reference: str | None = None
    display: str | None = None
    type: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start` to `end`, both inclusive, either may be open."""

    start: str | None = None
    end: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A measured amount; `value` is a decimal as text."""

    value: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None
    comparator: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A business identifier. `type` is an HL7 table 0203 code (JHN, MR, PLAC, FILL, …)."""

    system: str | None = None
    value: str | None = None
    type: str | None = None
    assigner: str | None = None
    version: str | None = None
    use: str | None = None
    period: Period | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A document's content: base64 `data` or a `url`, with its media type."""

    content_type: str | None = None
    data: str | None = None
    url: str | None = None
    title: str | None = None
    language: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One answer or observed value; exactly one field is set (FHIR value[x])."""

    string: str | None = None
    boolean: bool | None = None
    integer: int | None = None
    decimal: str | None = None
    date: str | None = None
    date_time: str | None = None
    time: str | None = None
    uri: str | None = None
    coding: Coding | None = None
    concept: Concept | None = None
    quantity: Quantity | None = None
    attachment: Attachment | None = None
    markdown: str | None = None
    canonical: str | None = None
    url: str | None = None
    link: Link | None = None
