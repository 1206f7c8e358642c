"""The canonical model: what a social prescription is, whatever format carried it.

Two state objects: a `Referral` is the authorisation, owned by the requester, and projects to FHIR
ServiceRequest; a `Fulfilment` is the execution by one recipient, owned by that recipient, and
projects to FHIR Task (SDOH Clinical Care 3.0, Referral Workflow). A `ReferralEvent` is one message
about them, in either direction.

Everything is a frozen dataclass of plain values. Dates and times are ISO 8601 strings with the
precision that the sender gave (FHIR R4 2.24.0.1: date, dateTime), never padded. Decimals are
strings, so that trailing zeros survive. `adapter.referral.document` turns these into JSON and back;
field names are the paths of the mapping tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Priority = Literal["routine", "urgent", "asap", "stat"]
ReferralStatus = Literal[
    "draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"
]
TaskStatus = Literal[
    "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled",
    "in-progress", "on-hold", "failed", "completed", "entered-in-error",
]  # fmt: skip
EventKind = Literal[
    "request", "modify", "cancel", "status-request", "answer", "outcome", "note", "appointment"
]
ShareBack = Literal["codes", "summary", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """One code of one code system; `system` is a canonical URL or `urn:oid:`."""

    system: str | None = None
    code: str | None = None
    display: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A meaning: codes that say the same thing, and the words that the sender used."""

    codings: tuple[Coding, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a resource points, in its sender's words, when what it points at did not come along."""

    reference: str | None = None
    display: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start` to `end`, both inclusive, either may be open."""

    start: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A measured amount; `value` is a decimal as text."""

    value: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None
    comparator: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanName:
    """A person's name; `use` is a FHIR name-use code."""

    family: str | None = None
    given: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    use: str | None = None
    text: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Telecom:
    """One way to reach somebody; `system` is a FHIR contact-point-system code."""

    system: str | None = None
    value: str | None = None
    use: str | None = None
    rank: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedPerson:
    """Somebody close to the client (HL7 v2 NK1)."""

    id: str | None = None
    name: HumanName | None = None
    relationship: Concept | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()
    period: Period | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A clinic, agency, hub or other body."""

    id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    name: str | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Practitioner:
    """A person who works for a party of the referral."""

    id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    name: HumanName | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to ask at a party (HL7 v2 CTD)."""

    role: Concept | None = None
    name: HumanName | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()
    identifiers: tuple[Identifier, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A document's content: base64 `data` or a `url`, with its media type."""

    content_type: str | None = None
    data: str | None = None
    url: str | None = None
    title: str | None = None
    language: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One input or output of a Task in its sender's own kind (FHIR Task.input, Task.output)."""

    type: Concept | None = None
    value: Value | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerItem:
    """One question's answers, by `link_id` of its Questionnaire."""

    link_id: str | None = None
    text: str | None = None
    answers: tuple[Value, ...] = ()
    items: tuple[AnswerItem, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Words that somebody wrote about the referral."""

    text: str | None = None
    author: str | None = None
    time: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRules:
    """How the client may safely be reached; `do_not_contact` binds everybody."""

    do_not_contact: bool | None = None
    may_leave_message: bool | None = None
    safe_contact: str | None = None
    preferred: str | None = None
    best_time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The client's consent to this referral and to what may be shared back."""

    id: str | None = None
    status: str | None = None
    scope: str | None = None
    date: str | None = None
    recorded_by: str | None = None
    basis: str | None = None
    share_back: ShareBack | None = None
    withdrawn_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is asked for: a type of service, a program, or both.

    `domain` is the kind of social need that it is for (SDOHCC temporary codes, `food-insecurity`).
    """

    code: Concept | None = None
    category: Concept | None = None
    domain: Coding | None = None
    program: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """The authorisation, owned by the requester (FHIR ServiceRequest).

    `identifiers` carry type PLAC (placer, the requester's own number), FILL (filler, ours) or none.
    `what_matters` is the client's own words and is shown first everywhere. `based_on` are the
    referrals that this one passes on: a hub's own order to fill them (FHIR intent filler-order).
    """

    id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    requisition: Identifier | None = None
    replaces: tuple[Identifier, ...] = ()
    based_on: tuple[Identifier, ...] = ()
    status: ReferralStatus | None = None
    status_reason: str | None = None
    priority: Priority | None = None
    authored_on: str | None = None
    occurrence: Period | None = None
    subject: Person | None = None
    related: tuple[RelatedPerson, ...] = ()
    requester: Party | None = None
    recipients: tuple[Party, ...] = ()
    other_parties: tuple[Party, ...] = ()
    service: Service | None = None
    needs: tuple[Need, ...] = ()
    reasons: tuple[Concept, ...] = ()
    reason: str | None = None
    what_matters: str | None = None
    interests: tuple[str, ...] = ()
    gifts: tuple[str, ...] = ()
    goals: tuple[str, ...] = ()
    contact_rules: ContactRules | None = None
    language: str | None = None
    interpreter: bool | None = None
    accessibility: tuple[str, ...] = ()
    consent: Consent | None = None
    disposition: tuple[Coding, ...] = ()
    setting: Coding | None = None
    documents: tuple[Document, ...] = ()
    observations: tuple[Observation, ...] = ()
    answers: tuple[Answers, ...] = ()
    notes: tuple[Note, ...] = ()
    program_tag: str | None = None
    test: bool | None = None
    alone: Alone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a status was set: a code of reasons.toml, and words."""

    code: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """A time for the client, proposed, booked or past."""

    id: str | None = None
    status: str | None = None
    start: str | None = None
    end: str | None = None
    location: str | None = None
    instruction: str | None = None
    identifiers: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAttempt:
    """One try to reach the client."""

    at: str | None = None
    by: str | None = None
    method: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session of the program, and whether the client was there."""

    date: str | None = None
    attendance: Literal["attended", "excused", "absent"] | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `planned` sessions or steps."""

    done: int | None = None
    planned: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something that was done for or with the client (FHIR Procedure)."""

    id: str | None = None
    code: Concept | None = None
    status: str | None = None
    performed: Period | None = None
    note: str | None = None
    identifiers: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """The invitation to give back, and what came of it; never scored against the client."""

    invitation: str | None = None
    role: str | None = None
    hours: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a fulfilment. `summary` is plain language for the clinician and the client."""

    activities: tuple[Activity, ...] = ()
    enrolment: str | None = None
    language_received: str | None = None
    measures: tuple[Answers, ...] = ()
    observations: tuple[Observation, ...] = ()
    documents: tuple[Document, ...] = ()
    goal_progress: str | None = None
    give_back: GiveBack | None = None
    summary: str | None = None
    next_step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """The execution by one recipient (FHIR Task). `parent` links a hub's child to its parent.

    `code` and `description` say what is asked, where it is not simply to fulfil the referral (a
    patient's own task); `inputs` and `outputs` are those that have no field of their own.
    """

    id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    referral: str | None = None
    parent: str | None = None
    requester: Party | None = None
    recipient: Party | None = None
    program: str | None = None
    status: TaskStatus | None = None
    business_status: Concept | None = None
    reason: Reason | None = None
    priority: Priority | None = None
    authored_on: str | None = None
    last_modified: str | None = None
    reply_by: str | None = None
    execution: Period | None = None
    appointments: tuple[Appointment, ...] = ()
    contact_attempts: tuple[ContactAttempt, ...] = ()
    sessions: tuple[Session, ...] = ()
    progress: Progress | None = None
    outcome: Outcome | None = None
    notes: tuple[Note, ...] = ()
    code: Concept | None = None
    description: str | None = None
    inputs: tuple[Piece, ...] = ()
    outputs: tuple[Piece, ...] = ()
    alone: Alone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Who sent or gets a message: application, facility, network address."""

    application: str | None = None
    facility: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What a reply says of the message that it answers (HL7 v2 MSA and ERR)."""

    code: str | None = None
    message_id: str | None = None
    text: str | None = None
    error_code: str | None = None
    error_location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The message's own facts, as its sender stated them (HL7 v2 MSH, FHIR MessageHeader).

    `accept_ack` and `application_ack` say which answers the sender wants (MSH-15, MSH-16: AL, NE,
    ER, SU). `reply` says what kind of message this one answers.
    """

    id: str | None = None
    type: str | None = None
    sent_at: str | None = None
    sender: Endpoint | None = None
    receiver: Endpoint | None = None
    processing: str | None = None
    version: str | None = None
    language: str | None = None
    character_set: str | None = None
    accept_ack: str | None = None
    application_ack: str | None = None
    reply: str | None = None
    acknowledges: Acknowledgement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralEvent:
    """One message about a referral, in either direction: the root of every mapping table's path.

    `kind` says what the sender wants: request (new), modify, cancel, status-request, answer (a
    status), outcome, note, appointment.
    """

    kind: EventKind
    envelope: Envelope | None = None
    referral: Referral | None = None
    fulfilments: tuple[Fulfilment, ...] = ()
