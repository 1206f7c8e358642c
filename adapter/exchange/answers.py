"""What a requester sees of the answer to its referral, as far as the consent shares it back.

By the FHIR API the same holds as for the answers that are sent to an EMR (`shared_back`): below
``full`` a Task carries what is shared alone, and what else the performer wrote is not there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapter.exchange.kept import Kept
from adapter.exchange.projection import Projector
from adapter.referral.consent import shared_back
from adapter.store.resources import ResourceRow
from adapter.store.transaction import Transaction

Json = dict[str, Any]
ANSWERED = (
    "text", "contained", "extension", "modifierExtension", "businessStatus", "statusReason",
    "note", "output",
)  # fmt: skip
"""Elements of a Task that a performer says something with."""


def limited(tx: Transaction, referral: str) -> bool:
    """True if the consent of a referral shares less than everything back."""
    row = tx.cases.get(referral)
    consent = row.document.get("referral", {}).get("consent") if row else None
    return (consent or {}).get("share_back") in ("codes", "summary")


def answers(kept: Kept, projector: Projector) -> dict[tuple[str, str], Json]:
    """The resources of a referral as its requester may see them, by type and id."""
    case = kept.case
    shared = tuple(shared_back(each, case.referral.consent) for each in case.fulfilments)
    made = projector.resources(replace(case, fulfilments=shared), kept.site)
    return {(each["resourceType"], each["id"]): each for each in made}


def answered(row: ResourceRow, shared: Json | None) -> ResourceRow:
    """A Task with what is shared of its answer; an older version (None) with nothing of it."""
    plain = {name: value for name, value in row.content.items() if name not in ANSWERED}
    said = {name: shared[name] for name in ANSWERED if shared and name in shared}
    return replace(row, content=plain | said)


def unlimited(before: Json, after: Json, stored: Json) -> Json:
    """What a requester wrote over a Task of which it saw a part (`before`), with the rest kept."""
    whole = dict(after)
    for name in ("extension", "output"):
        added = [each for each in after.get(name, ()) if each not in before.get(name, ())]
        both = [*stored.get(name, ()), *added]
        if both:
            whole[name] = both
    if "text" in stored:
        whole.setdefault("text", stored["text"])
    return whole
