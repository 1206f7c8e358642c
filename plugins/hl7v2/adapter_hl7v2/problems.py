"""What is wrong with a message that could be read far enough to answer it, in HL7's own codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapter_hl7v2.errors import ReadError

# HL7 table 0357, message error condition codes.
CONDITIONS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
# The sender can correct what AE answers; AR answers what no correction of this message helps.
_REJECTED = {
    "hl7v2.no-message",
    "hl7v2.batch-header",
    "hl7v2.batch-count",
    "hl7v2.encoding-characters",
    "hl7v2.too-large",
    "hl7v2.too-many-segments",
    "hl7v2.too-many-elements",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message is not taken, or what is odd about one that is.

    Attributes:
        code: a word code of ours, for the operator.
        condition: a code of HL7 table 0357.
        message: one sentence for people, without any value of the message.
        fix: what to do.
        location: segment, or segment and field: ``PID``, ``MSH-18``, or empty.
        reject: True for AR (or CR), False for AE (or CE).
        severity: ``E`` refuses the message; ``W`` and ``I`` only say something.
    """

    code: str
    condition: str
    message: str
    fix: str = ""
    location: str = ""
    reject: bool = False
    severity: Literal["E", "W", "I"] = "E"

    @classmethod
    def of(cls, error: ReadError) -> Problem:
        """What an error of reading means for the acknowledgement."""
        return cls(
            code=error.code,
            condition=error.condition,
            message=error.message,
            fix=error.fix,
            location=error.location,
            reject=error.code in _REJECTED,
        )
