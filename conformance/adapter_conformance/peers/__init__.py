"""Peers: the other side of a plugin, in process or on loopback, with faults by common names.

A vendor whose peer is none of these writes a class with these members and names it in
conformance.toml: ``peer = "adapter_acme.testing:AcmePeer"``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from adapter.plugin import HttpEndpoint
from adapter_conformance.profile import ProgramSample
from adapter_conformance.requirement import NotRun

if TYPE_CHECKING:
    import httpx

FaultName = Literal[
    "unavailable",
    "rate-limited",
    "unauthorized",
    "refused",
    "gone",
    "lost-answer",
    "nonsense",
    "down",
]
"""unavailable: it cannot now. rate-limited: ask again in an hour. unauthorized: not with these
credentials. refused: not this message. gone: nobody of that name. lost-answer: it takes the message
and the answer is lost. nonsense: it answers what means nothing. down: nobody is there."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that the peer took; the same `key` twice is the same message for it."""

    key: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plugin answered to a message that the peer sent: taken or not, and how it said so."""

    accepted: bool
    body: bytes = field(repr=False)


class Peer(Protocol):
    """The other side.

    Attributes:
        programs: what it lists if conformance.toml has none of its own: peers of a standard do.
        several: how many programs make more than one page of it.
    """

    faults: frozenset[FaultName]
    values: Mapping[str, str]
    road: httpx.AsyncBaseTransport | None
    addresses: list[str]
    programs: Sequence[ProgramSample]
    several: int
    fault: FaultName | None

    async def start(self) -> None:
        """Be there; `values` are right from now on."""

    async def stop(self) -> None:
        """Be gone."""

    def arrived(self) -> Sequence[Arrived]:
        """What was taken, each once, in order."""

    def holds(self, arrived: Arrived, body: bytes) -> bool:
        """Whether what arrived is this body that was delivered."""

    async def offer(self, messages: Sequence[bytes]) -> None:
        """Keep these for whoever polls."""

    async def offer_programs(self, programs: Sequence[bytes]) -> None:
        """Have these programs, and no others."""

    async def send(self, endpoint: HttpEndpoint | str, path: str, raw: bytes) -> Answer:
        """Bring a message to an endpoint of the plugin, or to ``host:port`` of its listener."""


def make_peer(name: str) -> Peer:
    """A peer by its word, or by ``package.module:Class``.

    Raises:
        ValueError: there is none of that name. NotRun: it needs a library that is not installed.
    """
    places = {
        "fhir": "adapter_conformance.peers.fhir:FhirPeer",
        "rest": "adapter_conformance.peers.rest:RestPeer",
        "mllp": "adapter_conformance.peers.mllp:MllpPeer",
        "mllp-tls": "adapter_conformance.peers.mllp_tls:MllpTlsPeer",
        "smtp": "adapter_conformance.peers.smtp:SmtpPeer",
        "sftp": "adapter_conformance.peers.sftp:SftpPeer",
        "files": "adapter_conformance.peers.files:FilesPeer",
        "none": "adapter_conformance.peers.nobody:NobodyPeer",
    }
    module, _, attribute = places.get(name, name).partition(":")
    try:
        made: Any = getattr(importlib.import_module(module), attribute)()
    except ModuleNotFoundError as error:
        if name in places and error.name not in (None, module):
            extra = "social-prescribing-adapter[conformance]"
            raise NotRun(
                f"the peer {name} needs {error.name}; install it with: pip install '{extra}'"
            ) from error
        raise ValueError(f"there is no peer {name}") from error
    except (ImportError, AttributeError) as error:
        raise ValueError(f"there is no peer {name}") from error
    found: Peer = made
    return found
