"""What a peer sends has an end: bodies at their limit, pages at theirs."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.exchange.http.capped import BodyTooLarge, BodyUnreadable, _CappedBody
from adapter.exchange.http.client import SiteClient
from adapter.plugin.errors import SystemFault, TransientError
from adapter_conformance.fakes.rest_host import MIB, RestHost

pytestmark = pytest.mark.anyio
Connect = Callable[..., SiteClient]


class Parts(httpx.AsyncByteStream):
    def __init__(self, *parts: bytes) -> None:
        self.parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part


def answering(*parts: bytes, **headers: str) -> httpx.MockTransport:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.MockTransport(
        lambda request: httpx.Response(200, headers=named, stream=Parts(*parts))
    )


async def read(body: _CappedBody) -> bytes:
    return b"".join([part async for part in body])


@settings(deadline=None)
@given(
    content=st.binary(max_size=5000) | st.integers(0, 400_000).map(lambda n: b"a" * n),
    cut=st.integers(1, 300),
)
def test_a_packed_body_is_unpacked_whole(content: bytes, cut: int) -> None:
    import asyncio

    packed = gzip.compress(content)
    parts = [packed[at : at + cut] for at in range(0, len(packed), cut)]
    body = _CappedBody(Parts(*parts), True, 1_000_000)

    assert asyncio.run(read(body)) == content


async def test_a_bomb_is_stopped_at_the_limit_without_being_unpacked(connect: Connect) -> None:
    packed = gzip.compress(b" " * (64 * MIB), 9)
    client = connect(answering(packed, Content_Encoding="gzip"), http={"max_response_bytes": MIB})
    tracemalloc.start()

    with pytest.raises(BodyTooLarge):
        await client.get("Task")

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MIB


@pytest.mark.parametrize("declared", ["99999999", "9" * 40])
async def test_a_body_that_declares_itself_too_large_is_not_read(
    connect: Connect, declared: str
) -> None:
    client = connect(answering(b"x", Content_Length=declared), http={"max_response_bytes": MIB})

    with pytest.raises(BodyTooLarge):
        await client.get("Task")


async def test_a_body_without_a_length_ends_at_the_limit(connect: Connect) -> None:
    host = RestHost(huge_bytes=8 * MIB)
    host.fail_next("huge-body")

    with pytest.raises(BodyTooLarge):
        await connect(httpx.ASGITransport(host.app)).get("Task", max_bytes=MIB)


@pytest.mark.parametrize(
    ("content", "packing"),
    [
        (b"not gzip at all", "gzip"),
        (gzip.compress(b"a", mtime=0) + b"rest", "gzip"),
        (gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), "gzip"),
        (b"anything", "br"),
        (b"anything", "gzip, gzip"),
    ],
)
async def test_a_body_packed_in_a_way_that_we_did_not_ask_for_is_a_fault(
    connect: Connect, content: bytes, packing: str
) -> None:
    with pytest.raises(BodyUnreadable):
        await connect(answering(content, Content_Encoding=packing)).get("Task")


async def test_a_packed_body_that_stops_in_the_middle_is_no_answer(connect: Connect) -> None:
    packed = gzip.compress(b"whole" * 1000)[:-12]

    with pytest.raises(TransientError) as caught:
        await connect(answering(packed, Content_Encoding="gzip"), http={"retries": 0}).get("Task")

    assert caught.value.code == "http.no-answer"


async def pages(client: SiteClient, **limits: int) -> list[str]:
    found = []
    async for page in client.pages("Task", params={"page": "1"}, **limits):  # type: ignore[arg-type]
        found += [each["resource"]["id"] for each in page.json()["entry"]]
    return found


def host() -> RestHost:
    return RestHost(base="https://ehr.example.org", pages=4, per_page=2)


async def test_every_page_is_read_in_order(connect: Connect) -> None:
    found = await pages(connect(httpx.ASGITransport(host().app)))

    assert found == [f"synthetic-{n}" for n in range(1, 9)]


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        (["foreign-next"], "paging.foreign-next"),
        (["circular-next"], "paging.circle"),
        (["login-page"], "http.html-answer"),
        (["truncated-json"], "http.truncated"),
    ],
)
async def test_paging_that_goes_wrong_is_a_fault_and_never_a_silent_end(
    connect: Connect, faults: list[str], code: str
) -> None:
    fake = host()
    fake.fail_next(*faults)

    with pytest.raises(SystemFault) as caught:
        await pages(connect(httpx.ASGITransport(fake.app)))

    assert caught.value.code == code
    assert len(fake.requests) == 1


async def test_a_page_that_comes_twice_is_given_twice(connect: Connect) -> None:
    fake = host()
    fake.fail_next("duplicate-page")

    found = await pages(connect(httpx.ASGITransport(fake.app)))

    assert found[:4] == ["synthetic-1", "synthetic-2"] * 2


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"max_pages": 3}, "paging.too-many"), ({"max_total_bytes": 500}, "paging.too-large")],
)
async def test_more_pages_than_allowed_are_a_fault(
    connect: Connect, limits: dict[str, int], code: str
) -> None:
    with pytest.raises(SystemFault) as caught:
        await pages(connect(httpx.ASGITransport(host().app)), **limits)

    assert caught.value.code == code


async def test_a_link_header_is_followed_and_may_be_relative(connect: Connect) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        more = {"Link": '<../fhir/list?at=2>; rel="next"'} if len(asked) == 1 else {}
        return httpx.Response(200, json=[1], headers=more)

    count = 0
    async for _ in connect(httpx.MockTransport(answer)).pages("list", headers={"X-Kept": "1"}):
        count += 1

    assert (count, asked) == (2, ["/fhir/list", "/fhir/list?at=2"])


@pytest.mark.parametrize(
    "following",
    [
        "http://ehr.example.org/fhir/Task?page=2",
        "https://ehr.example.org:8443/fhir/Task?page=2",
        "https://ehr.example.org.evil.example/fhir/Task",
        "https://user@ehr.example.org/fhir/Task",
        "//evil.example/fhir/Task",
        "https://ehr.example.org@evil.example/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://ehr%2eexample.org/fhir",
        "https://evil.example\\@ehr.example.org/",
        "https://[",
    ],
)
async def test_next_stays_on_its_origin(connect: Connect, following: str) -> None:
    bundle = {"resourceType": "Bundle", "link": [{"relation": "next", "url": following}]}
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json=bundle)

    client = connect(httpx.MockTransport(answer), http={"allow": ["evil.example"]})
    with pytest.raises(SystemFault, match="another origin"):
        async for _ in client.pages("Task"):
            pass

    assert asked == ["https://ehr.example.org/fhir/Task"]
