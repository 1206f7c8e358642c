"""A stage: one system, open, between a peer and a context that the kit holds."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from adapter.exchange.dispatch import outbound_document
from adapter.exchange.news import REPLIES
from adapter.plugin import (
    Delivers,
    HttpEndpoint,
    Listener,
    Notice,
    Outbound,
    Receives,
    System,
    SystemConfig,
)
from adapter_conformance.context import KitContext
from adapter_conformance.peers import Answer, FaultName, Peer, make_peer
from adapter_conformance.planted import SECRET, request
from adapter_conformance.profile import Sample
from adapter_conformance.requirement import NotRun, NotSupported
from adapter_conformance.subject import Subject


@dataclass(slots=True)
class Stage:
    """What a check works with."""

    subject: Subject
    peer: Peer
    system: System
    context: KitContext
    _doors: list[HttpEndpoint | str] = field(default_factory=list)
    _listeners: list[Listener] = field(default_factory=list)

    async def listen(self) -> None:
        """Start what the peer comes in by."""
        if self._doors:
            return
        for endpoint in cast(Receives, self.system).endpoints():
            if isinstance(endpoint, HttpEndpoint):
                self._doors.append(endpoint)
            else:
                self._doors.append(await endpoint.start())
                self._listeners.append(endpoint)
        if not self._doors:
            raise NotSupported("with these settings it listens nowhere")

    async def stop_listening(self) -> None:
        """Stop the listeners, as the core does before it closes a system."""
        for listener in self._listeners:
            await listener.stop()
        self._listeners.clear()

    async def send(self, raw: bytes, path: str | None = None) -> Answer:
        """Let the peer send a message, to a path if it is not where messages go."""
        await self.listen()
        where = self.subject.profile.path if path is None else path
        return await self.peer.send(self._doors[0], where, raw)

    def sample(self) -> Sample:
        """A good message of the peer's.

        Raises:
            NotSupported: the system takes visits. NotRun: conformance.toml names no sample.
        """
        profile = self.subject.profile
        if profile.takes == "visits":
            raise NotSupported("it takes visits of people to pages, not messages")
        if not profile.samples:
            raise NotRun("conformance.toml names no [[sample]], a good message of the peer's")
        return profile.samples[0]

    def outbound(self, event: str = "", number: int = 1, attempt: int = 1) -> Outbound:
        """A delivery of an invented person's referral; the same number is the same one again."""
        capabilities = self.system.capabilities
        if not capabilities.outbound_kinds:
            raise NotSupported("it declares no kind of message to deliver")
        event = event or next(iter(capabilities.outbound_kinds))
        identity = str(uuid.UUID(int=number))
        kind = capabilities.outbound_kinds[event]
        body = b""
        if capabilities.outbound_format:
            body = written(self.subject, event, identity, number)
        return Outbound(
            id=identity,
            event=event,
            kind=kind,
            referral=_numbered("planted-referral", number),
            fulfilment=f"work-{number}",
            created=self.context.now(),
            attempt=attempt,
            body=body,
            test=True,
            notice=Notice(
                reference="rx-0000kit",
                fulfilment=f"work-{number}",
                program="Synthetic Garden Club",
                recipient_email="intake@agency.example",
            ),
        )

    async def deliver(self, message: Outbound) -> Any:
        """Deliver as the core does."""
        return await cast(Delivers, self.system).deliver(message)

    def fail(self, fault: FaultName) -> None:
        """Let the peer be at fault from now on.

        Raises:
            NotSupported: a peer of this kind cannot do that.
        """
        if fault not in self.peer.faults:
            raise NotSupported(f"a peer of this kind has no way to be {fault!r}")
        self.peer.fault = fault


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def written(subject: Subject, event: str, delivery: str = "", number: int = 1) -> bytes:
    """The invented referral's event in the system's own format; each number is another referral.

    Raises:
        DataError: no table writes it.
    """
    capabilities = subject.kind.capabilities
    kind = capabilities.outbound_kinds[event]
    return subject.mapper.write(
        outbound_document(planted_event(event, number), delivery or str(uuid.UUID(int=1)), kind),
        format=capabilities.outbound_format or "",
        kind=kind,
        dialect=subject.dialect,
        site="kit",
        timezone="UTC",
    )


def planted_event(event: str, number: int = 1) -> dict[str, Any]:
    """The canonical document of an event about the invented referral."""
    document: dict[str, Any] = request()
    document["referral"]["id"] = _numbered(document["referral"]["id"], number)
    document["fulfilments"][0]["id"] = f"work-{number}"
    asked = event.removesuffix("-answer")
    document["kind"] = "answer" if event.endswith("answer") else asked
    if event.endswith("answer"):
        document["envelope"]["reply"] = REPLIES.get(event, "request")
        document["envelope"]["acknowledges"] = {"code": "AA", "message_id": "planted-0"}
    if event == "cancel":
        document["fulfilments"][0] |= {"status": "cancelled", "reason": {"code": "other"}}
    return document


def settings_of(subject: Subject, peer: Peer) -> dict[str, Any]:
    """The profile's settings with the peer's addresses filled in."""
    values = {"secret": SECRET, "host": "127.0.0.1", **peer.values}
    return cast("dict[str, Any]", _filled(subject.profile.settings, values))


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if isinstance(value, str):
        for key, word in values.items():
            value = value.replace("{" + key + "}", word)
    return value


def declared(subject: Subject, ability: str) -> None:
    """Let a check go on only if the ability is declared.

    Raises:
        NotSupported: it is not; the reason is the declared one.
    """
    support = getattr(subject.kind.capabilities, ability)
    if not support.declared:
        why = f": {support.reason}" if support.reason else ""
        raise NotSupported(f"{ability} is declared {support.level}{why}")


async def _consented(config: SystemConfig, context: KitContext) -> None:
    """Where the scheme needs a person's consent (OAuth 1.0a), it was given before."""
    from adapter.security.outgoing.oauth1 import TOKEN, TokenPair, dump_pair

    if getattr(getattr(config, "auth", None), "type", "") == "oauth1":
        await context.memory_state.put(TOKEN, dump_pair(TokenPair("planted-token", SECRET)))


@asynccontextmanager
async def stage(
    subject: Subject, *, opened: bool = True, name: str = "kit"
) -> AsyncIterator[Stage]:
    """A system on stage; everything is closed at the end, whatever happened."""
    peer = make_peer(subject.profile.peer)
    await peer.start()
    try:
        config = subject.kind.Config.model_validate(settings_of(subject, peer))
        context = KitContext(config, road=peer.road, name=name)
        await _consented(config, context)
        made = Stage(subject, peer, subject.kind(config, context), context)
        try:
            if opened:
                await made.system.open()
            yield made
        finally:
            await made.stop_listening()
            await made.system.close()
            await context.close()
    finally:
        await peer.stop()
        await asyncio.sleep(0)
