"""Settings: strict, frozen, and silent about their values."""

from __future__ import annotations

import typing
from typing import Any

from pydantic import SecretStr, ValidationError

from adapter_conformance.peers import make_peer
from adapter_conformance.planted import SECRET, seen
from adapter_conformance.requirement import Failed, check
from adapter_conformance.stage import settings_of
from adapter_conformance.subject import Subject

SECRET_WORDS = ("password", "secret", "token", "key", "passphrase", "credential")
NO_SECRETS = ("key_id", "token_url", "consumer_key", "public_key", "host_key", "jwks_url")


def _valid(subject: Subject) -> dict[str, Any]:
    return settings_of(subject, make_peer(subject.profile.peer))


@check("config.unknown-keys-refused")
async def unknown_keys(subject: Subject) -> None:
    """A key that no class knows is an error."""
    try:
        subject.kind.Config.model_validate({**_valid(subject), "misspelt_setting": 1})
    except ValidationError as error:
        if any("misspelt_setting" in each["loc"] for each in error.errors(include_input=False)):
            return
    raise Failed('a setting "misspelt_setting" was taken; derive from SystemConfig')


@check("config.frozen")
async def frozen(subject: Subject) -> None:
    """The model says so."""
    if not subject.kind.Config.model_config.get("frozen"):
        raise Failed("its Config is not frozen; derive from SystemConfig")


@check("config.values-hidden")
async def values_hidden(subject: Subject) -> None:
    """A wrong value is planted into each setting; no message holds it."""
    for name in subject.kind.Config.model_fields:
        wrong = {**_valid(subject), name: {"planted": SECRET}}
        try:
            subject.kind.Config.model_validate(wrong)
        except ValidationError as error:
            if seen([str(error)], [SECRET]):
                raise Failed(f"an error about {name} shows its value") from None


@check("config.secrets-typed")
async def secrets_typed(subject: Subject) -> None:
    """By their names: what sounds like a secret is a SecretStr."""
    plain = [
        name
        for name, field in subject.kind.Config.model_fields.items()
        if _sounds_secret(name) and not _holds_secret(field.annotation)
    ]
    if plain:
        raise Failed(f"{', '.join(plain)} should be SecretStr")


def _sounds_secret(name: str) -> bool:
    return name not in NO_SECRETS and any(word in name.split("_") for word in SECRET_WORDS)


def _holds_secret(annotation: Any) -> bool:
    if annotation is SecretStr or annotation in (bool, int, float):
        return True
    return any(_holds_secret(each) for each in typing.get_args(annotation))


@check("config.described")
async def described(subject: Subject) -> None:
    """Each field has a description."""
    silent = [n for n, f in subject.kind.Config.model_fields.items() if not f.description]
    if silent:
        raise Failed(f"no description: {', '.join(silent)}")
