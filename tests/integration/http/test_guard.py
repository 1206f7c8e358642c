"""The guard against requests to the inside: hundreds of addresses, and a listener nobody reaches.

The listener counts connections, not requests. Every address of the corpus is asked for by a client
that allows exactly its host and port, so that no allow-list does the guard's work.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import httpcore
import httpx
import pytest

from adapter.exchange.http.addresses import Address, AddressRules
from adapter.exchange.http.capped import CappedTransport
from adapter.exchange.http.client import SiteClient
from adapter.exchange.http.guard import UrlRefused, UrlRules, origin_of
from adapter.exchange.http.pinned import PinnedBackend
from adapter.exchange.http.transport import GuardedTransport
from adapter.plugin.errors import AdapterError, ConfigError, SystemFault
from adapter.plugin.http import HttpSettings
from adapter.security.outgoing.tls import public_tls
from adapter_conformance.fakes.memory import MemoryClock, MemoryLog
from adapter_conformance.fakes.rest_host import RestHost
from adapter_conformance.fakes.serving import beside

pytestmark = [pytest.mark.anyio, pytest.mark.network]
Connect = Callable[..., SiteClient]
CORPUS = Path(__file__).with_name("refused_urls.tsv")
PUBLIC = ip_address("93.184.216.34")
LOOPBACK = ip_address("127.0.0.1")


@dataclass(frozen=True)
class Case:
    reason: str
    url: str
    answers: tuple[Address, ...]


def corpus() -> list[Case]:
    cases = []
    for line in CORPUS.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            reason, url, *answers = line.split("\t")
            cases.append(Case(reason, url, _addresses(answers)))
    return cases


def _addresses(column: list[str]) -> tuple[Address, ...]:
    return tuple(ip_address(each) for each in column[0].split(",")) if column else ()


def written_out(url: str, port: int) -> str:
    for escape, char in [("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r"), ("\\0", "\0")]:
        url = url.replace(escape, char)
    url = url.replace("\\x1f", "\x1f").replace("\\x7f", "\x7f")
    return url.replace("PORT", str(port)).replace("LONG", "a" * 9000)


@dataclass
class Sink:
    port: int
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A listener on every address of this machine, IPv4 and IPv6."""
    first = socket.create_server(("0.0.0.0", 0))
    sink = Sink(first.getsockname()[1])
    servers = [await asyncio.start_server(sink, sock=first)]
    try:
        second = socket.create_server(("::", sink.port), family=socket.AF_INET6)
        servers.append(await asyncio.start_server(sink, sock=second))
    except OSError:
        pass  # a machine without IPv6
    yield sink
    for server in servers:
        server.close()
        await server.wait_closed()


def open_to(
    case_answers: Sequence[Address], rules: UrlRules, clock: MemoryClock, log: MemoryLog
) -> SiteClient:
    async def resolve(host: str, port: int) -> Sequence[Address]:
        return case_answers or [LOOPBACK]

    backend = PinnedBackend(rules.addresses, resolve=resolve)
    road = GuardedTransport(backend, tls=public_tls(), max_connections=2)
    return SiteClient(
        base_url="",
        rules=rules,
        transport=CappedTransport(road),
        settings=HttpSettings(retries=0),
        log=log,
        now=clock.now,
        sleep=clock.sleep,
        chance=lambda: 0.5,
    )


def hosts_of(url: str) -> frozenset[tuple[str, int]]:
    try:
        origin = origin_of(url)
    except UrlRefused:
        return frozenset()
    return frozenset({(origin.host, origin.port)})


async def test_no_address_of_the_corpus_is_ever_connected_to(
    sink: Sink, clock: MemoryClock, log: MemoryLog
) -> None:
    cases = corpus()
    assert len(cases) >= 200
    for case in cases:
        url = written_out(case.url, sink.port)
        client = open_to(case.answers, UrlRules(hosts=hosts_of(url)), clock, log)
        with pytest.raises(AdapterError) as caught:
            await client.request("GET", url)
        await client.aclose()
        assert isinstance(caught.value, UrlRefused | ConfigError), (url, caught.value)
        if isinstance(caught.value, UrlRefused) and case.reason != "*":
            assert caught.value.reason == case.reason, url
        assert sink.connections == 0, url
    print(f"{len(cases)} addresses asked for, {sink.connections} connections")


async def test_the_listener_can_be_reached_by_a_site_that_may(sink: Sink, connect: Connect) -> None:
    await connect(f"http://127.0.0.1:{sink.port}").get("Task")
    await connect(f"http://localhost:{sink.port}").get("Task")

    assert sink.connections == 2


