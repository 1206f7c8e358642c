"""Which URLs may be asked for: the first half of the guard against requests to the inside.

Everything that is written in two ways by two readers is refused rather than understood: user
information, escapes and non-ASCII dots in a host, addresses as one number, octal or hexadecimal,
control characters, backslashes. What passes names a host; `adapter.exchange.http.pinned` looks its
address up once, checks it, and connects to that very address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urljoin, urlsplit

from adapter.exchange.http.addresses import Address, AddressRules
from adapter.plugin.errors import ConfigError, DataError

PORTS = {"https": 443, "http": 80}
MAX_URL = 8192
_SAFE = re.compile(r"[!-~]+")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_DIGITS = re.compile(r"[1-9][0-9]{0,4}")
_INSIDE = ("localhost", "local", "internal", "localdomain", "home.arpa", "intranet", "lan", "corp")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL: what credentials are bound to."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


class UrlRefused(DataError):  # noqa: N818 - named for what happened
    """A URL that may not be asked for. The message never repeats it."""

    def __init__(self, reason: str, *, host: str = "") -> None:
        named = f" ({host})" if host else ""
        super().__init__(
            "url.refused",
            f"an address was refused{named}: {reason}",
            fix="If the address is right, name its host in allow, or its private range in "
            "networks, under [sites.NAME.settings.http].",
        )
        self.reason = reason


def literal(host: str) -> Address | None:
    """The address that a host is written as, or None if it is a name."""
    try:
        return IPv6Address(host) if ":" in host else IPv4Address(host)
    except ValueError:
        return None


def origin_of(url: str) -> Origin:
    """The origin of an absolute URL, after checks that need no network and no policy.

    Raises:
        UrlRefused: it is written in a way that readers disagree about, or is not http(s).
    """
    if len(url) > MAX_URL:
        raise UrlRefused("too long")
    if not _SAFE.fullmatch(url) or "\\" in url:
        raise UrlRefused("characters that a URL cannot have")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UrlRefused("malformed") from None
    if parts.scheme not in PORTS:
        raise UrlRefused("not http or https")
    if "@" in parts.netloc:
        raise UrlRefused("user information")
    try:
        port, host = _port(parts.netloc), parts.hostname or ""
    except ValueError:
        raise UrlRefused("malformed") from None
    return Origin(parts.scheme, _host(host, parts.netloc), port or PORTS[parts.scheme])


def joined(base: str, reference: str) -> str | None:
    """A reference of a peer, made absolute; None if it is none."""
    try:
        return urljoin(base, reference)
    except ValueError:
        return None


def _port(netloc: str) -> int | None:
    """The port of a host, or None; an empty one, one with a sign or leading zeros is refused."""
    end = netloc.rfind("]") + 1 or netloc.find(":")
    rest = netloc[end:] if end >= 0 else ""
    if not rest:
        return None
    digits = rest[1:]
    if rest[0] != ":" or not _DIGITS.fullmatch(digits) or not int(digits) < 65536:
        raise ValueError("port")
    return int(digits)


def _host(host: str, netloc: str) -> str:
    host = host.lower()
    if "[" in netloc or "]" in netloc:
        address = literal(host) if "%" not in host and netloc.startswith("[") else None
        if address is None:
            raise UrlRefused("a host in brackets that is no IPv6 address")
        return str(address)
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        if literal(host) is None:
            raise UrlRefused("an address written as a number, octal or hexadecimal")
        return host
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused("a host name that is not plain letters, digits and hyphens")
    return host


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlRules:
    """What one client may ask for.

    Attributes:
        home: the origin that the operator configured, or None.
        hosts: what else may be reached, as (host, port); None means every public host at the usual
            ports, for a client whose whole purpose is to call addresses that peers register.
        addresses: which addresses any of these may have.
    """

    home: Origin | None = None
    hosts: frozenset[tuple[str, int]] | None = frozenset()
    addresses: AddressRules = field(default_factory=AddressRules)

    def is_home(self, url: str) -> bool:
        """True if a URL is of the configured origin, allowed or not."""
        try:
            return self.home is not None and origin_of(url) == self.home
        except UrlRefused:
            return False

    def check(self, url: str) -> Origin:
        """The origin of a URL that may be asked for.

        Raises:
            UrlRefused: it may not.
        """
        origin = origin_of(url)
        if origin != self.home:
            self._foreign(origin)
        address = literal(origin.host)
        if address is not None:
            refusal = self.addresses.refusal(address)
            if refusal:
                raise UrlRefused(f"{refusal} address", host=origin.host)
        elif _is_inside(origin.host) and not self._may_be_inside(origin.host):
            raise UrlRefused("a name of the inside", host=origin.host)
        if origin.scheme == "http" and not self._stays_here(origin.host):
            raise UrlRefused("plain http leaves the machine", host=origin.host)
        return origin

    def _foreign(self, origin: Origin) -> None:
        if self.hosts is None:
            if origin.port != PORTS[origin.scheme] and not self._stays_here(origin.host):
                raise UrlRefused("an unusual port", host=origin.host)
        elif (origin.host, origin.port) not in self.hosts:
            raise UrlRefused("neither base_url's origin nor in allow", host=origin.host)

    def _may_be_inside(self, host: str) -> bool:
        if _is_loopback_name(host):
            return self.addresses.loopback
        return bool(self.addresses.networks)

    def _stays_here(self, host: str) -> bool:
        if not self.addresses.loopback:
            return False
        address = literal(host)
        return address.is_loopback if address is not None else _is_loopback_name(host)


def _is_loopback_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _is_inside(host: str) -> bool:
    return "." not in host or any(host == each or host.endswith(f".{each}") for each in _INSIDE)


def allowed_hosts(entries: Iterable[str]) -> frozenset[tuple[str, int]]:
    """The hosts and ports of an allow-list: ``host`` (443) or ``host:port``.

    Raises:
        ConfigError: an entry is neither.
    """
    found = set()
    for entry in entries:
        try:
            origin = origin_of(f"https://{entry}")
        except UrlRefused:
            origin = None
        if origin is None or "/" in entry:
            raise ConfigError(
                "config.allow",
                "an entry of allow is not a host",
                fix="Write hosts such as files.example.org or files.example.org:8443.",
            )
        found.add((origin.host, origin.port))
    return frozenset(found)
