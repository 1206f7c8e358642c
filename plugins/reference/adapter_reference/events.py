"""What is sent of a referral, and the `type` of the message that says it."""

from __future__ import annotations

EVENTS = {
    "request": "request",
    "modify": "modify",
    "cancel": "cancel",
    "answer": "answer",
    "request-answer": "answer",
    "modify-answer": "answer",
    "cancel-answer": "answer",
    "status-answer": "answer",
    "outcome": "outcome",
}
