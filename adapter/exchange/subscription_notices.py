"""Notifications: a Bundle of type history whose first entry says how the subscription stands.

Subscriptions R5 Backport 1.1, profiles backport-subscription-notification-r4 and
backport-subscription-status-r4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from adapter.exchange.subscription_terms import BACKPORT, Terms
from adapter.store.resources import ResourceRow
from adapter.store.subscriptions import EventRow, SubscriptionRow

Json = dict[str, Any]
Shown = Callable[[EventRow], ResourceRow | None]


def status(row: SubscriptionRow, terms: Terms, kind: str, base: str, state: str = "") -> Json:
    """How a subscription stands; `kind` is what the notification is for."""
    parameters: list[Json] = [
        {
            "name": "subscription",
            "valueReference": {"reference": f"{base}/Subscription/{row.id}"},
        },
        {"name": "topic", "valueCanonical": terms.topic},
        {"name": "status", "valueCode": state or row.state},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(row.events)},
    ]
    if row.error:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": row.error}})
    return {
        "resourceType": "Parameters",
        "id": str(uuid4()),
        "meta": {"profile": [f"{BACKPORT}/backport-subscription-status-r4"]},
        "parameter": parameters,
    }


def notification(
    row: SubscriptionRow,
    terms: Terms,
    kind: str,
    base: str,
    *,
    events: Iterable[EventRow] = (),
    shown: Shown,
    content: str = "",
    state: str = "",
) -> Json:
    """The Bundle of a handshake, a heartbeat, events, or a query for events.

    `shown` gives a resource as the subscriber may see it now, or None; what it may not see is not
    named either.
    """
    said = status(row, terms, kind, base, state)
    address = f"{base}/Subscription/{row.id}"
    entries: list[Json] = [
        {
            "fullUrl": f"urn:uuid:{said['id']}",
            "resource": said,
            "request": {"method": "GET", "url": f"{address}/$status"},
            "response": {"status": "200"},
        }
    ]
    content = content or terms.content
    named: set[str] = set()
    for event in events:
        part: list[Json] = [
            {"name": "event-number", "valueString": str(event.number)},
            {"name": "timestamp", "valueInstant": event.at.isoformat(timespec="milliseconds")},
        ]
        found = shown(event) if content != "empty" else None
        if found is not None:
            place = f"{base}/{found.type}/{found.id}"
            part.append({"name": "focus", "valueReference": {"reference": place}})
            if place not in named:
                named.add(place)
                entries.append(_entry(found, place, event, content))
        said["parameter"].append({"name": "notification-event", "part": part})
    return {
        "resourceType": "Bundle",
        "id": str(uuid4()),
        "meta": {"profile": [f"{BACKPORT}/backport-subscription-notification-r4"]},
        "type": "history",
        "entry": entries,
    }


def _entry(row: ResourceRow, place: str, event: EventRow, content: str) -> Json:
    created = event.version == 1
    made: Json = {
        "fullUrl": place,
        "request": {
            "method": "POST" if created else "PUT",
            "url": row.type if created else f"{row.type}/{row.id}",
        },
        "response": {"status": "201" if created else "200"},
    }
    if content == "full-resource":
        meta = {
            **row.content.get("meta", {}),
            "versionId": str(row.version),
            "lastUpdated": row.last_updated.isoformat(timespec="milliseconds"),
        }
        made["resource"] = {**row.content, "id": row.id, "meta": meta}
    return made
