"""What crosses the line between a plugin and the core: bytes with their facts, both ways.

A plugin never sees the store and never decides what a message means. It hands over raw bytes with
the facts that it needed to acknowledge them, and gets mapped bytes to deliver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message that passed its transport's checks and is ready to be made durable.

    Attributes:
        raw: the bytes as they came, without transport framing.
        format: the name of a registered format, for example ``hl7v2``.
        kind: what the format calls this message, for example ``REF^I12``.
        key: the sender's own id of the message, unique at this site. Same key and same bytes is the
            same message again; same key and other bytes is a conflict.
        answer: the acknowledgement that will be sent once the message is durable. It is stored,
            and given back for every further copy.
        dialect: the sender's dialect of the format, or None for the standard.
        test: True if the message itself says that it is a test (MSH-11 T or D).
    """

    raw: bytes = field(repr=False)
    format: str
    kind: str
    key: str
    answer: bytes = field(default=b"", repr=False)
    dialect: str | None = None
    test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that was refused before it was accepted. It is journaled, and its sender was told.

    `code`, `message` and `fix` are for the operator; none of them may hold a value of the message.
    """

    raw: bytes = field(repr=False)
    format: str
    code: str
    message: str
    fix: str = ""
    kind: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of an `Inbound`: it is durable when this returns.

    ``accepted``: new. ``duplicate``: these bytes were accepted before, `answer` is the first one.
    ``conflict``: this key was used for other bytes; nothing was accepted.
    """

    id: str
    state: Literal["accepted", "duplicate", "conflict"]
    answer: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What may be said to anybody about a referral: nothing about a person.

    Attributes:
        reference: a short code that both sides can read over the phone, for example ``rx-7f3a2c``.
        fulfilment: the id of the fulfilment that this is about.
        program: the agency's own program, by name.
        reply_by: when an answer is wanted, or None.
        urgent: True if the requester asked for haste.
        language: ``en`` or ``fr``, the agency's own language.
        recipient_email: where the agency reads its mail, or None if the site has one address.
    """

    reference: str
    fulfilment: str
    program: str | None = None
    reply_by: datetime | None = None
    urgent: bool = False
    language: str = "en"
    recipient_email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """One delivery. The same `id` is given at every attempt: use it as the idempotency key.

    Attributes:
        id: a UUID, stable over retries (MSH-10, Message-ID, Task.identifier derive from it).
        event: what happened: request, modify, cancel, answer, outcome, status-request, error.
        kind: the message kind that `body` was mapped to, for example ``RRI^I12``; empty for a
            system that takes no mapped body.
        body: the mapped message in the system's own format, empty if it takes none.
        created: when the delivery was decided; the same at every attempt.
        attempt: 1 for the first try.
        test: True if the referral is a test; a test never leaves test sites.
        notice: what may be said without PHI.
    """

    id: str
    event: str
    referral: str
    created: datetime
    attempt: int = 1
    kind: str = ""
    body: bytes = field(default=b"", repr=False)
    fulfilment: str | None = None
    test: bool = False
    notice: Notice | None = None
    external_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The peer has it. `external_ids` are the peer's own ids, kept for correlation."""

    external_ids: Mapping[str, str] = field(default_factory=dict)
    response: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding of `System.check()`: what was looked at, how it stands, what to do."""

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str = ""
    fix: str = ""
