"""adapter.toml: what is configured, checked before anything starts.

Paths are relative to the file; nothing is written outside its folder. Secrets are references
(``env:NAME``, ``file:PATH``), never values; a wrong value is never repeated in an error.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from adapter.exchange.store_settings import StoreAddress
from adapter.exchange.wrong_keys import wrong_keys
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


def _name(value: str) -> str:
    if not _NAMES.fullmatch(value):
        raise ValueError("expected a name of lower-case letters, digits and hyphens")
    return value


_NAMES = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
Timezone = Annotated[str, AfterValidator(_timezone)]
SecretReference = Annotated[str, AfterValidator(_reference)]
Name = Annotated[str, AfterValidator(_name)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class StoreTable(_Table):
    """`[store]`: where everything durable lives."""

    url: StoreAddress = Field(
        default="sqlite:///adapter.sqlite3",
        description="sqlite:///FILE (one process) or postgresql://HOST/DATABASE (a cluster); an "
        "address that holds a password is a reference, env:NAME or file:PATH",
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
        "best: to the best match when none is named, if it has room",
    )
    capacity_days: int = Field(
        default=30,
        ge=1,
        le=3_650,
        description="days after which what a directory said of a program's room is unconfirmed, "
        "and counts for nothing",
    )


class SiteTable(_Table):
    """`[sites.NAME]`: one connection."""

    system: str = Field(description="the system that speaks to this peer, from a plugin")
    organization: str = Field(description="whose site this is, by name")
    role: Literal["requester", "performer", "directory"] = Field(
        description="requester: it sends referrals (an EMR); performer: it carries them out; "
        "directory: it lists programs, and no referral passes by it"
    )
    directory: bool = Field(
        default=False,
        description="true: its programs and how much room they have are asked for, too, whatever "
        "its role; for role directory that is so in any case",
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
    directory_seconds: int | None = Field(
        default=None,
        ge=1,
        le=604_800,
        description="seconds between two times that a directory is asked for its programs and "
        "their room; default: what suits the system",
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
    _file: Path = PrivateAttr(default=Path("adapter.toml"))

    def model_post_init(self, context: Any) -> None:
        """Take the file that it was read from, given as context `{"file": Path}`."""
        if isinstance(context, Mapping):
            self._file = context["file"]

    @property
    def file(self) -> Path:
        """The file that this was read from, as it was named."""
        return self._file

    @property
    def folder(self) -> Path:
        """The folder of the file, absolute."""
        return self._file.resolve().parent

    @property
    def checked_by(self) -> str:
        """The command that checks the file, for a shell."""
        return checking(self._file)

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
                f"{self.file}: a path leads out of the folder of the file",
                fix=f"Use a path below it, then check with: {self.checked_by}",
            )
        return target

    def secret(self, reference: str, key: str) -> str:
        """What a reference stands for, without surrounding white space; `key` is where it stands.

        Raises:
            ConfigError: the variable is not set, or the file cannot be read.
        """
        kind, _, name = reference.partition(":")
        if kind == "env":
            value = os.environ.get(name)
            if value is None:
                raise ConfigError(
                    "config.secret-missing",
                    f"{self.file}: {key}: the environment variable {name} is not set",
                    fix=f"Set {name}, or refer to a file: instead; then check with: "
                    f"{self.checked_by}",
                )
            return value.strip()
        try:
            return (self.folder / name).read_text("utf-8").strip()
        except UnicodeDecodeError as error:
            raise ConfigError(
                "config.secret-missing",
                f"{self.file}: {key}: the file of {reference} is not UTF-8 text",
                fix=f"Write it as text; then check with: {self.checked_by}",
            ) from error
        except OSError as error:
            raise ConfigError(
                "config.secret-missing",
                f"{self.file}: {key}: the file of {reference} cannot be read ({error.strerror})",
                fix="Create it with the right content, readable by this user alone; then check "
                f"with: {self.checked_by}",
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


def checking(file: Path) -> str:
    """The command that checks a configuration, for a shell."""
    return f"adapter sites check --config {shlex.quote(str(file))}"


def load_config(file: Path) -> Config:
    """Read and check adapter.toml.

    Raises:
        ConfigError: with the file, the key, what was expected, and the command that checks it.
    """
    try:
        table = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            "config.not-found",
            f"{file} cannot be read ({error.strerror})",
            fix="Name another with --config FILE, or make one with: adapter init DIR --example "
            "loop",
            detail=type(error).__name__,
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "config.not-toml",
            f"{file} is not TOML: line {line} is not UTF-8 text",
            fix=f"Save it as UTF-8, then check with: {checking(file)}",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            "config.not-toml",
            f"{file} is not TOML: {error}",
            fix=f"Correct the line it names, then check with: {checking(file)}",
        ) from error
    try:
        return Config.model_validate(table, context={"file": file})
    except ValidationError as error:
        raise ConfigError(
            "config.invalid",
            f"{file}: {wrong_keys(error, Config)}",
            fix=f"Correct what is named, then check with: {checking(file)}",
        ) from error
