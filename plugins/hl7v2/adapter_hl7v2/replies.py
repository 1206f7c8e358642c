"""What a peer's acknowledgement means for a delivery.

AA and CA: it has the message. AE, AR, CE, CR: it refused it, and only a person can change that;
except where table 0357 says that the peer itself had the trouble (206, 207), which passes, and
where it says that it has the message already (205), which a retry is told when the first try got
through. The peer's own words are left out: they may hold a person's data.
"""

from __future__ import annotations

import re

from adapter.plugin import DataError, SystemFault, TransientError
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.message import Message
from adapter_hl7v2.problems import CONDITIONS

_PASSING = {"206", "207"}
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")


def judge_reply(reply: bytes, *, control_id: str | None, again: bool) -> None:
    """Return if the peer has the message.

    Args:
        control_id: MSH-10 of what was sent; MSA-2 must name it. None: it had none, and a peer that
            takes such messages (see the dialects) answers with whatever it knows it by.
        again: True if this message was sent before.

    Raises:
        DataError: ``hl7v2.refused``. TransientError: ``hl7v2.peer-busy``. SystemFault:
            ``hl7v2.reply-unreadable``, ``hl7v2.reply-of-another``.
    """
    try:
        message = Message.parse(reply)
    except ReadError as error:
        raise SystemFault(
            "hl7v2.reply-unreadable",
            f"the peer's acknowledgement cannot be read: {error.message}",
            fix=error.fix,
        ) from error
    ack = message.segment("MSA")
    if ack is None:
        raise SystemFault(
            "hl7v2.reply-unreadable",
            "the peer answered with a message that has no MSA segment",
            fix="ask who runs the peer for acknowledgements in original or enhanced mode",
        )
    if control_id is not None and ack.get(2) != control_id:
        raise SystemFault(
            "hl7v2.reply-of-another",
            "the peer's acknowledgement names another message",
            fix="the message is sent again on a new connection",
        )
    code = ack.get(1)
    if code in ("AA", "CA"):
        return
    if code not in ("AE", "AR", "CE", "CR"):
        raise SystemFault(
            "hl7v2.reply-unreadable",
            "the peer's acknowledgement has a code that is not in HL7 table 0008",
            fix="ask who runs the peer",
        )
    conditions, places = _errors(message)
    if again and "205" in conditions:
        return
    told = "; ".join(f"{each} {CONDITIONS[each]}" for each in conditions) or "no reason given"
    where = f" at {', '.join(places)}" if places else ""
    if conditions and set(conditions) <= _PASSING:
        raise TransientError("hl7v2.peer-busy", f"the peer answered {code}: {told}")
    raise DataError(
        "hl7v2.refused",
        f"the peer answered {code}: {told}{where}",
        fix="read ERR in the peer's own log, correct the mapping or the data, and retry",
    )


def _errors(message: Message) -> tuple[list[str], list[str]]:
    """The conditions and places that ERR names, in the form of either version."""
    conditions: list[str] = []
    places: list[str] = []
    for error in message.all("ERR"):
        for code, segment, field in (
            (error.get(3), error.get(2), error.get(2, comp=3)),
            (error.get(1, comp=4), error.get(1), error.get(1, comp=3)),
        ):
            if code in CONDITIONS and code not in conditions:
                conditions.append(code)
            if segment and _SEGMENT.fullmatch(segment):
                places.append(f"{segment}-{field}" if field and field.isdigit() else segment)
    return conditions, places
