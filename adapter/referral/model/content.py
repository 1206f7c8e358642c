"""What is said about the client: needs, observations, answers, documents, notes."""

from __future__ import annotations

from dataclasses import dataclass

from adapter.referral.model.construction import quick
from adapter.referral.model.people import HumanName
from adapter.referral.model.values import Attachment, Concept, Identifier, Link, Value


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A non-medical (or medical) need that gives the reason for the referral (FHIR Condition)."""

    id: str | None = None
    code: Concept | None = None
    category: str | None = None
    onset: str | None = None
    recorded: str | None = None
    status: str | None = None
    asserter: HumanName | None = None
    identifiers: tuple[Identifier, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One input or output of a Task in its sender's own kind (FHIR Task.input, Task.output)."""

    type: Concept | None = None
    value: Value | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """What a resource that came alone says of itself and of others, so that it can be given back.

    `profiles` are claimed by its sender, `narrative` is its XHTML; the links are FHIR's element
    names. Resources that come together in a Bundle are read into the model itself instead.
    """

    profiles: tuple[str, ...] = ()
    narrative: str | None = None
    narrative_status: str | None = None
    intent: str | None = None
    subject: Link | None = None
    source: Link | None = None
    focus: Link | None = None
    requester: Link | None = None
    owner: Link | None = None
    performers: tuple[Link, ...] = ()
    based_on: tuple[Link, ...] = ()
    part_of: tuple[Link, ...] = ()
    reasons: tuple[Link, ...] = ()
    supporting: tuple[Link, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Something observed about the client that supports the referral, or a result of it."""

    id: str | None = None
    code: Concept | None = None
    value: Value | None = None
    status: str | None = None
    effective: str | None = None
    interpretation: str | None = None
    performer: HumanName | None = None
    identifiers: tuple[Identifier, ...] = ()
    notes: tuple[Note, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerItem:
    """One question's answers, by `link_id` of its Questionnaire."""

    link_id: str | None = None
    text: str | None = None
    answers: tuple[Value, ...] = ()
    items: tuple[AnswerItem, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A filled questionnaire (FHIR QuestionnaireResponse)."""

    id: str | None = None
    questionnaire: str | None = None
    status: str | None = None
    authored: str | None = None
    language: str | None = None
    author: str | None = None
    identifier: Identifier | None = None
    items: tuple[AnswerItem, ...] = ()
    title: str | None = None
    alone: Alone | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A supporting document (FHIR DocumentReference)."""

    id: str | None = None
    type: Concept | None = None
    status: str | None = None
    date: str | None = None
    description: str | None = None
    content: Attachment | None = None
    identifiers: tuple[Identifier, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Words that somebody wrote about the referral."""

    text: str | None = None
    author: str | None = None
    time: str | None = None
    kind: str | None = None
