"""No peer: for systems whose peer the kit does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from adapter.plugin import HttpEndpoint
from adapter_conformance.exchanges import hear_http
from adapter_conformance.peers import Answer, Arrived, FaultName
from adapter_conformance.profile import ProgramSample
from adapter_conformance.requirement import NotRun

if TYPE_CHECKING:
    import httpx


class NobodyPeer:
    """Nobody is there; also what the other peers build upon."""

    faults: frozenset[FaultName] = frozenset()
    programs: Sequence[ProgramSample] = ()
    several = 5

    def __init__(self) -> None:
        self.values: Mapping[str, str] = {}
        self.road: httpx.AsyncBaseTransport | None = None
        self.addresses: list[str] = []
        self.fault: FaultName | None = None
        self.taken: dict[str, Arrived] = {}

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    def arrived(self) -> Sequence[Arrived]:
        """What was taken, each key once."""
        return list(self.taken.values())

    def holds(self, arrived: Arrived, body: bytes) -> bool:
        """Byte for byte, within whatever frame."""
        return body.strip() in arrived.body

    def take(self, key: str, body: bytes) -> Arrived:
        """Take a message, or know it again."""
        return self.taken.setdefault(key, Arrived(key, body))

    async def offer(self, messages: Sequence[bytes]) -> None:
        """This peer keeps nothing for anybody."""
        raise NotRun("this peer keeps nothing for those who poll; name one in conformance.toml")

    async def offer_programs(self, programs: Sequence[bytes]) -> None:
        """This peer lists nothing."""
        raise NotRun("this peer lists no programs; name one in conformance.toml that does")

    async def send(self, endpoint: HttpEndpoint | str, path: str, raw: bytes) -> Answer:
        """By HTTP, for systems that take messages so whatever their peer is."""
        if isinstance(endpoint, str):
            raise NotRun("the kit does not know what this listener speaks; see conformance.toml")
        import httpx

        road = httpx.ASGITransport(endpoint.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=road, base_url="http://127.0.0.1") as client:
            response = await client.post("/" + path.lstrip("/"), content=raw)
            hear_http(response.request, response)
        return Answer(response.is_success, response.content)
