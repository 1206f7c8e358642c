"""Which IP addresses may be connected to.

The tables are the IANA special-purpose address registries for IPv4 and IPv6 (as of 2025), with the
addresses of cloud metadata services beside them. Public addresses are allowed; private ones only
where a site names their network; loopback only for a test site; everything else never.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from adapter.plugin.errors import ConfigError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_METADATA = frozenset(
    ip_address(each)
    for each in (
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # container credentials
        "100.100.100.200",
        "168.63.129.16",  # a public number, answered by the host itself
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)

_V4: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "private"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "reserved"),
    ("192.52.193.0/24", "reserved"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "reserved"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)

# IPv6 is public only in 2000::/3, and there not where an IPv4 address hides in it.
_V6: tuple[tuple[str, str], ...] = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "disguised IPv4"),
    ("::/96", "disguised IPv4"),
    ("64:ff9b::/96", "disguised IPv4"),
    ("64:ff9b:1::/48", "disguised IPv4"),
    ("2002::/16", "disguised IPv4"),
    ("2001::/32", "disguised IPv4"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "documentation"),
    ("2620:4f:8000::/48", "reserved"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "reserved"),
    ("100::/64", "reserved"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "link-local"),
    ("ff00::/8", "multicast"),
)
_TABLE_4 = tuple((IPv4Network(network), kind) for network, kind in _V4)
_TABLE_6 = tuple((IPv6Network(network), kind) for network, kind in _V6)
_GLOBAL_6 = IPv6Network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)
_MAY_BE_NAMED = ("private",)


def kind_of(address: Address) -> str:
    """One word for what an address is: ``public``, or why it is not."""
    if address in _METADATA:
        return "metadata"
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _TABLE_4 if address in network), "public")
    if address.scope_id is not None:
        return "link-local"
    found = next((kind for network, kind in _TABLE_6 if address in network), None)
    if found is not None:
        return found
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return "disguised IPv4"
    return "public" if address in _GLOBAL_6 else "reserved"


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What a site may connect to beyond public addresses.

    Attributes:
        loopback: this machine itself; for test sites.
        networks: private ranges that the site names.
    """

    loopback: bool = False
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, networks: Iterable[str], *, loopback: bool) -> AddressRules:
        """The rules of a site's settings.

        Raises:
            ConfigError: a range is not a range, or holds more than private addresses.
        """
        return cls(loopback=loopback, networks=tuple(_private(each) for each in networks))

    def refusal(self, address: Address) -> str | None:
        """Why an address may not be connected to, in a word or two; None if it may."""
        kind = kind_of(address)
        if kind == "public" or (kind == "loopback" and self.loopback):
            return None
        if kind in _MAY_BE_NAMED and any(
            address in network for network in self.networks if network.version == address.version
        ):
            return None
        return kind


def _private(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError:
        network = None
    ends = (network[0], network[-1]) if network is not None else ()
    tables: tuple[tuple[Network, str], ...] = (*_TABLE_4, *_TABLE_6)
    inside = network is not None and any(
        kind in _MAY_BE_NAMED and all(end in wide for end in ends) for wide, kind in tables
    )
    if network is None or not inside:
        raise ConfigError(
            "config.networks",
            "an entry of networks is not a private address range",
            fix="Write private ranges such as 192.168.20.0/24 in [sites.NAME.settings.http].",
        )
    return network