async def test_no_address_of_the_corpus_is_accepted_as_a_base_url(
    sink: Sink, connect: Connect
) -> None:
    for case in corpus():
        url = written_out(case.url, sink.port)

        async def resolve(
            host: str, port: int, answers: Sequence[Address] = case.answers
        ) -> Sequence[Address]:
            return answers or [LOOPBACK]

        with pytest.raises((AdapterError, ValueError)) as caught:
            await connect(url, test=False, resolve=resolve).get("Task")
        assert isinstance(caught.value, ConfigError | ValueError), url
    assert sink.connections == 0


async def test_no_redirect_leads_to_the_inside(sink: Sink, connect: Connect) -> None:
    host = RestHost(elsewhere=f"http://127.0.0.1:{sink.port}")
    async with beside(host.app) as host.base:
        client = connect(f"{host.base}/fhir", http={"allow": [f"127.0.0.1:{sink.port}"]})
        for fault in ("redirect-elsewhere", "moved-elsewhere"):
            host.fail_next(fault)
            with pytest.raises((SystemFault, ConfigError)):
                await client.get("Task")

    assert sink.connections == 0


async def test_no_next_link_leads_to_the_inside(sink: Sink, connect: Connect) -> None:
    host = RestHost(elsewhere=f"http://127.0.0.1:{sink.port}")
    async with beside(host.app) as host.base:
        client = connect(f"{host.base}/fhir", http={"allow": [f"127.0.0.1:{sink.port}"]})
        host.fail_next("foreign-next")
        with pytest.raises(SystemFault, match="another origin"):
            async for _ in client.pages("Task"):
                pass

    assert sink.connections == 0


class Recorder(httpcore.AsyncNetworkBackend):
    """Notes where connections would go, and lets none through."""

    def __init__(self) -> None:
        self.connected: list[str] = []

    async def connect_tcp(self, host: str, port: int, **_: object) -> httpcore.AsyncNetworkStream:  # type: ignore[override]
        self.connected.append(host)
        raise httpcore.ConnectError


async def test_a_name_is_looked_up_once_and_a_second_answer_is_never_followed() -> None:
    answers = [[PUBLIC], [LOOPBACK]]

    async def resolve(host: str, port: int) -> Sequence[Address]:
        return answers.pop(0)

    inner = Recorder()
    backend = PinnedBackend(AddressRules(), resolve=resolve, inner=inner)
    road = GuardedTransport(backend, tls=public_tls(), max_connections=1)
    async with httpx.AsyncClient(transport=road) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("https://rebinding.example/")
        assert (inner.connected, len(answers)) == (["93.184.216.34"], 1)

        with pytest.raises(UrlRefused):
            await client.get("https://rebinding.example/")
    assert inner.connected == ["93.184.216.34"]


async def test_every_address_of_a_good_answer_is_tried() -> None:
    second = ip_address("2606:2800:220:1::1")

    async def resolve(host: str, port: int) -> Sequence[Address]:
        return [PUBLIC, second]

    inner = Recorder()
    backend = PinnedBackend(AddressRules(), resolve=resolve, inner=inner)
    with pytest.raises(httpcore.ConnectError):
        await backend.connect_tcp("two.example", 443)

    assert inner.connected == [str(PUBLIC), str(second)]


async def test_a_private_network_is_reached_only_where_the_site_names_it() -> None:
    rules = AddressRules.of(["192.168.20.0/24"], loopback=False)

    assert rules.refusal(ip_address("192.168.20.7")) is None
    assert rules.refusal(ip_address("192.168.21.7")) == "private"
    assert rules.refusal(ip_address("127.0.0.1")) == "loopback"
    assert rules.refusal(ip_address("169.254.169.254")) == "metadata"


@pytest.mark.parametrize(
    "network", ["0.0.0.0/0", "127.0.0.0/8", "8.8.8.0/24", "::/0", "10.0.0.0/7", "x", "10.0.0.1/8"]
)
async def test_only_private_ranges_may_be_named(network: str) -> None:
    with pytest.raises(ConfigError):
        AddressRules.of([network], loopback=True)


async def test_metadata_is_refused_even_inside_a_network_that_the_site_names() -> None:
    rules = AddressRules.of(["100.64.0.0/10", "fd00::/8"], loopback=True)

    assert rules.refusal(ip_address("100.100.100.200")) == "metadata"
    assert rules.refusal(ip_address("fd00:ec2::254")) == "metadata"


async def test_an_environment_proxy_is_not_followed(
    sink: Sink, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{sink.port}")
    host = RestHost()
    async with beside(host.app) as host.base:
        await connect(f"{host.base}/fhir").get("Task")

    assert (sink.connections, len(host.requests)) == (0, 1)
