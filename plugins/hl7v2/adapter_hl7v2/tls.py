"""TLS for MLLP, from PEM texts: the configuration refers to files, and the core reads them."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapter.plugin import ConfigError


def server_context(certificate: str, key: str, client_ca: str | None = None) -> ssl.SSLContext:
    """A context to listen with; with `client_ca`, peers must show a certificate of it (mTLS).

    Raises:
        ConfigError: ``hl7v2.tls-config``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate, key)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, client_ca)
    return context


def client_context(
    ca: str | None = None, certificate: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """A context to connect with. Without `ca`, the machine's own authorities are trusted.

    Raises:
        ConfigError: ``hl7v2.tls-config``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca:
        _trust(context, ca)
    else:
        context.load_default_certs()
    if certificate and key:
        _load(context, certificate, key)
    return context


def _trust(context: ssl.SSLContext, ca: str) -> None:
    try:
        context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise _wrong("the certificate authority") from error


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        with _file(certificate.strip() + "\n" + key.strip() + "\n") as chain:
            context.load_cert_chain(chain)
    except (ssl.SSLError, ValueError) as error:
        raise _wrong("the certificate or its key") from error


def _wrong(what: str) -> ConfigError:
    return ConfigError(
        "hl7v2.tls-config",
        f"{what} is not PEM that can be used",
        fix='give PEM files by reference, for example tls_key = "file:tls/mllp-key.pem"',
    )


@contextmanager
def _file(content: str) -> Iterator[str]:
    """A file that OpenSSL can read: in memory if the system can, else private and short-lived."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("mllp", os.MFD_CLOEXEC)
        try:
            os.write(number, content.encode())
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
        return
    number, name = tempfile.mkstemp()
    try:
        os.write(number, content.encode())
        os.close(number)
        yield name
    finally:
        Path(name).unlink()
