"""Every answer is either usable or an error with a name."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address

import httpcore
import httpx
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.exchange.http.addresses import Address, AddressRules
from adapter.exchange.http.client import SiteClient
from adapter.exchange.http.faults import fault_of, retry_after
from adapter.exchange.http.pinned import PinnedBackend
from adapter.exchange.http.transport import GuardedTransport
from adapter.plugin.errors import (
    AdapterError,
    AuthError,
    ConfigError,
    DataError,
    GoneError,
    SystemFault,
    TransientError,
)
from adapter.security.outgoing.tls import public_tls
from adapter_conformance.fakes.memory import MemoryClock
from adapter_conformance.fakes.rest_host import RestHost

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
Connect = Callable[..., SiteClient]

CLASSES = {
    301: ConfigError,
    302: SystemFault,
    303: SystemFault,
    304: SystemFault,
    307: SystemFault,
    308: ConfigError,
    400: DataError,
    401: AuthError,
    403: AuthError,
    404: DataError,
    405: DataError,
    408: TransientError,
    409: DataError,
    410: GoneError,
    412: DataError,
    413: DataError,
    415: DataError,
    418: DataError,
    422: DataError,
    425: TransientError,
    429: TransientError,
    431: DataError,
    451: DataError,
    500: TransientError,
    501: SystemFault,
    502: TransientError,
    503: TransientError,
    504: TransientError,
    505: SystemFault,
    511: SystemFault,
    599: SystemFault,
}


@pytest.mark.parametrize(("status", "kind"), CLASSES.items())
async def test_a_status_has_its_class(connect: Connect, status: int, kind: type) -> None:
    road = httpx.MockTransport(lambda request: httpx.Response(status))

    with pytest.raises(AdapterError) as caught:
        await connect(road, http={"retries": 0}).get("Task/1")

    assert type(caught.value) is kind
    assert caught.value.code.startswith("http.")


@settings(deadline=None)
@given(status=st.integers(200, 599), expected=st.booleans())
def test_every_status_is_used_or_named(status: int, expected: bool) -> None:
    response = httpx.Response(status, request=httpx.Request("GET", "https://ehr.example.org/"))

    fault = fault_of(response, now=NOW, expect=(status,) if expected else ())

    assert (fault is None) == (status < 300 or expected)


async def test_a_status_that_the_caller_handles_itself_is_returned(connect: Connect) -> None:
    road = httpx.MockTransport(lambda request: httpx.Response(412))

    response = await connect(road).put("Task/1", json={}, expect=(409, 412))

    assert response.status_code == 412


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("outcome-in-success", SystemFault, "http.error-in-success"),
        ("login-page", SystemFault, "http.html-answer"),
        ("login-page-as-json", SystemFault, "http.html-answer"),
        ("unauthorized", AuthError, "http.not-allowed"),
        ("forbidden", AuthError, "http.not-allowed"),
        ("gone", GoneError, "http.gone"),
        ("not-found", DataError, "http.not-found"),
        ("conflict", DataError, "http.conflict"),
        ("unprocessable", DataError, "http.unprocessable"),
        ("redirect-elsewhere", SystemFault, "http.redirected"),
        ("moved-elsewhere", ConfigError, "http.moved"),
        ("redirect-round", SystemFault, "http.redirected"),
    ],
)
async def test_a_named_fault_of_the_fake_host_is_named_here(
    connect: Connect, fault: str, kind: type, code: str
) -> None:
    host = RestHost(base="https://ehr.example.org")
    host.fail_next(*[fault] * 4)

    with pytest.raises(AdapterError) as caught:
        await connect(httpx.ASGITransport(host.app)).get("Task")

    assert (type(caught.value), caught.value.code) == (kind, code)


async def test_a_warning_inside_a_success_is_a_success(connect: Connect) -> None:
    host = RestHost()
    host.fail_next("warning-in-success")

    response = await connect(httpx.ASGITransport(host.app)).get("Task")

    assert response.json()["resourceType"] == "OperationOutcome"


async def test_of_an_operation_outcome_codes_and_places_are_kept_and_no_text(
    connect: Connect,
) -> None:
    host = RestHost()
    host.fail_next("unprocessable")

    with pytest.raises(DataError) as caught:
        await connect(httpx.ASGITransport(host.app)).post("Task", json={})

    error = caught.value
    assert "required" in error.message
    assert "MSG_SYNTHETIC at Task.code" in error.message
    assert "SECRET-TEXT" not in f"{error!r} {error} {error.fix} {error.detail}"


@settings(deadline=None)
@given(text=st.text(max_size=80))
def test_a_code_that_is_no_code_is_not_repeated(text: str) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": text}]}
    request = httpx.Request("POST", "https://ehr.example.org/fhir/Task")
    fault = fault_of(httpx.Response(422, json=outcome, request=request), now=NOW)

    assert fault is not None
    said = fault.message.partition("(422)")[2].removeprefix(": ")
    assert said == "" or (said == text and " " not in said)


@settings(deadline=None)
@given(body=st.binary(max_size=200) | st.sampled_from([b'{"issue":[3]}', b"[]", b"null"]))
def test_no_body_breaks_the_judgement(body: bytes) -> None:
    request = httpx.Request("GET", "https://ehr.example.org/fhir/Task")
    marked = b'{"resourceType":"OperationOutcome"}' + body
    for content in (body, marked):
        for status in (200, 422):
            fault_of(httpx.Response(status, content=content, request=request), now=NOW)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("99999999999999999999", 86_400.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=9), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=9000), usegmt=True), 86_400.0),
        ("Fri, 31 Dec 1999 23:59:59", 0.0),
        ("-5", None),
        ("1e9", None),
        ("soon", None),
        ("", None),
        ("١٢", None),
    ],
)
def test_retry_after_is_read_as_the_rfc_says(said: str, seconds: float | None) -> None:
    response = httpx.Response(503, headers={"Retry-After": said.encode()})

    assert retry_after(response, now=NOW) == seconds


@settings(deadline=None)
@given(said=st.text(max_size=60))
def test_no_retry_after_breaks_us(said: str) -> None:
    response = httpx.Response(429, headers={"Retry-After": said.encode()})

    seconds = retry_after(response, now=NOW)

    assert seconds is None or 0 <= seconds <= 86_400


@pytest.mark.parametrize(
    ("error", "method", "code"),
    [
        (httpx.ConnectError("x"), "POST", "http.unreachable"),
        (httpx.ConnectTimeout("x"), "POST", "http.unreachable"),
        (httpx.PoolTimeout("x"), "POST", "http.unreachable"),
        (httpx.ReadTimeout("x"), "POST", "http.unknown-result"),
        (httpx.ReadError("x"), "POST", "http.unknown-result"),
        (httpx.WriteTimeout("x"), "PATCH", "http.unknown-result"),
        (httpx.RemoteProtocolError("x"), "PUT", "http.unknown-result"),
        (httpx.ReadTimeout("x"), "GET", "http.no-answer"),
    ],
)
@respx.mock
async def test_a_broken_connection_says_whether_something_may_have_been_done(
    connect: Connect, error: httpx.TransportError, method: str, code: str
) -> None:
    respx.route(method=method, host="ehr.example.org").mock(side_effect=error)

    with pytest.raises(TransientError) as caught:
        await connect().request(method, "Task/1", content=b"{}")

    assert caught.value.code == code
    assert type(caught.value) is TransientError


async def test_a_wait_that_the_peer_asks_for_is_handed_on(
    connect: Connect, clock: MemoryClock
) -> None:
    host = RestHost()
    host.fail_next("rate-limited-long")

    with pytest.raises(TransientError) as caught:
        await connect(httpx.ASGITransport(host.app)).get("Task")

    assert caught.value.retry_after == 3600.0
    assert clock.slept == []
    assert len(host.requests) == 1


async def test_an_unmodified_answer_is_used_only_by_who_asked_for_it(connect: Connect) -> None:
    client = connect(httpx.MockTransport(lambda request: httpx.Response(304)))

    response = await client.get("Task/1", headers={"If-None-Match": 'W/"1"'})

    assert response.status_code == 304


class Breaking(httpcore.AsyncNetworkStream):
    """A connection that is made, takes the request, and breaks while the answer is read."""

    def __init__(self, error: Exception, first: bytes) -> None:
        self.error = error
        self.first = first

    async def start_tls(self, *args: object, **named: object) -> Breaking:
        return self

    async def write(self, *args: object, **named: object) -> None:  # type: ignore[override]
        return None

    async def read(self, *args: object, **named: object) -> bytes:  # type: ignore[override]
        first, self.first = self.first, b""
        if not first:
            raise self.error
        return first

    async def aclose(self) -> None:
        return None


class Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, stream: Breaking) -> None:
        self.stream = stream

    async def connect_tcp(self, *args: object, **named: object) -> Breaking:  # type: ignore[override]
        return self.stream


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "PLANTED text of the library")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "http.tls"),
        (alert("SSLV3_ALERT_BAD_CERTIFICATE"), "http.tls"),
        (alert("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), "http.unknown-result"),
        (ConnectionResetError(104, "PLANTED"), "http.unknown-result"),
        (BrokenPipeError(32, "PLANTED"), "http.unknown-result"),
    ],
)
@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
async def test_what_a_socket_says_while_reading_has_a_name_too(
    connect: Connect, error: Exception, code: str, first: bytes
) -> None:
    async def resolve(host: str, port: int) -> list[Address]:
        return [ip_address("93.184.216.34")]

    backend = PinnedBackend(AddressRules(), resolve=resolve, inner=Backend(Breaking(error, first)))
    road = GuardedTransport(backend, tls=public_tls(), max_connections=1)

    with pytest.raises(TransientError) as caught:
        await connect(road).post("Task", json={})

    assert (type(caught.value), caught.value.code) == (TransientError, code)
    assert "PLANTED" not in f"{caught.value!r} {caught.value.detail} {caught.value.__context__!r}"
