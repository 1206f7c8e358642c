"""TLS towards peers: at least 1.2, whom we trust, and the certificate that we show."""

from __future__ import annotations

import secrets
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path

import certifi
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from adapter.plugin.errors import ConfigError


@lru_cache(maxsize=1)
def public_tls() -> ssl.SSLContext:
    """TLS 1.2 or later; trusts the public authorities and those of this machine."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def site_tls(
    *, ca: str | None = None, certificate: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """TLS for a site's own origin.

    Args:
        ca: PEM of the authority to trust instead of the public ones.
        certificate: PEM of our client certificate and its chain; `key`: PEM of its private key.

    Raises:
        ConfigError: something is no PEM, or certificate and key do not fit.
    """
    if ca is None and certificate is None:
        return public_tls()
    try:
        context = ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError):
        raise _unfit("ca", "it is no certificate in PEM") from None
    if ca is None:
        context.load_verify_locations(certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None and key is not None:
        _show(context, certificate, key)
    return context


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """OpenSSL reads files only: the key goes there encrypted, for as long as the reading takes."""
    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        raise _unfit("certificate_key", "it is no key in PEM, or it has a passphrase") from None
    passphrase = secrets.token_urlsafe(32)
    sealed = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode())
    )
    with tempfile.TemporaryDirectory() as folder:
        chain_file, key_file = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain_file.write_text(certificate)
        key_file.write_bytes(sealed)
        try:
            context.load_cert_chain(chain_file, key_file, passphrase)
        except (ssl.SSLError, OSError):
            raise _unfit("certificate", "it is no PEM, or of another key") from None


def _unfit(setting: str, reason: str) -> ConfigError:
    return ConfigError(
        "auth.certificate",
        f"{setting} cannot be used: {reason}",
        fix=f"Let {setting} refer to the right PEM file: file:PATH.",
    )
