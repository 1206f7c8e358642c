"""The settings of each authentication scheme, for a new plugin and its conformance.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SETTINGS: dict[str, dict[str, str]] = {
    "none": {"type": "none"},
    "basic": {"type": "basic", "username": "adapter", "password": "SECRET"},
    "api-key": {"type": "api-key", "key": "SECRET"},
    "oauth2": {
        "type": "oauth2",
        "token_url": "{base_url}/token",
        "client_id": "social-prescribing",
        "client_secret": "SECRET",
    },
    "smart": {
        "type": "smart",
        "client_id": "social-prescribing",
        "key": "{signing_key}",
        "token_url": "{base_url}/token",
    },
    "oauth1": {"type": "oauth1", "consumer_key": "adapter", "consumer_secret": "SECRET"},
    "mtls": {
        "type": "mtls",
        "certificate": "{certificate}",
        "certificate_key": "{certificate_key}",
    },
}
_IN_A_FILE = {
    "{signing_key}": "file:secrets/@@.pem",
    "{certificate}": "file:secrets/@@-client.pem",
    "{certificate_key}": "file:secrets/@@-client.key",
    "{base_url}/token": "https://peer.example.org/oauth2/token",
    "SECRET": "file:secrets/@@",
}


_MLLP_PLAIN: dict[str, Any] = {"port": 2575, "deliver_to": "127.0.0.1:2576"}
_MLLP_TLS: dict[str, Any] = {
    "host": "0.0.0.0",  # noqa: S104 - peers come from other machines, and show a certificate
    "port": 2575,
    "tls_certificate": "file:tls/@@.pem",
    "tls_key": "file:tls/@@.key",
    "tls_client_ca": "file:tls/@@-ca.pem",
    "deliver_to": "emr.example.org:2576",
    "deliver_tls": True,
    "deliver_ca": "file:tls/@@-ca.pem",
    "deliver_certificate": "file:tls/@@.pem",
    "deliver_key": "file:tls/@@.key",
}
_MLLP_KIT: dict[str, Any] = {
    "tls_certificate": "{certificate}",
    "tls_key": "{certificate_key}",
    "tls_client_ca": "{authority}",
    "deliver_tls": True,
    "deliver_ca": "{authority}",
    "deliver_certificate": "{certificate}",
    "deliver_key": "{certificate_key}",
}


def mllp_toml_of(scheme: str, name: str) -> str:
    """The settings of an MLLP site as an operator writes them."""
    if scheme != "mtls":
        return _table(_MLLP_PLAIN)
    return _table(_MLLP_TLS).replace("@@", name)


def mllp_conformance_of(scheme: str) -> str:
    """What the kit fills in for it."""
    return _table(_MLLP_KIT) if scheme == "mtls" else ""


def toml_of(scheme: str, name: str) -> str:
    """The table as an operator writes it, secrets by reference."""
    rows = {
        key: _IN_A_FILE.get(value, value).replace("@@", name)
        for key, value in _SETTINGS[scheme].items()
    }
    return _table(rows)


def conformance_of(scheme: str) -> str:
    """The table as the kit fills it in."""
    return _table({k: v.replace("SECRET", "{secret}") for k, v in _SETTINGS[scheme].items()})


def _table(rows: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in rows.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f'"{value}"'
