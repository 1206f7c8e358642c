"""What a Subscription asks for: topic, filters, channel, payload (Backport 1.1 for R4).

The two topics are those of SDOH Clinical Care 3.0: a Task that is made or changed, and a
ServiceRequest that is changed; there is no discovery for them but the CapabilityStatement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

Json = dict[str, Any]
_GUIDE = "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
TOPICS: Mapping[str, str] = {
    f"{_GUIDE}/Task": "Task",
    f"{_GUIDE}/Servicerequest": "ServiceRequest",
}
"""Topics by canonical, and the type that each is about; the second is written as the guide does."""
FILTERS: Mapping[str, tuple[str, ...]] = {
    "Task": ("_lastUpdated", "code", "owner", "requester", "status", "patient"),
    "ServiceRequest": ("_lastUpdated", "_id", "patient"),
}
CHANNELS = ("rest-hook", "email")
CONTENTS = ("empty", "id-only", "full-resource")
LEAST_HEARTBEAT = 10
MOST_EVENTS = 50
_HEADER = re.compile(r"[A-Za-z0-9-]{1,80}: ?[\t -~]{0,4000}\Z")
_MAIL = re.compile(r"(?:mailto:)?[^@\s:/]{1,64}@[A-Za-z0-9.-]{1,190}\Z")
_PATHS = {"patient": ("for", "subject"), "_id": ("id",)}


class TermsRefused(ValueError):  # noqa: N818 - named for what happened
    """A Subscription that is not done here: why, and the element that is the reason."""

    def __init__(self, text: str, at: str) -> None:
        self.at = at
        super().__init__(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One Subscription as it was understood.

    Attributes:
        topic: its canonical; kind: the type that it is about.
        tests: all of each inner list must hold; one list is enough. None at all: everything.
        content: empty, id-only or full-resource. heartbeat: seconds, or None.
        most: events in one notification.
    """

    topic: str
    kind: str
    tests: tuple[tuple[Callable[[Json], bool], ...], ...]
    channel: str
    endpoint: str
    headers: Mapping[str, str]
    content: str
    heartbeat: int | None
    most: int

    def concern(self, resource: Json, created: bool) -> bool:
        """True if a change of this resource is an event of the topic that passes the filters."""
        if self.kind == "Task":
            if resource.get("status") == "draft" or resource.get("intent") != "order":
                return False
        elif created:
            return False
        return not self.tests or any(all(test(resource) for test in each) for each in self.tests)


def terms(subscription: Json, base: str) -> Terms:
    """Understand a Subscription; `base` is this server's own FHIR address.

    Raises:
        TermsRefused: it asks for what is not done here.
    """
    topic = subscription.get("criteria", "")
    kind = TOPICS.get(topic)
    if kind is None:
        raise TermsRefused(f"the topics here are {', '.join(TOPICS)}", "Subscription.criteria")
    channel = subscription.get("channel", {})
    filters = _extensions(subscription.get("_criteria"), "backport-filter-criteria")
    content = _content(channel)
    sort, endpoint = channel.get("type"), channel.get("endpoint", "")
    if sort not in CHANNELS:
        raise TermsRefused(f"the channels are {', '.join(CHANNELS)}", "Subscription.channel.type")
    if sort == "email":
        if content == "full-resource":
            text = "a full resource never goes by e-mail; ask for empty or id-only"
            raise TermsRefused(text, "Subscription.channel.payload")
        if not _MAIL.match(endpoint):
            raise TermsRefused("an e-mail address is needed", "Subscription.channel.endpoint")
    heartbeat = _number(channel, "backport-heartbeat-period")
    if heartbeat is not None and heartbeat:
        heartbeat = max(heartbeat, LEAST_HEARTBEAT)
    return Terms(
        topic=topic,
        kind=kind,
        tests=tuple(_tests(kind, str(each), base) for each in filters),
        channel=sort,
        endpoint=endpoint,
        headers=_headers(channel),
        content=content,
        heartbeat=heartbeat or None,
        most=min(max(_number(channel, "backport-max-count") or MOST_EVENTS, 1), MOST_EVENTS),
    )


def _content(channel: Json) -> str:
    said = _extensions(channel.get("_payload"), "backport-payload-content")
    content = str(said[0]) if said else "empty"
    if content not in CONTENTS:
        text = f"the contents are {', '.join(CONTENTS)}"
        raise TermsRefused(text, "Subscription.channel.payload")
    media = channel.get("payload", "application/fhir+json")
    if str(media).partition(";")[0].strip() not in ("application/fhir+json", "application/json"):
        text = "notifications are application/fhir+json"
        raise TermsRefused(text, "Subscription.channel.payload")
    return content


def _headers(channel: Json) -> dict[str, str]:
    found = {}
    for index, each in enumerate(channel.get("header", ())):
        if not isinstance(each, str) or not _HEADER.match(each):
            at = f"Subscription.channel.header[{index}]"
            raise TermsRefused("a header is written Name: value", at)
        name, _, value = each.partition(":")
        found[name] = value.strip()
    return found


def _extensions(holder: Any, name: str) -> list[Any]:
    listed = holder.get("extension", ()) if isinstance(holder, dict) else ()
    return [
        next((value for key, value in each.items() if key.startswith("value")), None)
        for each in listed
        if isinstance(each, dict) and each.get("url") == f"{BACKPORT}/{name}"
    ]


def _number(channel: Json, name: str) -> int | None:
    found = _extensions(channel, name)
    return found[0] if found and isinstance(found[0], int) and found[0] >= 0 else None


def _tests(kind: str, criteria: str, base: str) -> tuple[Callable[[Json], bool], ...]:
    """The tests of one filter, a search of the topic's type."""
    of, question, query = criteria.partition("?")
    at = "Subscription.criteria.extension"
    if question and of != kind:
        raise TermsRefused(f"a filter of this topic is {kind}?name=value", at)
    found = []
    for name, text in parse_qsl(query if question else criteria, keep_blank_values=False):
        plain, _, modifier = name.partition(":")
        if plain not in FILTERS[kind] or modifier not in ("", "not", "identifier"):
            raise TermsRefused(f"the filters are {', '.join(FILTERS[kind])}", at)
        if plain != "_lastUpdated":  # an event is always later
            found.append(_test(plain, modifier, text.split(","), f"{base}/"))
    return tuple(found)


def _test(name: str, modifier: str, wanted: list[str], base: str) -> Callable[[Json], bool]:
    plain = {each.removeprefix(base) for each in wanted}

    def holds(resource: Json) -> bool:
        said = {
            word
            for path in _PATHS.get(name, (name,))
            for word in _words(resource.get(path), modifier == "identifier")
        }
        return bool(said & plain) is (modifier != "not")

    return holds


def _words(value: Any, by_identifier: bool) -> set[str]:
    """Each way in which a search may name what stands in an element."""
    if isinstance(value, str):
        return {value}
    if not isinstance(value, dict):
        return set()
    if by_identifier:
        held = value.get("identifier", {})
        return {str(held.get("value")), f"{held.get('system', '')}|{held.get('value')}"}
    if "reference" in value:
        reference = str(value["reference"])
        return {reference, reference.rpartition("/")[2]}
    codings = value.get("coding", ())
    return {str(each.get("code")) for each in codings} | {
        f"{each.get('system', '')}|{each.get('code')}" for each in codings
    }
