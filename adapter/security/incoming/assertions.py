"""A client's assertion: a JWT that it signed to say who it is (SMART App Launch 2.2, "Client
Authentication: Asymmetric"; RFC 7523).

Signed with RS384 or ES384 by a key that was registered, for our token endpoint, valid for no more
than five minutes, with an id that never comes again. Whether the id came before is for the store.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS384", "ES384")
MOST_SECONDS = 300
SKEW_SECONDS = 60
LARGEST = 16_384
LEAST_RSA_BITS = 2048
_KIND = {"RS384": "RSA", "ES384": "EC"}


class AssertionRefused(Exception):  # noqa: N818 - named for what happened
    """An assertion that proves nothing; the text says why and repeats none of it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who an assertion says that it is from, before anything was proved, and the key it names."""

    issuer: str
    key_id: str | None


@dataclass(frozen=True, slots=True)
class Proved:
    """The id of an assertion that holds, and the moment after which it does not."""

    jti: str
    expires: datetime


def claimed(assertion: str) -> Claimed:
    """Whose key to look up.

    Raises:
        AssertionRefused: it is no JWT, or is not signed as is asked.
    """
    header, claims = _parts(assertion)
    if header.get("alg") not in ALGORITHMS:
        raise AssertionRefused("it must be signed with RS384 or ES384")
    issuer, key_id = claims.get("iss"), header.get("kid")
    if not isinstance(issuer, str) or claims.get("sub") != issuer or len(issuer) > 200:
        raise AssertionRefused("iss and sub must both be the client's id")
    return Claimed(issuer, key_id if isinstance(key_id, str) else None)


def prove(assertion: str, jwks: dict[str, Any], *, audience: str, now: datetime) -> Proved:
    """Check signature, audience and times.

    Raises:
        AssertionRefused: it does not hold.
    """
    header, claims = _parts(assertion)
    if not _signed(assertion, header, jwks):
        raise AssertionRefused("no registered key has signed it")
    said = claims.get("aud")
    if audience not in (said if isinstance(said, list) else [said]):
        raise AssertionRefused("aud must be the address of the token endpoint")
    moment, jti = now.timestamp(), claims.get("jti")
    expires = _number(claims, "exp")
    if expires is None or expires <= moment:
        raise AssertionRefused("it has expired, or has no exp")
    if expires > moment + MOST_SECONDS + 1:
        raise AssertionRefused("exp must be within five minutes")
    for name in ("nbf", "iat"):
        if name in claims and (_number(claims, name) or moment + 1e9) > moment + SKEW_SECONDS:
            raise AssertionRefused(f"{name} is in the future")
    if not isinstance(jti, str) or not 1 <= len(jti) <= 500:
        raise AssertionRefused("it needs a jti")
    return Proved(jti, datetime.fromtimestamp(expires, UTC))


def check_keys(jwks: Any) -> None:
    """Whether a key set can be registered.

    Raises:
        AssertionRefused: it holds no public key that is fit for RS384 or ES384, or a private one.
    """
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not keys:
        raise AssertionRefused("a JWKS has a list keys")
    if any(isinstance(each, dict) and ("d" in each or "k" in each) for each in keys):
        raise AssertionRefused("it holds a private key; give the public halves alone")
    if not any(_fit(each, alg) for each in keys for alg in ALGORITHMS):
        raise AssertionRefused("none of its keys is an RSA key of 2048 bits or a P-384 key")


def _signed(assertion: str, header: dict[str, Any], jwks: dict[str, Any]) -> bool:
    algorithm, key_id = str(header.get("alg")), header.get("kid")
    for each in jwks.get("keys", ()):
        if key_id is not None and isinstance(each, dict) and each.get("kid") not in (None, key_id):
            continue
        key = _fit(each, algorithm)
        if key is None:
            continue
        try:
            jws.deserialize_compact(assertion, key, algorithms=[algorithm])
        except (JoseError, ValueError):
            continue
        return True
    return False


def _fit(jwk: Any, algorithm: str) -> RSAKey | ECKey | None:
    """A public key that this algorithm may be checked with, or None."""
    if not isinstance(jwk, dict) or jwk.get("kty") != _KIND.get(algorithm):
        return None
    if jwk.get("alg") not in (None, algorithm) or jwk.get("use") not in (None, "sig"):
        return None
    try:
        plain = {name: jwk[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in jwk}
        if algorithm == "RS384":
            rsa = RSAKey.import_key(plain)
            return rsa if rsa.raw_value.key_size >= LEAST_RSA_BITS else None
        return ECKey.import_key(plain) if jwk.get("crv") == "P-384" else None
    except (JoseError, ValueError, TypeError):
        return None


def _parts(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, as they stand."""
    pieces = assertion.split(".")
    if len(assertion) > LARGEST or len(pieces) != 3 or not assertion.isascii():
        raise AssertionRefused("it is no signed JWT")
    try:
        found = [
            orjson.loads(urlsafe_b64decode(piece + "=" * (-len(piece) % 4))) for piece in pieces[:2]
        ]
    except (binascii.Error, ValueError):
        raise AssertionRefused("it is no signed JWT") from None
    if not all(isinstance(each, dict) for each in found) or "crit" in found[0]:
        raise AssertionRefused("it is no signed JWT")
    return found[0], found[1]


def _number(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e11:
        return None
    return float(value)
