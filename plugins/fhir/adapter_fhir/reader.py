"""What a Task on the peer's server says to us: messages for the core.

Three kinds of Task concern us: those that we made there (their news answers our referral), those
that are for us (a new referral, or its cancellation), and open ones that anyone may claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson

from adapter.plugin import Context, DataError, Inbound
from adapter_fhir.changes import Changes, is_referral, place, updated
from adapter_fhir.config import FhirConfig
from adapter_fhir.correlation import Correlation, Known
from adapter_fhir.gather import Gatherer
from adapter_fhir.inward import DIALECT, Inward
from adapter_fhir.references import absolute, identifiers, linked, relative, version_of
from adapter_fhir.statement import Offers
from adapter_fhir.writer import Writer

Json = dict[str, Any]
FORMAT = "fhir"
ASKED = frozenset({"requested", "received", "ready"})
"""Statuses of a Task that waits for its owner's answer."""
TAKEN_BACK = frozenset({"cancelled", "entered-in-error"})
_BEYOND = frozenset({"in-progress", "on-hold", "completed", "failed"})
_URN = "urn:uuid:"


class Reader:
    """Reads the Tasks of one site's server."""

    def __init__(
        self,
        context: Context,
        config: FhirConfig,
        *,
        changes: Changes,
        gatherer: Gatherer,
        correlation: Correlation,
        writer: Writer,
    ) -> None:
        self._context = context
        self._config = config
        self._base = config.base_url
        self._changes = changes
        self._gatherer = gatherer
        self._correlation = correlation
        self._writer = writer
        self.read_versions: dict[str, str] = {}
        """Versions of the requests as they were handed over, by ``ServiceRequest/id``."""
        self._inward = Inward(context.site.name, config.base_url)

    async def messages(self, task: Json, offers: Offers) -> list[Inbound]:
        """What one version of a Task says to us, in order; empty if nothing."""
        known = await self.known(task)
        if known is not None and known.side == "made":
            return await self._news(task, known, offers)
        if not is_referral(task):
            return []
        if known is not None:
            return await self._from_requester(task, known, offers)
        if task.get("status") not in ASKED or self._context.site.role == "performer":
            return []
        if not self._ours(task):
            claimed = await self._claimed(task, offers) if self._changes.claimable(task) else None
            return [await self._request(claimed, offers)] if claimed else []
        return [await self._request(task, offers)]

    async def pushed(self, task: Json, offers: Offers) -> list[Inbound]:
        """What a Task says that a peer brought: one of its server's, or one that is to be ours.

        In the direct flow the Task is with us and its request stays where it is (SDOH-CC 3.0:
        Task.focus is absolute then).

        Raises:
            DataError: its request cannot be read.
        """
        if task.get("id"):
            return await self.changed(place(task), offers)
        if not is_referral(task):
            raise _not_readable("it asks for nothing that we do")
        address = absolute(str((task.get("focus") or {}).get("reference", "")), self._base)
        own = f"{address}#{_digest(task)}"
        found = {own: task} | await self._gatherer.around([task], offers)
        if address not in found:
            raise _not_readable("the request that it has as its focus cannot be read")
        known = Known(
            side="taken",
            fulfilment=self._inward.own_id(own),
            referral=self._inward.own_id(address),
            request=relative(address, self._base),
        )
        await self._correlation.keep(known)
        raw = self._inward.request("request", found)
        return [self._inbound(raw, own, list(found.values()))]

    async def changed(self, task: str, offers: Offers) -> list[Inbound]:
        """What a Task says now, read from the server: whatever a notification claims."""
        return await self.messages((await self._writer.read(task))[0], offers)

    async def known(self, task: Json) -> Known | None:
        """What we know of a Task: by its address, else by the link that it carries to us."""
        found = await self._correlation.of_place(place(task))
        if found is not None:
            return found
        for link in linked(task):
            if link.startswith(_URN):
                found = await self._correlation.of_fulfilment(link.removeprefix(_URN))
                if found is not None and not found.task:
                    known = replace(found, task=place(task))
                    await self._correlation.keep(known)
                    return known
        return None

    async def request_changed(self, request: Json, task: str, offers: Offers) -> list[Inbound]:
        """What a new version of a request says to us, whose Task we carry out."""
        kind = "cancel" if request.get("status") in ("revoked", "entered-in-error") else "modify"
        if request.get("status") == "completed":
            return []
        address = absolute(place(request), self._base)
        found = {address: request}
        if kind == "modify":
            found |= await self._gatherer.around([request], offers)
        raw = self._inward.request(kind, found, at=updated(request))
        return [self._inbound(raw, f"{place(request)}/_history/{version_of(request)}", [request])]

    async def alone(self, request: Json, offers: Offers) -> list[Inbound]:
        """A request on a server that has no Tasks: it stands for its own execution."""
        own = place(request)
        known = await self._correlation.of_place(own)
        if known is not None and version_of(request) != known.first:
            return await self.request_changed(request, own, offers)
        if request.get("status") != "active" or self._context.site.role == "performer":
            return []
        address = absolute(own, self._base)
        subject = request.get("subject") or {}
        task: Json = {
            "resourceType": "Task",
            "status": "requested",
            "intent": "order",
            "focus": {"reference": address},
            "for": subject,
        }
        known = Known(
            side="taken",
            fulfilment=self._inward.own_id(f"{address}#task"),
            referral=self._inward.own_id(address),
            request=own,
            patient=str(subject.get("reference", "")),
            first=version_of(request),
        )
        await self._correlation.keep(known)
        found = {f"{address}#task": task, address: request}
        found |= await self._gatherer.around([request], offers)
        raw = self._inward.request("request", found, at=updated(request))
        return [self._inbound(raw, f"{own}/_history/{version_of(request)}", [request])]

    def _ours(self, task: Json) -> bool:
        owner = str((task.get("owner") or {}).get("reference", ""))
        us = self._config.us
        return bool(us) and absolute(owner, self._base) == absolute(us, self._base)

    async def _request(self, task: Json, offers: Offers) -> Inbound:
        """A referral: the Task, its request, and what they refer to."""
        own = absolute(place(task), self._base)
        found = {own: task} | await self._gatherer.around([task], offers)
        focus = absolute(str((task.get("focus") or {}).get("reference", "")), self._base)
        subject = task.get("for") or found.get(focus, {}).get("subject") or {}
        known = Known(
            side="taken",
            fulfilment=self._inward.own_id(own),
            referral=self._inward.own_id(focus),
            task=place(task),
            request=relative(focus, self._base),
            patient=str(subject.get("reference", "")),
            first=version_of(task),
        )
        if focus in found:
            self.read_versions[known.request] = version_of(found[focus])
        before = await self._correlation.of_fulfilment(known.fulfilment)
        if before is None:
            await self._correlation.keep(known)
        raw = self._inward.request("request", found, at=updated(task))
        return self._inbound(raw, self._key(task), list(found.values()))

    async def _from_requester(self, task: Json, known: Known, offers: Offers) -> list[Inbound]:
        """What the requester did to a Task that we carry out; our own writes are no news."""
        status = task.get("status")
        if version_of(task) == known.first:
            return [await self._request(task, offers)]  # the same again, for a repeated poll
        if status not in TAKEN_BACK or version_of(task) == known.wrote:
            return []
        own = absolute(place(task), self._base)
        found = {own: task}
        request = await self._gatherer.one(absolute(known.request, self._base))
        if request is not None:
            found[absolute(known.request, self._base)] = request
        raw = self._inward.request("cancel", found, at=updated(task))
        return [self._inbound(raw, self._key(task), [task])]

    async def _news(self, task: Json, known: Known, offers: Offers) -> list[Inbound]:
        """What the performer says of our referral.

        A poll sees the newest version alone, so that an acceptance may go unseen; it is stated
        before what can only follow on it (SDOH-CC 3.0: requested leads to accepted or rejected).
        """
        status = str(task.get("status"))
        if version_of(task) == known.wrote or (status in ASKED and not task.get("output")):
            return []
        messages = []
        if status == "accepted":
            await self._correlation.note_accepted(place(task))
        elif status in _BEYOND and not await self._correlation.was_accepted(place(task)):
            messages.append(self._accepted(task, known))
        found = await self._gatherer.around([task], offers, fields=("output",))
        raw = self._inward.news(
            "outcome" if status == "completed" else "answer",
            task,
            found,
            fulfilment=known.fulfilment,
            referral=known.referral,
            at=updated(task),
        )
        return [*messages, self._inbound(raw, self._key(task), [task])]

    def _accepted(self, task: Json, known: Known) -> Inbound:
        said = {"resourceType": "Task", "status": "accepted", "intent": "order"}
        raw = self._inward.news(
            "answer", said, {}, fulfilment=known.fulfilment, referral=known.referral
        )
        return self._inbound(raw, f"{place(task)}#accepted", [task])

    async def _claimed(self, task: Json, offers: Offers) -> Json | None:
        """The open Task as ours, if we were first; None if somebody else was.

        The owner is set on the very version that was read (If-Match), so that of many who try one
        succeeds; a server without versions is not claimed from.
        """
        if not self._config.us or not offers.updates("Task"):
            return None
        current, tag = await self._writer.read(place(task))
        if not self._changes.claimable(current):
            return None
        if not tag or not offers.quirks.if_match:
            self._context.log.warning("task.not-claimed", why="the server has no versions")
            return None
        claimed = {**current, "owner": {"reference": self._config.us}}
        version = await self._writer.put(place(task), current, claimed, tag, offers)
        if version is None:
            return None
        return (await self._writer.read(place(task)))[0]

    def _key(self, task: Json) -> str:
        return f"{place(task)}/_history/{version_of(task)}"

    def _inbound(self, raw: bytes, key: str, resources: list[Json]) -> Inbound:
        return Inbound(
            raw=raw,
            format=FORMAT,
            kind="Bundle",
            key=key,
            dialect=DIALECT,
            test=any(is_test(each) for each in resources),
        )


def is_test(resource: Mapping[str, Any]) -> bool:
    """Flagged as a test: meta.security HTEST (v3-ActReason), as our own API writes it."""
    labels = (resource.get("meta") or {}).get("security") or ()
    return any(isinstance(each, dict) and each.get("code") == "HTEST" for each in labels)


def _digest(task: Json) -> str:
    """What a Task without an id is known by: its first identifier, else its content."""
    named: Any = next((each for each in identifiers(task) if each.get("value")), task)
    return sha256(orjson.dumps(named, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _not_readable(why: str) -> DataError:
    return DataError(
        "fhir.task-not-taken",
        f"a Task was brought that we cannot take: {why}",
        fix="Look whether the request's server is this site's, or is named in allow.",
    )
