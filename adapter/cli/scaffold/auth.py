"""The settings of each authentication scheme, for a new plugin and its conformance.toml."""

from __future__ import annotations

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


def _table(rows: dict[str, str]) -> str:
    return "\n".join(f'{key} = "{value}"' for key, value in rows.items())
