"""Which referral's person is to be asked what now: the schedule held against what was answered.

An answer is a QuestionnaireResponse that came with the referral's outcome, or that a client of the
FHIR API stored with `basedOn` the ServiceRequest or `subject` the Patient of the referral.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from adapter.fhir.schedule import Answer, Asking, Schedule, plan
from adapter.store.cases import CaseRow
from adapter.store.resources import ResourceRow
from adapter.store.transaction import Transaction

OVER = frozenset({"revoked", "entered-in-error"})
"""Referrals of these statuses are followed up no more."""


def follow_up(
    tx: Transaction, schedule: Schedule, today: date, *, every: bool = False
) -> list[dict[str, Any]]:
    """What is due today by referral, the oldest referral first; with `every`, the whole plan.

    Each: `{"referral", "test", "language", "asking": [{"instrument", "month", "opens", "closes",
    "state"}]}`. A referral with nothing due is left out.
    """
    answers = _answers(tx)
    found = []
    for row in sorted(tx.cases.list(), key=lambda each: (each.received_at, each.id)):
        if row.status in OVER:
            continue
        asked = plan(schedule, row.received_at.date(), today, answers.get(row.id, ()))
        shown = [each for each in asked if every or each.state == "due"]
        if shown:
            found.append(
                {
                    "referral": row.id,
                    "test": row.test,
                    "language": _language(row),
                    "asking": [_shape(each) for each in shown],
                }
            )
    return found


def _shape(asking: Asking) -> dict[str, Any]:
    return {
        "instrument": asking.instrument,
        "month": asking.month,
        "opens": asking.opens.isoformat(),
        "closes": asking.closes.isoformat(),
        "state": asking.state,
    }


def _language(row: CaseRow) -> str:
    """The person's language, ``en`` where it is not known."""
    subject = row.document.get("referral", {}).get("subject") or {}
    return str(subject.get("language") or "en")


def _answers(tx: Transaction) -> dict[str, list[Answer]]:
    """Every response by the referral that it is about."""
    of_address = {
        f"{kind}/{row.id}": row.referral
        for kind in ("ServiceRequest", "Patient")
        for _, row in tx.resources.search(kind)
        if row.referral is not None
    }
    found: dict[str, list[Answer]] = {}
    for _, row in tx.resources.search("QuestionnaireResponse"):
        answer = _answer(row.content)
        if answer is not None and not row.deleted:
            for referral in {row.referral or "", *_named(row, of_address)} - {""}:
                found.setdefault(referral, []).append(answer)
    return found


def _named(row: ResourceRow, of_address: dict[str, str]) -> Iterator[str]:
    based_on = row.content.get("basedOn") or ()
    for reference in (*based_on, row.content.get("subject") or {}):
        referral = of_address.get(str(reference.get("reference", "")))
        if referral is not None:
            yield referral


def _answer(content: dict[str, Any]) -> Answer | None:
    try:
        day = date.fromisoformat(str(content.get("authored", ""))[:10])
    except ValueError:
        return None  # without a whole day nobody can say to which time it belongs
    return Answer(str(content.get("questionnaire", "")), day, str(content.get("status", "")))
