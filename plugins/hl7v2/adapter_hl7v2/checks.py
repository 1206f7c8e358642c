"""What is checked before a message is acknowledged: enough to promise that it will not be lost.

Refused here: bytes that are no message, a charset that is not true, a type, event, version or
processing id that we do not take, a missing control id, a missing patient. Whatever else may be
wrong is found after the acknowledgement and ends in quarantine, where a person sees it. An unknown
type of patient identifier is no reason to refuse: the message is taken, the identifier kept as it
came, and the sender told with a warning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from adapter_hl7v2.acknowledge import header_of
from adapter_hl7v2.dialects import Dialect, dialects, recognise
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.limits import LIMITS, Limits
from adapter_hl7v2.message import Message
from adapter_hl7v2.problems import Problem
from adapter_hl7v2.structure.definitions import VERSIONS, table_codes

ACCEPTED = {
    "REF": frozenset({"I12", "I13", "I14", "I15"}),
    "RRI": frozenset({"I12", "I13", "I14", "I15"}),
    "ORU": frozenset({"R01"}),
    "OMG": frozenset({"O19"}),
    "OSU": frozenset({"O51"}),
    "SIU": frozenset({"S12", "S26"}),
}
ABOUT_A_PATIENT = frozenset({"REF", "RRI", "ORU", "OMG", "SIU"})
_PROCESSING_IDS = frozenset({"P", "T", "D"})
_PRODUCTION = frozenset({"P"})


@dataclass(frozen=True, slots=True)
class Policy:
    """What one site takes.

    Attributes:
        test: True for a test site, which takes the processing ids P, T and D; others take P.
        dialect: the name of the one that its messages are in; None recognises that of each.
        charset: the codec to read with whatever messages declare, or None.
        default_charset: the codec of messages that declare none, or None for the dialect's.
        own: the dialect of a system with quirks of its own; it needs no recognising.
    """

    test: bool = False
    dialect: str | None = None
    charset: str | None = None
    default_charset: str | None = None
    limits: Limits = LIMITS
    own: Dialect | None = None

    def reading(self, name: str) -> Dialect:
        """A dialect as this site has it."""
        own = self.own if self.own is not None and self.own.name == name else None
        return _reading(own or name, self.charset, self.default_charset)


@lru_cache(maxsize=256)
def _reading(named: Dialect | str, charset: str | None, default_charset: str | None) -> Dialect:
    known = dialects()[named] if isinstance(named, str) else named
    return replace(
        known,
        charset=charset or known.charset,
        default_charset=default_charset or known.default_charset,
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """A message that was looked at before its acknowledgement.

    Attributes:
        message: as far as it could be read; its header alone if not further.
        key: the sender's id of the message, or of its bytes; empty if there is none.
        kind: for example ``REF^I12``; empty if it cannot be told.
        problem: why it is refused, or None.
        warnings: what is odd about it, refused or not.
        test: True if it says that it is a test.
    """

    message: Message = field(repr=False)
    key: str
    kind: str
    dialect: Dialect
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()
    test: bool = False

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The reason of the refusal, if any, and the warnings."""
        return self.warnings if self.problem is None else (self.problem, *self.warnings)


def check(data: bytes, policy: Policy) -> Checked:
    """Look at the bytes of one message, without framing. Raises nothing."""
    reading = policy.reading(policy.dialect or "generic")
    try:
        message = Message.parse(data, dialect=reading, limits=policy.limits)
    except ReadError as error:
        head = header_of(data)
        return _checked(head, data, _dialect_of(head, policy), Problem.of(error))
    # A dialect that is recognised is never about charsets: what was read stays as it is.
    dialect = _dialect_of(message, policy)
    problem = next(_refusals(message, dialect, policy), None)
    warnings: tuple[Problem, ...] = ()
    if problem is None:
        warnings = (*_warnings(message, dialect), *_doubts(data, message.encoding.codec))
    return _checked(message, data, dialect, problem, warnings)


