"""The settings of a `link` site."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from adapter.plugin import SystemConfig

_ADDRESS = re.compile(r"[^@\s<>,;:\"\\]+@[^@\s<>,;:\"\\]+")
_NAMED = re.compile(r"[^<>\r\n]*<([^<>]+)>")


def is_address(text: str) -> bool:
    """True for one plain e-mail address."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def is_loopback(host: str) -> bool:
    """True for this machine itself, by name or by address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError("expected one e-mail address, for example intake@agency.example")
    return text


def _sender(text: str) -> str:
    named = _NAMED.fullmatch(text)
    if not is_address(named.group(1) if named else text):
        raise ValueError('expected "Name <name@example.org>" or an e-mail address')
    return text


Address = Annotated[str, AfterValidator(_address)]


class LinkConfig(SystemConfig):
    """How mail is sent, to whom, and how long a link lives."""

    smtp_host: str = Field(description="the mail server that takes our mail")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="the mail server's port")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls, tls (from the first byte), or none, which is refused unless the "
        "server is this machine",
    )
    smtp_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the authority of the server's certificate, if not a public one",
    )
    smtp_username: str | None = Field(default=None, description="if the server wants a login")
    smtp_password: SecretStr | None = Field(
        default=None, description="reference to the password of that login"
    )
    smtp_timeout: float = Field(
        default=30, gt=0, le=300, description="seconds for each step of the conversation"
    )
    sender: Annotated[str, AfterValidator(_sender)] = Field(
        description="the From address, with or without a name"
    )
    recipient: Address | None = Field(
        default=None, description="where the agency reads its mail, if the directory does not say"
    )
    code_recipient: Address | None = Field(
        default=None, description="where the code goes, if not to the same address"
    )
    second_factor: Literal["email-code", "none"] = Field(
        default="email-code",
        description="email-code sends a code of six digits; none asks for nothing more",
    )
    link_days: int = Field(default=14, ge=1, le=90, description="days that a link works")
    session_minutes: int = Field(
        default=120, ge=5, le=1440, description="minutes without use until the code is asked again"
    )
    language: Literal["en", "fr"] | None = Field(
        default=None, description="of the mails, if not the one that the directory says"
    )

    @model_validator(mode="after")
    def _coherent(self) -> LinkConfig:
        if self.smtp_tls == "none" and not is_loopback(self.smtp_host):
            raise ValueError('smtp_tls = "none" is for this machine alone: use "starttls" or "tls"')
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("smtp_username and smtp_password belong together")
        return self

    @property
    def sender_address(self) -> str:
        """The sender's address without its name."""
        named = _NAMED.fullmatch(self.sender)
        return named.group(1) if named else self.sender
