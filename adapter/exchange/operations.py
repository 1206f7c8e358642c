"""What an operator may do about messages and deliveries that are stuck: each act is journaled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from adapter.exchange import queries
from adapter.exchange.audit_event import audit_event, read_by_operator
from adapter.plugin.errors import DataError
from adapter.store.cases import CaseRow
from adapter.store.erasure import blank_message, erase
from adapter.store.inbox_row import InboxRow
from adapter.store.outbox_row import OutboxRow
from adapter.store.store import Store
from adapter.store.transaction import Transaction

OPERATOR = "operator"


def replay(tx: Transaction, identity: str, sites: Collection[str]) -> InboxRow:
    """Let the engine take a quarantined message again, in its old place.

    `sites` are those that are configured: what the FHIR API took was answered at once and cannot
    be worked on again, and for a site that was removed nobody would know how to read it.

    Raises:
        DataError: there is no such message, it is not quarantined, or its site is none of `sites`.
    """
    row = _received(tx.inbox.hold(identity))
    if row.state != "quarantined":
        raise DataError(
            "inbox.not-quarantined",
            f"the message is {row.state}; only a quarantined one can be replayed",
            fix="See the states with: adapter inbox list",
        )
    if row.site not in sites:
        raise DataError(
            "inbox.no-site",
            f"the message came by {row.site}, which is no configured site",
            fix="What came by the FHIR API must be sent again by its client; else add the site to"
            " adapter.toml again, or discard the message.",
        )
    tx.inbox.replay(row.id)
    _journal(tx, row.organization, row.site, "message.replayed", inbox=row.id)
    return row


def discard_message(tx: Transaction, identity: str, reason: str) -> InboxRow:
    """Set a quarantined message aside for good; its bytes stay.

    Raises:
        DataError: there is no such message, or it is not quarantined.
    """
    row = _received(tx.inbox.hold(identity))
    if row.state != "quarantined":
        raise DataError(
            "inbox.not-quarantined",
            f"the message is {row.state}; only a quarantined one can be discarded",
            fix="See the states with: adapter inbox list",
        )
    tx.inbox.mark(row.id, "discarded", code="inbox.discarded", error=row.error, fix=reason)
    _journal(
        tx, row.organization, row.site, "message.discarded", inbox=row.id, data={"why": reason}
    )
    return row


def erasable_messages(tx: Transaction, identities: Sequence[str]) -> list[InboxRow]:
    """These messages, each of which became no referral and waits for nothing.

    Raises:
        DataError: there is no such message, it is a referral's, or it is to be worked on.
    """
    see = tx.inbox.hold if tx.session.writes else tx.inbox.get
    rows = [_received(see(each)) for each in sorted(set(identities))]
    for row in rows:
        if row.referral is not None:
            raise DataError(
                "inbox.of-referral",
                "the message belongs to a referral",
                fix=f"Erase its person: adapter referrals erase {row.referral}",
            )
        if row.state == "accepted":
            raise DataError(
                "inbox.not-erasable",
                "the message was accepted, and is not set aside",
                fix="Look again when the service has worked on it: adapter inbox list",
            )
    return rows


def erase_messages(store: Store, identities: Sequence[str], reason: str) -> list[InboxRow]:
    """Erase messages that became no referral, such as those in quarantine: for all, or for none.

    One in quarantine is discarded by it. Each is journaled and audited.

    Raises:
        DataError: as `erasable_messages`.
    """

    def work(tx: Transaction) -> list[InboxRow]:
        rows = erasable_messages(tx, identities)
        for row in rows:
            blank_message(tx.session, row.id)
            if row.state == "quarantined":
                tx.inbox.mark(row.id, "discarded", code="inbox.erased", error=row.error, fix=reason)
            data = {"why": reason}
            _journal(tx, row.organization, row.site, "message.erased", inbox=row.id, data=data)
            event = audit_event("D", f"Binary/{row.id}", actor=OPERATOR, site=OPERATOR, at=tx.now())
            tx.audit.append(event, organization=row.organization)
        return rows

    erased = store.write_now(work)
    store.scrub()
    return erased


def retry(tx: Transaction, identity: str, now: datetime) -> OutboxRow:
    """Try a delivery that failed again at once: dead, quarantined, or waiting for its next try.

    From then on its times begin anew, as if it had failed once.
    One that is due is about to be tried, and is left as it is.

    Raises:
        DataError: there is no such delivery, it is done or under way, or it stands behind another
            in its lane.
    """
    row = _known(tx.outbox.hold(identity))
    if row.state == "due":
        return row
    if row.state == "waiting" and row.attempts:
        # It failed before, so that it heads its lane and may go first.
        tx.outbox.fail(row.id, "quarantined", code="delivery.retried", error="", fix="")
    elif row.state == "waiting":
        before = delivery_in_its_lane(tx, identity)["waits_for"]
        raise DataError(
            "delivery.not-tried",
            "the delivery was not tried yet"
            + (": it stands behind another one of its referral" if before else ""),
            fix=f"Retry that one: adapter deliveries retry {before}"
            if before
            else f"See how its destination stands: adapter sites show {row.destination}",
        )
    elif row.state not in ("dead", "quarantined"):
        raise DataError(
            "delivery.not-failed",
            f"the delivery is {row.state}; only one that failed can be tried again",
            fix="See the states with: adapter deliveries list",
        )
    tx.outbox.retry(row.id, now, tries=min(row.attempts, 1))
    _journal(
        tx,
        row.organization,
        row.destination,
        "delivery.retried",
        referral=row.referral,
        data={"delivery": row.id},
    )
    return row


def failed_deliveries(tx: Transaction, site: str) -> list[str]:
    """The ids of what was given up for a site, dead or quarantined, the oldest first."""
    rows = tx.outbox.list()
    return [
        row.id for row in rows if row.destination == site and row.state in ("dead", "quarantined")
    ]


def quarantined_messages(tx: Transaction, site: str) -> list[str]:
    """The ids of a site's messages that were set aside, the oldest first."""
    return [row.id for row in tx.inbox.list() if row.site == site and row.state == "quarantined"]


