"""A FHIR R4 server: EMR, agency, or a place between, as its quirks and /metadata allow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from adapter.plugin import (
    FULL,
    AdapterError,
    Capabilities,
    Capacity,
    Check,
    Context,
    Delivered,
    HttpEndpoint,
    Inbound,
    ListedProgram,
    Listener,
    Outbound,
    Support,
    System,
    SystemConfig,
)
from adapter_fhir.answers import FHIR_JSON, resource_of
from adapter_fhir.changes import Changes, place, updated
from adapter_fhir.config import FhirConfig
from adapter_fhir.correlation import Correlation
from adapter_fhir.cursor import Cursor
from adapter_fhir.door import Door
from adapter_fhir.gather import Gatherer
from adapter_fhir.quirks import Quirks, quirks_from, vendor_quirks
from adapter_fhir.reader import FORMAT, Reader
from adapter_fhir.references import LITERAL, version_of
from adapter_fhir.sender import Sender
from adapter_fhir.services import Services
from adapter_fhir.standing import ENDED
from adapter_fhir.statement import Offers, offers_of
from adapter_fhir.subscriptions import Subscriptions
from adapter_fhir.writer import Writer

EVENTS = ("request", "modify", "cancel", "answer", "outcome", "note", "appointment")
POLL_SECONDS = 900
"""SDOH-CC 3.0, task-11 and task-12: at least daily, should be hourly, not under 15 minutes."""
KEPT_OVERLAPS = 2
"""Versions are remembered for this many overlaps behind the watermark."""


class Fhir(System):
    """One site whose peer is a FHIR R4 server."""

    name = "fhir"
    Config = FhirConfig
    capabilities = Capabilities(
        receives=FULL,
        polls=FULL,
        delivers=FULL,
        finds=FULL,
        lists_programs=FULL,
        reports_capacity=Support(
            "partial",
            reason="where a HealthcareService carries the capacity status of SDOH-CC, or says when "
            "it is not available",
        ),
        outbound_format=FORMAT,
        outbound_kinds=dict.fromkeys(EVENTS, "Bundle"),
        poll_seconds=POLL_SECONDS,
    )
    quirks: ClassVar[Quirks] = Quirks()
    config: FhirConfig

    def __init__(self, config: SystemConfig, context: Context) -> None:
        super().__init__(config, context)
        self._offers: Offers | None = None
        base = self.config.base_url
        self._correlation = Correlation(context)
        self._services = Services(context, self.config)
        self._writer = Writer(context, self.config)
        self._changes = Changes(context, self.config)
        self._reader = Reader(
            context,
            self.config,
            changes=self._changes,
            gatherer=Gatherer(context, base),
            correlation=self._correlation,
            writer=self._writer,
        )
        self._sender = Sender(
            context, self.config, correlation=self._correlation, writer=self._writer
        )

        self._subscriptions = Subscriptions(
            context, self.config, poll=self._changed, read=self._read
        )
        self._door = Door(
            context, self.config, subscriptions=self._subscriptions, task=self._pushed
        )

    async def open(self) -> None:
        """Read what the server offers, if it is there; what needs it asks again."""
        try:
            await self.offers()
        except AdapterError as error:
            self.context.log.warning("metadata.not-read", code=error.code)

    def endpoints(self) -> Sequence[Listener | HttpEndpoint]:
        """Notifications, and referrals that the peer brings by itself."""
        return [HttpEndpoint(self._door.app)]

    @classmethod
    def adapted(cls, name: str, quirks: Mapping[str, Any]) -> type[System]:
        """A system of another name that differs by these quirks (level 0).

        Raises:
            ConfigError: the table says what we do not know.
        """
        made = quirks_from(quirks, name)
        return type(f"{cls.__name__}_{name}", (cls,), {"name": name, "quirks": made})

    async def offers(self) -> Offers:
        """What the server offers, read once and kept until the site is opened again."""
        if self._offers is None:
            quirks = vendor_quirks(self.config.vendor) if self.config.vendor else self.quirks
            response = await self.context.http.get("metadata", headers=FHIR_JSON, route="/metadata")
            self._offers = offers_of(resource_of(response, "CapabilityStatement"), quirks)
        return self._offers

    async def check(self) -> list[Check]:
        """Whether the server is there, is R4, and knows who we are."""
        try:
            offers = await self.offers()
        except AdapterError as error:
            return [Check(name="server", state="fail", detail=error.message, fix=error.fix or _FIX)]
        if offers.version and not offers.version.startswith("4."):
            return [
                Check(
                    name="server",
                    state="fail",
                    detail=f"it speaks FHIR {offers.version[:20]}, not R4",
                    fix="Take the address of its R4 endpoint as base_url.",
                )
            ]
        found = [Check(name="server", state="ok", detail=f"{offers.quirks.vendor} answers")]
        found += [await self._party(name, value) for name, value in _parties(self.config)]
        return [*found, *_degraded(offers, self.config)]

    async def _party(self, name: str, value: str) -> Check:
        try:
            await self._writer.read(value)
        except AdapterError as error:
            return Check(
                name=name,
                state="fail",
                detail=error.message,
                fix=f"Correct {name}: TYPE/ID of a record on this server.",
            )
        return Check(name=name, state="ok", detail="the record is there")

    async def deliver(self, message: Outbound) -> Delivered:
        """Bring a referral or its news to the server."""
        return await self._sender.deliver(message, await self.offers())

    async def find(self, message: Outbound) -> Delivered | None:
        """The Task that a request made, by its link to us."""
        return await self._sender.find(message)

    async def poll(self, cursor: str | None) -> AsyncIterator[tuple[Inbound, str]]:
        """What changed in the Tasks that concern us, and in the requests that we carry out."""
        await self._subscriptions.ensure(await self.offers())
        async for found in self._changed(cursor):
            yield found

    async def list_programs(self) -> AsyncIterator[ListedProgram]:
        """The server's HealthcareServices."""
        async for found in self._services.listed(await self.offers()):
            yield found

    async def report_capacity(self) -> AsyncIterator[Capacity]:
        """What they say of their capacity."""
        async for found in self._services.capacities(await self.offers()):
            yield found

    async def _read(self, task: str) -> list[Inbound]:
        return await self._reader.changed(task, await self.offers())

    async def _pushed(self, task: dict[str, Any]) -> list[Inbound]:
        return await self._reader.pushed(task, await self.offers())

    async def _changed(self, cursor: str | None) -> AsyncIterator[tuple[Inbound, str]]:
        offers = await self.offers()
        at = Cursor.read(cursor)
        keep = self._remembered(offers)
        since = at.asked_from(timedelta(seconds=self.config.overlap_seconds))
        if offers.quirks.task == "none":
            async for found in self._requests_alone(at, offers):
                yield found
            return
        for task in await self._changes.of(at, offers):
            messages = await self._reader.messages(task, offers)
            newest = task
            if messages and "owner" not in task:
                newest = (await self._writer.read(place(task)))[0]
            for message in messages[:-1]:
                yield message, at.write()
            await self._follow(at, newest, offers)
            at.pass_by(place(newest), version_of(newest), updated(newest), keep=keep)
            for message in messages[-1:]:
                yield message, at.write()
        for request in await self._changes.requests(sorted(at.requests), since, offers):
            version, task_place = at.requests[place(request)]
            at.requests[place(request)] = (version_of(request), task_place)
            if version in ("", version_of(request)):
                continue
            for message in await self._reader.request_changed(request, task_place, offers):
                yield message, at.write()

    async def _requests_alone(
        self, at: Cursor, offers: Offers
    ) -> AsyncIterator[tuple[Inbound, str]]:
        """Where there are no Tasks: the requests themselves."""
        for request in await self._changes.of(at, offers, "ServiceRequest"):
            messages = await self._reader.alone(request, offers)
            keep = self._remembered(offers, "ServiceRequest")
            at.pass_by(place(request), version_of(request), updated(request), keep=keep)
            for message in messages:
                yield message, at.write()

    async def _follow(self, at: Cursor, task: dict[str, Any], offers: Offers) -> None:
        """Keep an eye on the request of a Task that we carry out; end that of one that we made."""
        known = await self._reader.known(task)
        if known is None or not LITERAL.fullmatch(known.request):
            return
        if known.side == "made":
            if task.get("status") == "completed":
                await self._sender.settle(known, offers)
            return
        if task.get("status") in ENDED:
            at.requests.pop(known.request, None)
        else:
            version = self._reader.read_versions.get(known.request, "")
            at.requests.setdefault(known.request, (version, known.task))

    def _remembered(self, offers: Offers, kind: str = "Task") -> timedelta | None:
        """How long versions are remembered: for good where the server cannot say what is new."""
        if not offers.searched_by(kind, "_lastUpdated"):
            return None
        return timedelta(seconds=self.config.overlap_seconds * KEPT_OVERLAPS + 1)


_FIX = "Look whether the server runs, and whether base_url is its FHIR R4 address."


def _parties(config: FhirConfig) -> list[tuple[str, str]]:
    return [(name, value) for name, value in (("us", config.us), ("them", config.them)) if value]


def _degraded(offers: Offers, config: FhirConfig) -> list[Check]:
    """What the server lacks, and what we do instead."""
    found = []
    if offers.quirks.task == "none" or not offers.updates("Task"):
        found.append("no Task may be changed there: outcomes go to the client's chart")
    for parameter, value in (("owner", config.us), ("requester", config.us)):
        if value and not offers.searched_by("Task", parameter):
            found.append(f"Tasks cannot be searched by {parameter}: all are read, and ours chosen")
    if not offers.searched_by("Task", "_lastUpdated"):
        found.append("Tasks cannot be searched by _lastUpdated: all are read at every poll")
    return [
        Check(name="offers", state="warn", detail=each, fix="Nothing: we do without.")
        for each in found
    ]
