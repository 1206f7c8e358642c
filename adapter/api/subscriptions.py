"""Subscriptions over the API: asked for, changed, ended; $status and $events (Backport 1.1, R4)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import admitted
from adapter.api.body import check_accept, resource_body
from adapter.api.caller import Caller
from adapter.api.faults import refused
from adapter.api.read import looked_up
from adapter.api.response import FhirResponse
from adapter.exchange.http.guard import UrlRefused
from adapter.exchange.http.registered import rules
from adapter.exchange.subscription_notices import notification, status
from adapter.exchange.subscription_terms import CONTENTS, Terms, TermsRefused, terms
from adapter.store.resources import ResourceRow
from adapter.store.subscriptions import EventRow

Json = dict[str, Any]
KIND = "Subscription"
MOST = 1000


def understood(caller: Caller, subscription: Json) -> Terms:
    """What a Subscription asks for; 422 if it is not done here, 403 if the caller may not."""
    try:
        made = terms(subscription, caller.base)
        if made.channel == "rest-hook":
            rules(test=caller.test).check(made.endpoint)
    except TermsRefused as error:
        raise refused(422, str(error), error.at, code="not-supported") from None
    except UrlRefused as error:
        at = "Subscription.channel.endpoint"
        raise refused(422, f"the address is refused: {error.reason}", at, rule="address") from None
    if made.channel == "email" and not caller.service.notifier.mails:
        text = "this server sends no e-mail ([smtp] is not set); use a rest-hook"
        raise refused(422, text, "Subscription.channel.type", code="not-supported")
    caller.must("read", made.kind)
    return made


def subscribed(caller: Caller, made: Json) -> Json:
    """A new Subscription as it is stored: requested, until its channel answers."""
    asked = understood(caller, made)
    if made.get("status") not in ("requested", "active"):
        raise refused(422, "a new Subscription is requested", "Subscription.status", code="value")
    caller.tx.subscriptions.add(
        made["id"],
        organization=caller.service.organization,
        party=caller.party,
        client=caller.client.id if caller.client else None,
        topic=asked.topic,
        heartbeat=asked.heartbeat,
    )
    return {**made, "status": "requested"}


def resubscribed(caller: Caller, before: Json, after: Json) -> Json:
    """A changed Subscription: ended, asked for anew, or with other terms."""
    row = caller.tx.subscriptions.get(after["id"])
    if row is None:
        return after
    asked = understood(caller, after)
    if asked.topic != row.topic:
        text = "another topic needs another Subscription"
        raise refused(422, text, "Subscription.criteria", code="business-rule", rule="fixed")
    state = "requested"
    if after.get("status") == "off":
        state = "off"
    elif row.state in ("active", "requested") and before.get("channel") == after.get("channel"):
        state = row.state
    caller.tx.subscriptions.mark(
        row,
        state=state,
        delivered=row.delivered,
        failures=0,
        due=None if state == "off" else caller.at,
        heartbeat=asked.heartbeat,
    )
    changed = {**after, "status": state}
    changed.pop("error", None)
    return changed


async def status_of(request: Request) -> Response:
    """``$status`` of one Subscription, or of those that `id` names."""
    door = admitted(request)
    check_accept(request)
    given = await _parameters(request)
    own = request.path_params.get("id")
    wanted = [own] if own else given.get("id", [])
    states = given.get("status", [])
    return FhirResponse(await door.read(lambda caller: _statuses(caller, wanted, states)))


def _statuses(caller: Caller, wanted: list[str], states: list[str]) -> Json:
    if not wanted:
        raise refused(400, "name them with id", "http.id", code="required")
    entries = []
    for identity in wanted[:MOST]:
        stored = looked_up(caller, KIND, identity)
        row = caller.tx.subscriptions.get(identity)
        if row is None or (states and row.state not in states):
            continue
        said = status(row, _terms(caller, stored), "query-status", caller.base)
        entries.append(
            {
                "fullUrl": f"urn:uuid:{said['id']}",
                "resource": said,
                "search": {"mode": "match"},
            }
        )
    made: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return made | ({"entry": entries} if entries else {})


async def events_of(request: Request) -> Response:
    """``$events``: what happened, by number, whatever was delivered."""
    door = admitted(request)
    check_accept(request)
    given = await _parameters(request)
    low = _number(given, "eventsSinceNumber", 1)
    high = _number(given, "eventsUntilNumber", 2**40)
    content = (given.get("content") or [""])[0]
    if content and content not in CONTENTS:
        raise refused(400, f"content is one of {', '.join(CONTENTS)}", "http.content")
    own = request.path_params["id"]
    return FhirResponse(await door.read(lambda caller: _events(caller, own, low, high, content)))


def _events(caller: Caller, own: str, low: int, high: int, content: str) -> Json:
    stored = looked_up(caller, KIND, own)
    row = caller.tx.subscriptions.get(own)
    if row is None:
        raise refused(404, "There is no such Subscription here.", "http.url")
    asked = _terms(caller, stored)
    caller.must("read", asked.kind)
    events = caller.tx.subscriptions.events(own, low, high, limit=MOST)
    rows = (caller.get(each.type, each.id) for each in events)
    caller.found(asked.kind, [row for row in rows if row is not None])

    def shown(event: EventRow) -> ResourceRow | None:
        return caller.get(event.type, event.id)

    return notification(
        row, asked, "query-event", caller.base, events=events, shown=shown, content=content
    )


def _terms(caller: Caller, stored: ResourceRow) -> Terms:
    try:
        return terms(stored.content, caller.base)
    except TermsRefused as error:
        raise refused(422, str(error), error.at) from None


async def _parameters(request: Request) -> dict[str, list[str]]:
    """The parameters of the address and of the body, by name."""
    found: dict[str, list[str]] = {}
    for name, text in request.query_params.multi_items():
        found.setdefault(name, []).append(text)
    empty = request.headers.get("content-length", "0") == "0"
    if request.method != "POST" or (empty and "transfer-encoding" not in request.headers):
        return found
    body = await resource_body(request, "Parameters")
    listed = body.get("parameter", [])
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            at = f"Parameters.parameter[{index}]"
            raise refused(400, "a parameter has a name", at, code="structure")
        value = next((v for n, v in each.items() if n.startswith("value")), None)
        if isinstance(value, str | int):
            found.setdefault(each["name"], []).append(str(value))
    return found


def _number(given: dict[str, list[str]], name: str, default: int) -> int:
    text = (given.get(name) or [str(default)])[0]
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise refused(400, "a whole number is needed", f"http.{name}")
    return int(text)