def discard_delivery(tx: Transaction, identity: str, reason: str) -> OutboxRow:
    """Never deliver it; the lane goes on with what stands behind it.

    Raises:
        DataError: there is no such delivery, or it is done or under way.
    """
    row = _known(tx.outbox.hold(identity))
    if row.state in ("delivered", "discarded", "sending"):
        raise DataError(
            "delivery.not-open",
            f"the delivery is {row.state}",
            fix="See the states with: adapter deliveries list",
        )
    tx.outbox.discard(row.id, reason)
    _journal(
        tx,
        row.organization,
        row.destination,
        "delivery.discarded",
        referral=row.referral,
        data={"delivery": row.id, "why": reason},
    )
    return row


def pause(tx: Transaction, site: str, organization: str, reason: str) -> None:
    """Deliver nothing more to a site until `resume`."""
    tx.sites.set(
        site,
        "paused",
        organization=organization,
        code="site.paused",
        error=reason,
        fix=f"Resume it with: adapter sites resume {site}",
    )
    _journal(tx, organization, site, "site.paused", data={"why": reason})


def resume(tx: Transaction, site: str, organization: str, now: datetime) -> int:
    """Deliver to a site again, and at once what waited for its next try (how many); poll it too."""
    tx.sites.set(site, "ready", organization=organization)
    tx.polls.due(site, now=now)
    tx.directories.due(site, now=now)
    _journal(tx, organization, site, "site.resumed")
    return tx.outbox.hasten(site, now)


