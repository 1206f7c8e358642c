"""Reaching an endpoint: its address, and how each party proves who it is there."""

from __future__ import annotations

import os
import secrets
import ssl
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr, ValidationError

from adapter.exchange.http.faults import fault_of
from adapter.plugin import ConfigError, TransientError
from adapter.plugin.auth import NoAuth
from adapter.plugin.http import HttpSystemConfig
from adapter.security.outgoing.registry import outgoing_auth
from adapter.security.outgoing.scheme import Surroundings
from adapter.security.outgoing.tls import site_tls
from adapter_conformance.endpoint.client import Bearer, Client
from adapter_conformance.endpoint.endpoint import ROLES, Endpoint
from adapter_conformance.fakes.memory import MemoryState

FIX = (
    "Correct the file; docs/reference/configuration.md says what [sites.NAME.settings.auth] holds."
)


def reach(
    url: str,
    *,
    role: str = "target",
    token: str = "",
    auth: Path | None = None,
    other_auth: Path | None = None,
) -> Endpoint:
    """The endpoint, once it was seen to be there.

    Args:
        url: the base of its FHIR API.
        role: what it is in a referral: source, target or intermediary.
        token: where a bearer token is: ``env:NAME`` or ``file:PATH``.
        auth: TOML of a scheme, as a site has it; `other_auth`: the same for the target, where one
            party may not make the moves of both.

    Raises:
        ConfigError: the address, the role or the settings cannot be used. TransientError: nobody
            answers there.
    """
    if role not in ROLES:
        raise ConfigError(
            "endpoint.role",
            f"there is no role {role}",
            fix=f"Use one of {', '.join(ROLES)}.",
        )
    source = _client(url, token, auth)
    target = _client(url, "", other_auth) if other_auth else None
    _look(source.base)
    endpoint = Endpoint(role, source, target)
    endpoint.has_token = bool(token or auth)
    return endpoint


def _client(url: str, token: str, auth: Path | None) -> Client:
    table = _table(auth) if auth else {}
    try:
        config = HttpSystemConfig.model_validate({"base_url": url, **table})
    except ValidationError as error:
        where = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
        raise ConfigError(
            "endpoint.settings", f"what is given cannot be used: {where}", fix=FIX
        ) from None
    if token:
        held = str(_secret(token, Path()))
        return Client(url, auth=Bearer(config.base_url, held), secrets=(held,))
    if isinstance(config.auth, NoAuth):
        return Client(url)
    key = config.auth.certificate_key
    tls = site_tls(certificate=config.auth.certificate, key=key.get_secret_value() if key else None)
    scheme = outgoing_auth(config.auth, _around(config.base_url, tls))
    return Client(url, auth=scheme, secrets=tuple(_secrets(config.auth)), tls=tls)


def _around(base: str, tls: ssl.SSLContext) -> Surroundings:
    async def send(request: httpx.Request) -> httpx.Response:
        async with httpx.AsyncClient(verify=tls, trust_env=False, timeout=30) as client:
            return await client.send(request)

    def now() -> datetime:
        return datetime.now(UTC)

    return Surroundings(
        site="endpoint",
        base_url=base,
        send=send,
        judge=lambda response: fault_of(response, now=now()),
        state=MemoryState(),
        now=now,
        elapsed=time.monotonic,
        random=secrets.token_bytes,
    )


def _table(file: Path) -> dict[str, Any]:
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("endpoint.settings", f"{file} cannot be read", fix=FIX) from error
    found: dict[str, Any] = _secret(said, file.parent)
    return found if "auth" in found else {"auth": found}


def _secret(value: Any, folder: Path) -> Any:
    """Settings with each ``env:`` and ``file:`` replaced by what it stands for."""
    if isinstance(value, dict):
        return {key: _secret(each, folder) for key, each in value.items()}
    if not isinstance(value, str) or not value.startswith(("env:", "file:")):
        return value
    kind, _, name = value.partition(":")
    found = os.environ.get(name) if kind == "env" else _read(folder / name)
    if not found:
        raise ConfigError("endpoint.secret", f"there is nothing at {value}", fix="Put it there.")
    return found.strip()


def _read(file: Path) -> str | None:
    try:
        return file.read_text("utf-8")
    except OSError:
        return None


def _secrets(auth: Any) -> Iterator[str]:
    for name in type(auth).model_fields:
        value = getattr(auth, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()


def _look(base: str) -> None:
    """See whether anybody answers."""
    try:
        httpx.get(f"{base}/metadata", timeout=30, trust_env=False)
    except httpx.HTTPError as error:
        raise TransientError(
            "endpoint.unreachable",
            f"nobody answers at the endpoint ({type(error).__name__})",
            fix="Check the address, and that the server runs.",
        ) from None
