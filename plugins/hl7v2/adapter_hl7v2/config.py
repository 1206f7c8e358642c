"""The settings of one HL7 v2 site: `[sites.NAME.settings]`."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from adapter.plugin import SystemConfig
from adapter_hl7v2.charset import codec_of
from adapter_hl7v2.dialects import dialects


def _address(value: str) -> str:
    host, port = split_address(value)
    if not host or not 0 < port < 65536:
        raise ValueError("expected host:port, for example 127.0.0.1:2576")
    return value


def _dialect(value: str) -> str:
    if value != "auto" and value not in dialects():
        raise ValueError(f"expected auto or one of {', '.join(dialects())}")
    return value


def _charset(value: str) -> str:
    if codec_of(value) is None:
        raise ValueError("expected a charset of HL7 table 0211, for example 8859/1")
    return value


Address = Annotated[str, AfterValidator(_address)]
Charset = Annotated[str, AfterValidator(_charset)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Hl7v2Config(SystemConfig):
    """Where to listen, where to deliver, how to read, how much to take."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int | None = Field(
        default=None, ge=0, le=65535, description="port to listen on; 0 any free port; none: do not"
    )
    deliver_to: Address | None = Field(
        default=None, description="host:port where the peer takes messages"
    )
    dialect: Annotated[str, AfterValidator(_dialect)] = Field(
        default="auto", description="how the peer departs from the standard; auto: from MSH-3"
    )
    charset: Charset | None = Field(
        default=None, description="what the peer really sends, whatever its MSH-18 says"
    )
    default_charset: Charset = Field(
        default="UNICODE UTF-8", description="the charset of messages whose MSH-18 is empty"
    )
    tls_certificate: str | None = Field(default=None, description="PEM of the listener: file:PATH")
    tls_key: SecretStr | None = Field(default=None, description="PEM of its key: file:PATH")
    tls_client_ca: str | None = Field(
        default=None, description="PEM of the authority of peers' certificates; turns mTLS on"
    )
    deliver_tls: bool = Field(default=False, description="deliver over TLS")
    deliver_ca: str | None = Field(
        default=None, description="PEM of the authority of the peer's certificate"
    )
    deliver_certificate: str | None = Field(default=None, description="our PEM, if the peer asks")
    deliver_key: SecretStr | None = Field(default=None, description="PEM of its key: file:PATH")
    deliver_server_name: str | None = Field(
        default=None, description="the name in the peer's certificate, if not the host"
    )
    allow_plain: bool = Field(
        default=False, description="allow plain MLLP beyond this machine (inside a VPN only)"
    )
    max_bytes: int = Field(
        default=10 * 1024 * 1024,
        ge=1024,
        le=256 * 1024 * 1024,
        description="bytes of one message that is taken",
    )
    max_segments: int = Field(default=20_000, ge=10, description="segments of one message")
    max_elements: int = Field(
        default=500_000, ge=100, description="fields, components and repetitions of one message"
    )
    max_connections: int = Field(default=200, ge=1, description="connections at one time")
    idle_timeout: Seconds = Field(
        default=3600.0, description="seconds without a message until a connection is closed"
    )
    frame_timeout: Seconds = Field(
        default=60.0, description="seconds for a message that has begun to come in whole"
    )
    connect_timeout: Seconds = Field(default=10.0, description="seconds to connect to the peer")
    reply_timeout: Seconds = Field(
        default=30.0, description="seconds to wait for the peer's acknowledgement"
    )
    verify_outbound: bool = Field(
        default=True,
        description="have hl7apy check the structure of what is sent, in a worker process; what "
        "lacks something required goes to quarantine",
    )
    verify_inbound: bool = Field(
        default=True,
        description="have hl7apy check the structure of what came, after its acknowledgement, and "
        "log what it says",
    )

    @model_validator(mode="after")
    def _complete(self) -> Hl7v2Config:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if (self.deliver_certificate is None) != (self.deliver_key is None):
            raise ValueError("deliver_certificate and deliver_key go together")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self

    @model_validator(mode="after")
    def _plain_only_here(self) -> Hl7v2Config:
        if self.allow_plain:
            return self
        fix = "use TLS, or set allow_plain = true if a VPN protects the way"
        if self.port is not None and not self.tls_certificate and not is_loopback(self.host):
            raise ValueError(f"plain MLLP listens on loopback only: {fix}")
        if self.deliver_to and not self.deliver_tls:
            host, _ = split_address(self.deliver_to)
            if not is_loopback(host):
                raise ValueError(f"plain MLLP delivers to loopback only: {fix}")
        return self


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[host]:port``; port 0 if it has none."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() and len(port) < 6 else 0


def is_loopback(host: str) -> bool:
    """True if this address never leaves the machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