def of_person(tx: Transaction, identities: Sequence[str], same_person: bool) -> list[str]:
    """The referrals named, and where asked those that share a number of the person with them.

    Raises:
        DataError: one of them is not there, or was erased before.
    """
    numbers: set[tuple[str, str]] = set()
    for identity in identities:
        row = tx.cases.get(identity)
        if row is None or row.erased_at is not None:
            raise DataError(
                "referral.unknown",
                "there is no such referral, or it was erased before",
                fix="See the ids with: adapter referrals list",
            )
        numbers |= _numbers(row)
    chosen = list(dict.fromkeys(identities))
    if same_person:
        others = (row for row in tx.cases.list() if row.erased_at is None)
        chosen += [r.id for r in others if r.id not in chosen and _numbers(r) & numbers]
    return chosen


def erase_person(store: Store, referrals: Sequence[str], reason: str) -> None:
    """Erase these referrals of one person: journaled, audited, in one transaction.

    Raises:
        StoreError: one of them is not there; then none is erased.
    """
    erase(
        store,
        referrals,
        actor=OPERATOR,
        reason=reason,
        event=lambda referral, at: audit_event(
            "D", f"ServiceRequest/{referral}", actor=OPERATOR, site=OPERATOR, at=at
        ),
    )


def _numbers(row: CaseRow) -> set[tuple[str, str]]:
    subject = row.document.get("referral", {}).get("subject") or {}
    return {
        (each.get("system") or "", each["value"])
        for each in subject.get("identifiers", ())
        if each.get("value")
    }


def delivery_in_its_lane(tx: Transaction, identity: str) -> dict[str, Any]:
    """One delivery, with the one that it waits for in its lane and the state of its site.

    Raises:
        DataError: there is no such delivery.
    """
    row = _known(tx.outbox.get(identity))
    lane = [
        each
        for each in tx.outbox.list(referral=row.referral)
        if each.destination == row.destination and each.lane_sequence < row.lane_sequence
    ]
    open_ones = [each.id for each in lane if each.state not in ("delivered", "discarded")]
    site = tx.sites.get(row.destination)
    return {
        **queries.delivery(row),
        "created_at": row.created_at.isoformat(timespec="milliseconds"),
        "done_at": row.done_at.isoformat(timespec="milliseconds") if row.done_at else None,
        "code": row.code,
        "reason": row.reason,
        "waits_for": open_ones[0] if open_ones else None,
        "site_state": site.state if site else None,
    }


def delivery_with_content(tx: Transaction, identity: str) -> dict[str, Any]:
    """As `delivery_in_its_lane`, with what is delivered; audited in the same transaction."""
    row = _known(tx.outbox.get(identity))
    event = read_by_operator(f"Binary/{row.id}", what="a delivery's content", at=tx.now())
    tx.audit.append(event, organization=row.organization, referral=row.referral)
    return {**delivery_in_its_lane(tx, identity), "content": row.document}


def message(tx: Transaction, identity: str) -> dict[str, Any]:
    """What became of one message that arrived.

    Raises:
        DataError: there is none of this id.
    """
    return queries.inbox_row(_received(tx.inbox.get(identity)))


def message_with_content(tx: Transaction, identity: str) -> dict[str, Any]:
    """As `message`, with its bytes as text; audited in the same transaction."""
    row = _received(tx.inbox.get(identity))
    event = read_by_operator(f"Binary/{row.id}", what="a message's content", at=tx.now())
    tx.audit.append(event, organization=row.organization, referral=row.referral)
    return {**queries.inbox_row(row), "content": row.raw.decode("utf-8", "replace")}


def _received(row: InboxRow | None) -> InboxRow:
    if row is None:
        raise DataError(
            "inbox.unknown",
            "there is no such message in the inbox",
            fix="See the ids with: adapter inbox list",
        )
    return row


def _known(row: OutboxRow | None) -> OutboxRow:
    if row is None:
        raise DataError(
            "delivery.unknown",
            "there is no such delivery",
            fix="See the ids with: adapter deliveries list",
        )
    return row


def _journal(
    tx: Transaction,
    organization: str,
    site: str,
    kind: str,
    *,
    referral: str | None = None,
    inbox: str | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    tx.journal.append(
        organization=organization,
        referral=referral,
        inbox=inbox,
        actor=OPERATOR,
        site=site,
        kind=kind,
        data=data or {},
    )
