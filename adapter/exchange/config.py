"""adapter.toml: what is configured, checked before anything starts.

Paths are relative to the file; nothing is written outside its folder. Secrets are references
(``env:NAME``, ``file:PATH``), never values; a wrong value is never repeated in an error.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from adapter.plugin.errors import ConfigError


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("expected an IANA time zone, for example America/Toronto") from error
    return name


def _reference(value: str) -> str:
    if not value.startswith(("env:", "file:")):
        raise ValueError("expected a reference, env:NAME or file:PATH, never the secret itself")
    return value


Timezone = Annotated[str, AfterValidator(_timezone)]
SecretReference = Annotated[str, AfterValidator(_reference)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class StoreTable(_Table):
    """`[store]`: where everything durable lives."""

    url: str = Field(
        default="sqlite:///adapter.sqlite3",
        description="sqlite:///FILE (one process) or postgresql://HOST/DATABASE (a cluster)",
    )
    key: SecretReference = Field(
        description="reference to the key file that encrypts what is stored"
    )


class ServerTable(_Table):
    """`[server]`: the HTTP face (FHIR API, secure links)."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="0 means any free port")
    base_url: str | None = Field(
        default=None, description="how the outside reaches this server; default: its own address"
    )
    auth: Literal["open", "none", "smart"] = Field(
        default="none",
        description="who may use the FHIR API: none (nobody), smart (registered clients, by SMART "
        "Backend Services), or open (anyone; for trying it out on loopback with test sites only)",
    )
    metrics_token: SecretReference | None = Field(
        default=None,
        description="reference to the bearer token with which other machines may read /metrics; "
        "without it only this machine may",
    )


class SmtpTable(_Table):
    """`[smtp]`: the server that takes e-mail of subscriptions."""

    host: str = Field(description="the mail server's name or address")
    port: int = Field(default=587, ge=1, le=65535, description="its port")
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls, tls from the start, or none (loopback only)"
    )
    sender: str = Field(description="the address that e-mail comes from")
    user: str | None = Field(default=None, description="who signs in; none: nobody does")
    password: SecretReference | None = Field(default=None, description="reference to the password")

    @model_validator(mode="after")
    def _plain_stays_here(self) -> SmtpTable:
        if self.tls == "none" and not is_loopback(self.host):
            raise ValueError('[smtp] tls = "none" is refused unless host is loopback')
        return self


class PluginsTable(_Table):
    """`[plugins]`: the allow-list. Installed is not enabled."""

    enabled: tuple[str, ...] = Field(default=(), description="names of plugins to load")
    memory_mib: int = Field(
        default=512,
        ge=16,
        description="MiB that one plugin's own objects may hold; beyond, its sites are closed",
    )


class MappingsTable(_Table):
    """`[mappings]`: folders of packs that override the shipped ones."""

    folders: tuple[str, ...] = Field(
        default=(), description="folders of packs; a pack of the same name replaces a shipped one"
    )


class RoutingTable(_Table):
    """`[routing]`: how a referral finds its program."""

    programs: str | None = Field(default=None, description="file with the programs, TOML")
    send: Literal["named", "best"] = Field(
        default="named",
        description="named: only to the program that the referral names, else to a navigator; "
        "best: to the best match when none is named",
    )


class SiteTable(_Table):
    """`[sites.NAME]`: one connection."""

    system: str = Field(description="the system that speaks to this peer, from a plugin")
    organization: str = Field(description="whose site this is, by name")
    role: Literal["requester", "performer"] = Field(
        description="requester: it sends referrals (an EMR); performer: it carries them out"
    )
    test: bool = Field(default=False, description="true: only tests, and only with test sites")
    timezone: Timezone = Field(default="America/Toronto", description="for times without offset")
    language: Literal["en", "fr"] = Field(default="en", description="of what is sent to it")
    dialect: str | None = Field(default=None, description="the peer's dialect, if not standard")
    lifecycle: str = Field(default="sdohcc", description="the lifecycle table that binds it")
    disclosure: str = Field(
        default="community-minimum", description="what it may see: a policy of disclosures.toml"
    )
    consent: Literal["sender-attests", "required"] = Field(
        default="sender-attests",
        description="sender-attests: the sender has the client's consent (by agreement); "
        "required: the message must say so",
    )
    poll_seconds: int | None = Field(
        default=None,
        ge=1,
        le=86_400,
        description="seconds between two times that it is asked for news, if its system polls; "
        "default: what suits the system",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="the system's own settings")


class Config(_Table):
    """The whole file."""

    organization: str = Field(description="who runs this adapter, by name")
    language: Literal["en", "fr"] = Field(default="en", description="the organization's own")
    store: StoreTable
    server: ServerTable = ServerTable()
    smtp: SmtpTable | None = Field(default=None, description="where e-mail goes out")
    plugins: PluginsTable = PluginsTable()
    mappings: MappingsTable = MappingsTable()
    routing: RoutingTable = RoutingTable()
    sites: dict[Name, SiteTable] = Field(default_factory=dict)
    folder: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _open_is_for_trying_out(self) -> Config:
        if self.server.auth == "open":
            if not is_loopback(self.server.host):
                raise ValueError('[server] auth = "open" is refused unless host is loopback')
            real = [name for name, site in self.sites.items() if not site.test]
            if real:
                raise ValueError(
                    f'[server] auth = "open" is refused while [sites.{real[0]}] is not a test site'
                )
        return self

    def path(self, relative: str) -> Path:
        """A path of the file, absolute.

        Raises:
            ConfigError: it leads out of the file's folder.
        """
        target = (self.folder / relative).resolve()
        if not target.is_relative_to(self.folder.resolve()):
            raise ConfigError(
                "config.path-outside",
                "a path leads out of the folder of adapter.toml",
                fix="Use a path below the folder of adapter.toml.",
            )
        return target

    def secret(self, reference: str) -> str:
        """What a reference stands for, without surrounding white space.

        Raises:
            ConfigError: the variable is not set, or the file cannot be read.
        """
        kind, _, name = reference.partition(":")
        if kind == "env":
            value = os.environ.get(name)
            if value is None:
                raise ConfigError(
                    "config.secret-missing",
                    f"the environment variable {name} is not set",
                    fix=f"Set {name}, or refer to a file: instead.",
                )
            return value.strip()
        try:
            return (self.folder / name).read_text("utf-8").strip()
        except OSError as error:
            raise ConfigError(
                "config.secret-missing",
                f"the file of {reference} cannot be read",
                fix="Create it with the right content, readable by this user alone.",
                detail=type(error).__name__,
            ) from error


def is_loopback(host: str) -> bool:
    """True if this address never leaves the machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def store_url(config: Config) -> str:
    """The store's URL with a relative SQLite file put beside adapter.toml."""
    url = config.store.url
    prefix = "sqlite:///"
    if url.startswith(prefix):
        return prefix + str(config.path(url.removeprefix(prefix)))
    return url


def load_config(file: Path) -> Config:
    """Read and check adapter.toml.

    Raises:
        ConfigError: with the file, the key, what was expected, and the command that checks it.
    """
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            "config.not-found",
            f"{file} cannot be read",
            fix="Make one with: adapter init DIR --example loop",
            detail=type(error).__name__,
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            "config.not-toml", f"{file} is not TOML: {error}", fix="Correct the line it names."
        ) from error
    try:
        return Config.model_validate({**table, "folder": file.resolve().parent})
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in each['loc']) or 'file'}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigError(
            "config.invalid",
            f"{file} is not right: " + "; ".join(lines),
            fix=f"Correct these keys, then check with: adapter sites check --config {file}",
        ) from error
