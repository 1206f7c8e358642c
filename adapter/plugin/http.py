"""HTTP as a plugin sees it: what its site may configure, and the client that the core gives.

The client keeps the rules, so that a plugin need not: timeouts, a cap on what is read, retries of
what may be repeated, no request to an address that the site does not name, no credentials to
another origin, and every failure as an error of `adapter.plugin.errors`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Unpack
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from adapter.plugin.auth import AuthSettings, NoAuth
from adapter.plugin.system import SystemConfig

if TYPE_CHECKING:
    import httpx

Params = Mapping[str, "str | int | Sequence[str]"] | Sequence[tuple[str, str]]
NextLink = Callable[["httpx.Response"], "str | None"]


class HttpSettings(SystemConfig):
    """`[sites.NAME.settings.http]`: limits, and where else this site's client may go."""

    connect_timeout: float = Field(default=5.0, gt=0, le=60, description="seconds to connect")
    timeout: float = Field(default=30.0, gt=0, le=100, description="seconds of silence")
    total_timeout: float = Field(
        default=60.0, gt=0, le=110, description="seconds for one request with its body"
    )
    max_connections: int = Field(default=8, ge=1, le=64, description="connections at one time")
    max_response_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1024, description="bytes of one answer, unpacked"
    )
    retries: int = Field(
        default=2, ge=0, le=5, description="further tries of a request that may be repeated"
    )
    allow: tuple[str, ...] = Field(
        default=(),
        description="hosts besides base_url's that may be reached: host or host:port",
        examples=[["files.example.org"]],
    )
    networks: tuple[str, ...] = Field(
        default=(),
        description="private address ranges that this site's hosts may have",
        examples=[["192.168.20.0/24"]],
    )
    ca: str | None = Field(
        default=None,
        description="the certificate authority to trust instead of the public ones, PEM: file:PATH",
        examples=["file:clinic-ca.pem"],
    )


class HttpSystemConfig(SystemConfig):
    """The settings of a site that speaks HTTP; subclass it to add your own."""

    base_url: str = Field(
        description="where the peer is; relative addresses start here",
        examples=["https://ehr.example.org/fhir"],
    )
    auth: AuthSettings = Field(default_factory=NoAuth, description="how we prove who we are")
    http: HttpSettings = Field(default_factory=HttpSettings, description="limits and allow-lists")

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            fine = parts.hostname and parts.port != 0
        except ValueError:
            fine = False
        if not fine or parts.scheme not in ("http", "https"):
            raise ValueError("expected an absolute http or https address")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("expected an address without user, query and fragment")
        return url.rstrip("/")


class Call(TypedDict, total=False):
    """What may be said of a request, each by its name.

    Attributes:
        params: the query; a space is sent as ``%20``.
        headers: further headers.
        json: a body, sent as JSON; `content`: as it is; `data`: as form fields.
        expect: statuses from 300 on that the caller handles itself: they are returned, not raised.
        idempotent: True if the peer takes a repetition for the same request, because it carries an
            idempotency key (its header, If-None-Exist, an id of ours). Only then is a POST or a
            PATCH tried again.
        route: the path with every value replaced, for the log, for example ``/patients/{id}``.
        timeout: seconds for the whole request, if not the site's own.
        max_bytes: of the answer, if not the site's own.
    """

    params: Params
    headers: Mapping[str, str]
    json: Any
    content: bytes
    data: Mapping[str, str]
    expect: Collection[int]
    idempotent: bool
    route: str
    timeout: float
    max_bytes: int


class Http(Protocol):
    """The HTTP client of one site.

    Every method raises:
        ConfigError: the peer moved for good; AuthError: 401 or 403; GoneError: 410; DataError: it
        refused this one request (other 4xx), or an address that may not be reached; SystemFault:
        it broke its contract (an error or a login page inside a success, a redirect, too much
        data); TransientError: everything that may pass, with `retry_after` if the peer said so.
        ``http.unreachable`` means that nothing was sent; ``http.unknown-result``, that the request
        may have been carried out.
    """

    @property
    def base_url(self) -> str:
        """Where relative addresses start; empty if the site has none."""
        ...

    async def request(self, method: str, url: str, **call: Unpack[Call]) -> httpx.Response:
        """Send, and give the answer with its body read."""
        ...

    async def get(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """Ask."""
        ...

    async def post(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """Hand over; tried again only if `idempotent`."""
        ...

    async def put(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """Replace."""
        ...

    async def patch(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """Change; tried again only if `idempotent`."""
        ...

    async def delete(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """Remove."""
        ...

    def pages(
        self,
        url: str,
        *,
        next_link: NextLink | None = None,
        max_pages: int = 1000,
        max_total_bytes: int = 256 * 1024 * 1024,
        **call: Unpack[Call],
    ) -> AsyncIterator[httpx.Response]:
        """Ask, and follow `next` on the same origin to the last page.

        Args:
            next_link: gives the next address of an answer, or None; as it stands, the ``next`` link
                of a FHIR Bundle or of a Link header (RFC 8288).
            max_pages: more than these are a fault, never a silent end.
            max_total_bytes: of all pages together; likewise.

        Raises:
            SystemFault: `next` leads to another origin, goes round in a circle, or never ends.
        """
        ...