def _dialect_of(message: Message, policy: Policy) -> Dialect:
    return policy.reading(policy.dialect or recognise(message.header.get(3) or ""))


def _checked(
    message: Message,
    data: bytes,
    dialect: Dialect,
    problem: Problem | None,
    warnings: tuple[Problem, ...] = (),
) -> Checked:
    key = message.control_id
    if not key and dialect.keyed_by_content:
        key = f"sha256:{hashlib.sha256(data).hexdigest()}"
    test = message.header.get(11) in ("T", "D")
    return Checked(message, key, message.kind, dialect, problem, warnings, test)


def _refusals(message: Message, dialect: Dialect, policy: Policy) -> Iterator[Problem]:
    kind = message.type
    yield from _unsupported(message, kind, policy)
    if not message.control_id and not dialect.keyed_by_content:
        yield Problem(
            "hl7v2.no-control-id",
            "101",
            "MSH-10 is empty: the message cannot be told from others",
            "send a control id that no other message of yours has",
            "MSH-10",
            reject=True,
        )
    if kind in ABOUT_A_PATIENT and message.first("PID") is None:
        yield Problem(
            "hl7v2.no-patient",
            "100",
            "there is no PID segment",
            "send the patient that the message is about",
            "PID",
        )


def _unsupported(message: Message, kind: str, policy: Policy) -> Iterator[Problem]:
    if message.version not in VERSIONS:
        yield Problem(
            "hl7v2.version-unsupported",
            "203",
            "MSH-12 names no version that is read here",
            f"send one of {', '.join(VERSIONS)}",
            "MSH-12",
            reject=True,
        )
    triggers = ACCEPTED.get(kind)
    if triggers is None:
        yield Problem(
            "hl7v2.type-unsupported",
            "200",
            "MSH-9.1 names no message type that is taken here",
            f"send one of {', '.join(ACCEPTED)}",
            "MSH-9",
            reject=True,
        )
    elif message.trigger not in triggers:
        yield Problem(
            "hl7v2.event-unsupported",
            "201",
            "MSH-9.2 names no event of this message type that is taken here",
            f"send one of {', '.join(sorted(triggers))}",
            "MSH-9",
            reject=True,
        )
    taken = _PROCESSING_IDS if policy.test else _PRODUCTION
    if message.header.get(11) not in taken:
        yield Problem(
            "hl7v2.processing-id-unsupported",
            "202",
            "MSH-11 names no processing id that this site takes",
            f"send one of {', '.join(sorted(taken))}, or mark the site as test",
            "MSH-11",
            reject=True,
        )


def _warnings(message: Message, dialect: Dialect) -> Iterator[Problem]:
    patient = message.first("PID")
    if patient is not None:
        known = table_codes("0203")
        types = {
            patient.get(3, rep, 5) for rep, raw in enumerate(patient.repetitions(3)) if raw
        } - {None}
        if not all(name in known or name in dialect.identifier_types for name in types):
            yield Problem(
                "hl7v2.identifier-type-unknown",
                "103",
                "PID-3.5 holds a type that is not in HL7 table 0203; the identifier is kept",
                "use a type of table 0203, or have the site's mapping name this one",
                "PID-3",
                severity="W",
            )
    if dialect.versions and message.version not in dialect.versions:
        yield Problem(
            "hl7v2.version-unusual",
            "203",
            "MSH-12 is not a version that this dialect uses",
            f"this site's dialect is {dialect.name}: check that it is the right one",
            "MSH-12",
            severity="W",
        )


def _doubts(data: bytes, codec: str) -> Iterator[Problem]:
    """Text of a one-byte charset is almost never UTF-8 by chance; it is still read as declared."""
    if data.isascii() or not codec.startswith(("iso8859", "cp")):
        return
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return
    yield Problem(
        "hl7v2.charset-doubtful",
        "102",
        "the charset in MSH-18 is followed, but the bytes look like UTF-8",
        "see whether accented letters are right, and correct MSH-18 or set charset for this site",
        "MSH-18",
        severity="W",
    )
