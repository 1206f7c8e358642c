"""What can be said against a message: by its bytes, its header, its structure and its values.

Errors are what a receiver may refuse; warnings are what it should know. No finding holds a value.
Segments that the structure does not have (Z segments, PD1 in a referral) are legal and told.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterator

from adapter.plugin.formats import Finding
from adapter_hl7v2.checks import Policy, check
from adapter_hl7v2.dialects import Dialect
from adapter_hl7v2.message import Message
from adapter_hl7v2.segment import UNREADABLE
from adapter_hl7v2.structure.definitions import VERSIONS, message_structure
from adapter_hl7v2.structure.sequence import arrange
from adapter_hl7v2.structure.values import check_values

# MSH-9.3 by MSH-9.1 and MSH-9.2, for senders that leave it out.
_STRUCTURES = {
    **{f"REF^I1{n}": "REF_I12" for n in range(2, 6)},
    **{f"RRI^I1{n}": "RRI_I12" for n in range(2, 6)},
    "ORU^R01": "ORU_R01",
    "OMG^O19": "OMG_O19",
    "OSU^O51": "OSU_O51",
    "SIU^S12": "SIU_S12",
    "SIU^S26": "SIU_S12",
}
_MOST = 200


def structure_name(message: Message) -> str:
    """The message structure by its type and event, whatever MSH-9.3 says; empty if not known."""
    if message.type == "ACK":
        return "ACK"
    return _STRUCTURES.get(message.kind, "")


def validate(raw: bytes, dialect: str | None = None) -> list[Finding]:
    """Everything that can be said against one message; empty if nothing. Raises nothing.

    Args:
        raw: the bytes of one message, without framing.
        dialect: the dialect that it is in; None recognises it.
    """
    checked = check(raw, Policy(test=True, dialect=dialect))
    found: list[Finding] = []
    refused = checked.problem
    if refused is not None and not (
        checked.message.type == "ACK" and refused.code == "hl7v2.type-unsupported"
    ):
        found.append(Finding("error", refused.location, f"{refused.message} ({refused.code})"))
    if len(checked.message.segments) > 1:
        for finding in _in_depth(checked.message, checked.dialect):
            found.append(finding)
            if len(found) == _MOST:
                found.append(Finding("warning", "", "there is more; only so much is told"))
                break
    return found


def _in_depth(message: Message, dialect: Dialect) -> Iterator[Finding]:
    version = message.version
    if version not in VERSIONS:
        return
    yield from _structure(message, version)
    for name, segment in zip(_places(message), message.segments, strict=True):
        for severity, place, text in check_values(
            version, segment, message.encoding, also=frozenset(dialect.identifier_types)
        ):
            if not (place == "-10" and segment.id == "MSH" and dialect.keyed_by_content):
                yield Finding(severity, f"{name}{place}", text)
    yield from _referral(message, dialect)


def _structure(message: Message, version: str) -> Iterator[Finding]:
    name = structure_name(message)
    claimed = message.structure
    if name and claimed and claimed != name:
        yield Finding("warning", "MSH[1]-9.3", f"the structure of this event is {name}")
    structure = message_structure(version, name) if name else None
    if structure is None:
        yield Finding("warning", "MSH[1]-9", f"no structure of it is known in version {version}")
        return
    places = _places(message)
    found = arrange([segment.id for segment in message.segments], structure)
    for missing in found.missing:
        yield Finding("error", "", f"the required segment {missing} is missing")
    for index in found.misplaced:
        yield Finding("error", places[index], f"the segment is out of place in {name}")
    if not found.complete:
        yield Finding("error", "", f"more segments are out of place in {name}")
    for index in found.unknown:
        if message.segments[index].id == UNREADABLE:
            yield Finding("error", places[index], "the line is no segment")
        else:
            yield Finding("warning", places[index], f"{name} has no such segment; it is kept")


def _referral(message: Message, dialect: Dialect) -> Iterator[Finding]:
    """What makes a referral usable, beyond the standard."""
    if message.type == "REF" and not any(
        provider.get(1) in dialect.recipient_roles for provider in message.all("PRD")
    ):
        roles = ", ".join(dialect.recipient_roles)
        yield Finding("warning", "PRD-1", f"no provider is named as recipient ({roles})")
    for number, note in enumerate(message.all("NTE"), 1):
        if note.get(4, comp=2) in dialect.base64_notes and not _is_base64_text(note.field(3)):
            yield Finding("error", f"NTE[{number}]-3", "the note is not base64 of UTF-8 text")


def _is_base64_text(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return False
    return True


def _places(message: Message) -> list[str]:
    seen: Counter[str] = Counter()
    places = []
    for segment in message.segments:
        seen[segment.id] += 1
        places.append(f"{segment.id}[{seen[segment.id]}]")
    return places
