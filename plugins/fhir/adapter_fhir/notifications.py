"""What a subscription's notification says: R4 rest-hook, R4 backport 1.1, and R5's own form.

Sources: R4 Subscription (rest-hook); Subscriptions R5 Backport 1.1.0, Notifications (R4:
backport-subscription-status-r4 as Parameters); R4B and R5 SubscriptionStatus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from adapter_fhir.references import LITERAL, relative

Json = dict[str, Any]
Kind = Literal["handshake", "heartbeat", "event-notification", "query-event", "query-status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One notification.

    Attributes:
        kind: what it is for.
        subscription: ``Subscription/id`` on the server; empty if it does not say.
        count: how many events there were since the subscription began; None if it does not say.
        first: the number of the first event that it tells of; None if it has none.
        focus: what the events are about, ``Type/id`` each; empty for empty notifications.
        broken: True if the server says that the subscription no longer works.
    """

    kind: str
    subscription: str = ""
    count: int | None = None
    first: int | None = None
    focus: tuple[str, ...] = ()
    broken: bool = False


def notification_of(body: Json, base: str) -> Notification | None:
    """The notification in a Bundle of type history or subscription-notification; None if none."""
    entries = body.get("entry") or ()
    first = entries[0] if isinstance(entries, list) and entries else {}
    status = first.get("resource") if isinstance(first, dict) else None
    if not isinstance(status, dict):
        return None
    if status.get("resourceType") == "Parameters":
        return _from_parameters(status, base)
    if status.get("resourceType") == "SubscriptionStatus":
        return _from_status(status, base)
    return None


def _from_parameters(status: Json, base: str) -> Notification:
    values = {each.get("name"): each for each in status.get("parameter") or ()}
    events = [e for e in status.get("parameter") or () if e.get("name") == "notification-event"]
    parts = [{each.get("name"): each for each in event.get("part") or ()} for event in events]
    return Notification(
        kind=str(_value(values.get("type")) or "event-notification"),
        subscription=_place(_value(values.get("subscription")), base),
        count=_number(_value(values.get("events-since-subscription-start"))),
        first=min(
            (n for n in (_number(_value(each.get("event-number"))) for each in parts) if n),
            default=None,
        ),
        focus=_places([_value(each.get("focus")) for each in parts], base),
        broken=_value(values.get("status")) in ("error", "off"),
    )


def _from_status(status: Json, base: str) -> Notification:
    events = status.get("notificationEvent") or ()
    numbers = [_number(each.get("eventNumber")) for each in events]
    return Notification(
        kind=str(status.get("type", "event-notification")),
        subscription=_place(status.get("subscription"), base),
        count=_number(status.get("eventsSinceSubscriptionStart")),
        first=min((each for each in numbers if each), default=None),
        focus=_places([each.get("focus") for each in events], base),
        broken=status.get("status") in ("error", "off"),
    )


def _value(parameter: Any) -> Any:
    if not isinstance(parameter, dict):
        return None
    return next((each for name, each in parameter.items() if name.startswith("value")), None)


def _number(value: Any) -> int | None:
    text = str(value) if value is not None else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _place(reference: Any, base: str) -> str:
    literal = reference.get("reference") if isinstance(reference, dict) else None
    place = relative(str(literal or ""), base)
    return place if LITERAL.fullmatch(place) else ""


def _places(found: list[Any], base: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(place for each in found if (place := _place(each, base))))
