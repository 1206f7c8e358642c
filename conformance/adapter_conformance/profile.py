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

    [[program]]                    # a program, as the peer lists it, where they are asked for
    file = "samples/program.json"
    id = "p-1"                     # its own id, which the kit changes to make others of it
    capacity = "full"              # how much room its file says (`Room`); "": it says nothing

    [[move]]                       # what the peer wants done at once, for a system that acts
    file = "samples/move.json"
    path = "moves"                 # where the endpoint takes it

    [waived]                       # requirement = reason; a waiver explains, it lifts no level

A plugin that brings several systems is examined with each; what one needs otherwise than the rest
stands in a file of its own, ``conformance-SYSTEM.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

from adapter.plugin import SystemConfig
from adapter.plugin.directory import Room

FILE = "conformance.toml"
KNOWN = frozenset(
    {"peer", "takes", "path", "orders", "settings", "sample", "program", "move", "waived"}
)
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
class ProgramSample:
    """One program as the peer has it, its own id, and how much room it says; empty: nothing."""

    raw: bytes = field(repr=False)
    id: str
    capacity: str = ""

    def with_id(self, id: str) -> bytes:
        """The same program under another id."""
        return self.raw.replace(self.id.encode(), id.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveSample:
    """A move as the peer sends it, and where."""

    raw: bytes = field(repr=False)
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the kit knows of a plugin before it starts."""

    peer: str = "none"
    takes: Literal["messages", "visits"] = "messages"
    path: str = ""
    orders: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    programs: tuple[ProgramSample, ...] = ()
    moves: tuple[MoveSample, ...] = ()
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
    unknown = set(said) - KNOWN
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
        programs=tuple(_program(package, row) for row in said.get("program", ())),
        moves=tuple(
            MoveSample(raw=_file(package, row), path=row.get("path", said.get("path", "")))
            for row in said.get("move", ())
        ),
        waived=said.get("waived", {}),
        stated=True,
    )


def _sample(package: Traversable, row: Mapping[str, str]) -> Sample:
    raw, key = _file(package, row), row.get("key", "")
    if key.encode() not in raw:
        raise ProfileError(f"{FILE}: the sample {row['file']} does not hold its key")
    return Sample(name=row["file"], raw=raw, key=key)


def _program(package: Traversable, row: Mapping[str, str]) -> ProgramSample:
    raw, id, capacity = _file(package, row), row["id"], row.get("capacity", "")
    if not id or id.encode() not in raw:
        raise ProfileError(f"{FILE}: the program {row['file']} does not hold its id")
    if capacity and capacity not in get_args(Room):
        raise ProfileError(f"{FILE}: capacity is one of {', '.join(get_args(Room))}, or empty")
    return ProgramSample(raw=raw, id=id, capacity=capacity)


def _file(package: Traversable, row: Mapping[str, str]) -> bytes:
    return package.joinpath(*row["file"].split("/")).read_bytes()


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
