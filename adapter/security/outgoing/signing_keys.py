"""Our own signing keys for private_key_jwt: read, checked, and their public halves published."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from adapter.plugin.auth import SmartAuth
from adapter.plugin.errors import ConfigError

Algorithm = Literal["RS384", "ES384"]
LEAST_RSA_BITS = 2048


class SigningKey:
    """One private key with its id and the algorithm that it signs with."""

    __slots__ = ("algorithm", "key", "key_id")

    def __init__(self, key: RSAKey | ECKey, key_id: str | None) -> None:
        self.key = key
        self.key_id = key_id or key.kid or key.thumbprint()
        self.algorithm: Algorithm = "RS384" if isinstance(key, RSAKey) else "ES384"

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id}, {self.algorithm})"

    def public(self) -> dict[str, Any]:
        """The public half, as one key of a JWKS (RFC 7517)."""
        return {
            **self.key.as_dict(private=False),
            "kid": self.key_id,
            "alg": self.algorithm,
            "use": "sig",
            "key_ops": ["verify"],
        }


def signing_keys(settings: SmartAuth) -> tuple[SigningKey, ...]:
    """The keys of a site; the first one signs, the others are still (or already) published.

    Raises:
        ConfigError: a key cannot be read, or is not fit for RS384 or ES384.
    """
    raw = _raw(settings.key.get_secret_value())
    keys = tuple(SigningKey(key, settings.key_id if n == 0 else None) for n, key in enumerate(raw))
    if not keys:
        raise _unfit("it holds no key")
    if settings.algorithm not in (None, keys[0].algorithm):
        raise _unfit(f"it is a key for {keys[0].algorithm}, not {settings.algorithm}")
    return keys


def public_jwks(settings: SmartAuth) -> dict[str, Any]:
    """What to publish, or to hand to the peer when registering: a JWKS without private parts.

    Raises:
        ConfigError: a key cannot be read.
    """
    return {"keys": [key.public() for key in signing_keys(settings)]}


def _raw(text: str) -> list[RSAKey | ECKey]:
    if not text.lstrip().startswith("{"):
        return [_from_pem(text)]
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _unfit("it starts like a JWK, but is not JSON") from None
    each = found.get("keys", [found])
    return [_from_jwk(jwk) for jwk in each] if isinstance(each, list) else []


def _from_pem(text: str) -> RSAKey | ECKey:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):
        raise _unfit("it is no private key in PEM, or it has a passphrase") from None
    if isinstance(key, RSAPrivateKey):
        if key.key_size < LEAST_RSA_BITS:
            raise _unfit("an RSA key has at least 2048 bits")
        return RSAKey.import_key(key)
    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name == "secp384r1":
        return ECKey.import_key(key)
    raise _unfit("it is neither RSA nor on the curve P-384")


def _from_jwk(jwk: Any) -> RSAKey | ECKey:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a short RSA key is a warning there, an error here
            key = JWKRegistry.import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError, Warning):
        raise _unfit("a JWK cannot be read, or is too short") from None
    fits = isinstance(key, RSAKey) or (isinstance(key, ECKey) and key.curve_name == "P-384")
    if not fits or not key.is_private:
        raise _unfit("a JWK is not private, or neither RSA nor on the curve P-384")
    assert isinstance(key, RSAKey | ECKey)
    return key


def _unfit(reason: str) -> ConfigError:
    return ConfigError(
        "auth.key-unfit",
        f"the key for signed assertions is not fit: {reason}",
        fix="Make one with: openssl ecparam -name secp384r1 -genkey -noout | "
        "openssl pkcs8 -topk8 -nocrypt -out smart.pem",
    )
