"""One request: what is sent, how often, and what is never sent."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.exchange.http.client import SiteClient, _address
from adapter.exchange.http.registered import registered_client
from adapter.exchange.http.repeat import LONGEST_WAIT, Repeat
from adapter.exchange.http.wire_log import path_template
from adapter.plugin.errors import ConfigError, DataError, SystemFault, TransientError
from adapter_conformance.fakes.memory import MemoryClock, MemoryLog
from adapter_conformance.fakes.rest_host import RestHost

pytestmark = pytest.mark.anyio
Connect = Callable[..., SiteClient]


def over(host: RestHost) -> httpx.ASGITransport:
    return httpx.ASGITransport(host.app)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_what_may_be_repeated_is_tried_again(connect: Connect, method: str) -> None:
    host = RestHost()
    host.fail_next("unavailable", "server-error")

    response = await connect(over(host)).request(method, "Task/1")

    assert response.status_code == 200
    assert len(host.requests) == 3


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_may_not_be_repeated_is_tried_once(connect: Connect, method: str) -> None:
    host = RestHost()
    host.fail_next("unavailable")

    with pytest.raises(TransientError):
        await connect(over(host)).request(method, "Task", json={})

    assert len(host.requests) == 1


async def test_a_post_with_an_idempotency_key_is_tried_again(connect: Connect) -> None:
    host = RestHost()
    host.fail_next("bad-gateway")

    response = await connect(over(host)).post(
        "Task", json={"resourceType": "Task"}, idempotent=True, headers={"If-None-Exist": "a=b"}
    )

    assert response.status_code == 201
    assert [each.body for each in host.requests] == [b'{"resourceType":"Task"}'] * 2


async def test_tries_are_bounded(connect: Connect) -> None:
    host = RestHost()
    host.fail_next(*["unavailable"] * 20)

    with pytest.raises(TransientError):
        await connect(over(host), http={"retries": 3}).get("Task")

    assert len(host.requests) == 4


async def test_a_short_wait_that_the_peer_asks_for_is_kept(
    connect: Connect, clock: MemoryClock
) -> None:
    host = RestHost()
    host.fail_next("rate-limited")

    await connect(over(host)).get("Task")

    assert clock.slept == [1.0]


@pytest.mark.parametrize("fault", ["not-found", "unauthorized", "gone", "login-page"])
async def test_what_will_not_pass_is_not_tried_again(connect: Connect, fault: str) -> None:
    host = RestHost()
    host.fail_next(fault)

    with pytest.raises((DataError, Exception), match="ehr"):
        await connect(over(host)).get("Task")

    assert len(host.requests) == 1


@settings(deadline=None)
@given(
    tried=st.integers(1, 20),
    chance=st.floats(0, 1),
    left=st.floats(0, 200),
    asked=st.none() | st.floats(0, 1e6),
)
def test_no_wait_is_longer_than_allowed_or_shorter_than_asked(
    tried: int, chance: float, left: float, asked: float | None
) -> None:
    fault = TransientError("http.busy", "busy", retry_after=asked)

    wait = Repeat(5).wait(fault, tried=tried, chance=chance, left=left)

    assert wait is None or (asked or 0) <= wait <= min(LONGEST_WAIT, left)
    assert tried <= 5 or wait is None


async def test_a_redirect_on_the_same_origin_is_followed_for_a_question(connect: Connect) -> None:
    host = RestHost(base="https://ehr.example.org")
    host.fail_next("redirect-here")

    response = await connect(over(host)).get("Task")

    assert response.request.url.query == b"page=3"


async def test_a_redirect_is_not_followed_for_anything_else(connect: Connect) -> None:
    host = RestHost(base="https://ehr.example.org")
    host.fail_next("redirect-here")

    with pytest.raises(SystemFault):
        await connect(over(host)).put("Task/1", json={})

    assert len(host.requests) == 1


async def test_relative_addresses_start_at_the_base_url(connect: Connect) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200)

    client = connect(httpx.MockTransport(answer))
    await client.get("Task", params={"identifier": "urn:x|a b+c", "_count": 2})
    await client.get("/Task/1")
    await client.get("")
    await client.get("Task?status=requested", params={"_id": ["a", "b"]})

    base = "https://ehr.example.org/fhir"
    assert asked == [
        f"{base}/Task?identifier=urn%3Ax%7Ca%20b%2Bc&_count=2",
        f"{base}/Task/1",
        base,
        f"{base}/Task?status=requested&_id=a&_id=b",
    ]


@settings(deadline=None)
@given(value=st.text(max_size=30))
def test_no_value_of_a_query_escapes_it(value: str) -> None:
    if any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        return
    url = httpx.URL(_address("https://ehr.example.org/fhir", "Task", {"name": value}))

    assert dict(url.params) == {"name": value}
    assert b"+" not in url.query
    assert url.path == "/fhir/Task"


async def test_a_form_is_sent_without_plus_signs(connect: Connect) -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200)

    await connect(httpx.MockTransport(answer)).post("x", data={"a": "b c+d"})

    assert bodies == [b"a=b%20c%2Bd"]


async def test_a_header_that_would_break_the_request_is_refused(connect: Connect) -> None:
    with pytest.raises(DataError) as caught:
        await connect().get("Task", headers={"X-Note": "SECRET\r\nHost: evil.example"})

    assert "SECRET" not in str(caught.value)


async def test_cookies_of_a_peer_are_not_kept(connect: Connect) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Cookie", ""))
        return httpx.Response(200, headers={"Set-Cookie": "session=abc; Path=/"})

    client = connect(httpx.MockTransport(answer))
    await client.get("Task")
    await client.get("Task")

    assert seen == ["", ""]


async def test_a_site_without_base_url_reaches_nothing(connect: Connect) -> None:
    client = connect(httpx.MockTransport(lambda request: httpx.Response(200)))
    client._base = ""  # as a site whose settings have none

    with pytest.raises(ConfigError, match="base_url"):
        await client.get("Task")


async def test_the_whole_request_has_a_time_limit(connect: Connect) -> None:
    host = RestHost(slow_seconds=5.0)
    host.fail_next("slow-start")

    with pytest.raises(TransientError) as caught:
        await connect(over(host), http={"retries": 0}).get("Task", timeout=0.05)

    assert caught.value.code == "http.no-answer"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/fhir/Task", "/fhir/Task"),
        ("/fhir/Task/abc-1/_history/2", "/fhir/Task/{}/_history/{}"),
        ("/fhir/Patient/tremblay", "/fhir/Patient/{}"),
        ("/fhir/Smith", "/fhir/{}"),
        ("/fhir/ServiceRequest/$process-message", "/fhir/ServiceRequest/$process-message"),
        ("/fhir/$Smith", "/fhir/{}"),
        ("/fhirs/Task", "/{}/Task"),
        ("/fhir", "/fhir"),
        ("/demographics/4711", "/{}/{}"),
        ("/", "/"),
    ],
)
def test_the_log_shows_the_words_of_a_path_and_no_values(path: str, shown: str) -> None:
    assert path_template(path, "/fhir") == shown


async def test_each_request_is_one_line_of_log_without_values(
    connect: Connect, log: MemoryLog
) -> None:
    host = RestHost()
    host.fail_next("unprocessable")
    client = connect(over(host))

    with pytest.raises(DataError):
        await client.put("Patient/tremblay", json={"id": "tremblay"}, params={"name": "tremblay"})
    await client.get("Task", params={"patient": "tremblay"}, route="/fhir/Task")

    assert [(level, event) for level, event, _ in log.lines] == [
        ("warning", "http.failed"),
        ("info", "http.done"),
    ]
    failed = log.of("http.failed")[0]
    assert failed.pop("ms") >= 0
    assert failed == {
        "code": "http.unprocessable",
        "method": "PUT",
        "host": "ehr.example.org",
        "path": "/fhir/Patient/{}",
        "status": 422,
    }
    assert "tremblay" not in repr(log.lines)


@pytest.mark.parametrize(
    "location",
    [
        "https://xn--inside-q/",
        "https://[",
        "http://\x00/",
        "https://ehr.example.org:99999/",
        "\\\\x",
    ],
)
async def test_a_redirect_to_no_address_is_a_fault_with_a_name(
    connect: Connect, location: str
) -> None:
    headers = [(b"Location", location.encode())]
    road = httpx.MockTransport(lambda request: httpx.Response(302, headers=headers))

    with pytest.raises(TransientError):
        await connect(road, http={"retries": 0}).get("Task")


async def test_what_a_peer_registered_goes_to_its_address_with_its_credentials(
    clock: MemoryClock, log: MemoryLog
) -> None:
    taken: list[httpx.Request] = []
    road = httpx.MockTransport(lambda request: (taken.append(request), httpx.Response(200))[1])
    client = registered_client(test=False, log=log, now=clock.now, road=road)

    await client.post(
        "https://hooks.example.org/news",
        content=b"{}",
        headers={"Authorization": "Bearer synthetic", "X-Room": "7"},
    )

    assert taken[0].headers["authorization"] == "Bearer synthetic"
    assert taken[0].headers["x-room"] == "7"
