"""How the kit meets a plugin: ``conformance.toml`` in its package, or what its settings let guess.

::

    peer = "rest"                  # rest, fhir, mllp, mllp-tls, smtp, sftp, files, none, or a
                                   # class of your own: "package.module:Class"
    takes = "messages"             # what receiving means: messages, or visits (pages for people)
    path = "messages"              # where an HTTP endpoint takes messages
    orders = ["request", "note"]   # events that each make something of their own at the peer

    [settings]                     # a site that talks to the peer; {base_url}, {host}, {port},
    base_url = "{base_url}"        # {folder} and {secret} are filled in; for TLS and signing
                                   # also {certificate}, {certificate_key}, {authority},
                                   # {signing_key}; for sftp {username}, {host_key}

    [[sample]]                     # a good message, as the peer would send it
    file = "samples/request.json"
    key = "m-1001"                 # its own id, which the kit changes to make others of it

    [waived]                       # requirement = reason; a waiver explains, it lifts no level

A plugin that brings several systems is examined with each; what one needs otherwise than the rest
stands in a file of its own, ``conformance-SYSTEM.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Any, Literal

from adapter.plugin import SystemConfig

FILE = "conformance.toml"
PEERS = ("rest", "fhir", "mllp", "mllp-tls", "smtp", "sftp", "files", "none")


class ProfileError(ValueError):
    """A conformance.toml that says what the kit does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One good message and its own id."""

    name: str
    raw: bytes = field(repr=False)
    key: str

    def with_key(self, key: str) -> bytes:
        """The same message under another id."""
        return self.raw.replace(self.key.encode(), key.encode()) if self.key else self.raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the kit knows of a plugin before it starts."""

    peer: str = "none"
    takes: Literal["messages", "visits"] = "messages"
    path: str = ""
    orders: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    waived: Mapping[str, str] = field(default_factory=dict)
    stated: bool = False


def read_profile(
    package: Traversable | None, config: type[SystemConfig], system: str = ""
) -> Profile:
    """The plugin's own file, else a guess from its settings.

    Of a plugin with several systems each may have its own, ``conformance-SYSTEM.toml``.

    Raises:
        ProfileError: the file says what the kit does not know.
    """
    if package is None:
        return guessed(config)
    own = package / f"{FILE.removesuffix('.toml')}-{system}.toml"
    file = own if system and own.is_file() else package / FILE
    if not file.is_file():
        return guessed(config)
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{FILE}: {error}") from error
    unknown = set(said) - {"peer", "takes", "path", "orders", "settings", "sample", "waived"}
    if unknown or said.get("takes", "messages") not in ("messages", "visits"):
        raise ProfileError(f"{FILE}: unknown key or value: {', '.join(sorted(unknown)) or 'takes'}")
    peer = said.get("peer", "none")
    if peer not in PEERS and ":" not in peer:
        raise ProfileError(f"{FILE}: peer is one of {', '.join(PEERS)}, or package.module:Class")
    return Profile(
        peer=peer,
        takes=said.get("takes", "messages"),
        path=said.get("path", ""),
        orders=tuple(said.get("orders", ())),
        settings=said.get("settings", {}),
        samples=tuple(_sample(package, row) for row in said.get("sample", ())),
        waived=said.get("waived", {}),
        stated=True,
    )


def _sample(package: Traversable, row: Mapping[str, str]) -> Sample:
    file = package.joinpath(*row["file"].split("/"))
    raw, key = file.read_bytes(), row.get("key", "")
    if key.encode() not in raw:
        raise ProfileError(f"{FILE}: the sample {row['file']} does not hold its key")
    return Sample(name=row["file"], raw=raw, key=key)


def guessed(config: type[SystemConfig]) -> Profile:
    """By the names of settings: base_url HTTP, smtp_host mail, deliver_to MLLP, folder files."""
    fields = config.model_fields
    if "base_url" in fields:
        return Profile(peer="rest", settings={"base_url": "{base_url}"})
    if "smtp_host" in fields:
        settings = {"smtp_host": "{host}", "smtp_port": "{port}"}
        return Profile(peer="smtp", settings=settings)
    if "deliver_to" in fields:
        return Profile(peer="mllp", settings={"port": 0, "deliver_to": "{host}:{port}"})
    if "folder" in fields:
        return Profile(peer="files", settings={"folder": "{folder}"})
    return Profile()
