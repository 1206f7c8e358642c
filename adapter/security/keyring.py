"""The installation's keys: what encrypts at rest, and what makes keyed hashes and derived secrets.

A keyring has one or several encryption keys, the first of them active, and one root. Encryption
keys rotate. The root never does: keyed hashes are looked up for the life of the store, and a
repeated delivery carries the same derived token.

As text, a keyring is words separated by white space or commas, each ``id:key`` or ``root:key``
with the key as base64 of 32 bytes. A bare key has an id made from it. Without a root, the last
key is the root.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapter.plugin.errors import ConfigError

KEY_BYTES = 32
NONCE_BYTES = 12
_FORMAT = 1
_WORD = re.compile(r"[^\s,]+")
_ID = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")
_GENERATE = (
    "python -c 'import secrets,base64;print(base64.b64encode(secrets.token_bytes(32)).decode())'"
)
_FIRST_OR_COPY = (
    "If anything is stored already, put your copy of the key back: no new one reads it. A first key"
    f" is 32 random bytes as base64, for example from: {_GENERATE}"
)


class KeyringError(ConfigError):
    """The keys are missing, malformed, or not those that a value was encrypted with."""


class Keyring:
    """Encryption keys by id, the active one first, and the root of everything derived."""

    __slots__ = ("_ciphers", "_derive", "_file", "_hashers", "_keys", "_root", "_seen", "active")

    def __init__(
        self, keys: Mapping[str, bytes], root: bytes | None = None, *, file: Path | None = None
    ) -> None:
        if not keys:
            raise KeyringError("keyring.missing", "The keyring holds no key.", fix=_FIRST_OR_COPY)
        for name, key in keys.items():
            if not _ID.match(name) or name == "root":
                raise _malformed("a key id is 1 to 32 letters, digits, dots, dashes or underscores")
            if len(key) != KEY_BYTES:
                raise _malformed("a key is not 32 bytes long")
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._keys = dict(keys)
        self._root = root if root is not None else list(keys.values())[-1]
        if len(self._root) != KEY_BYTES:
            raise _malformed("the root is not 32 bytes long")
        self.active = next(iter(self._keys))
        self._ciphers = {name: AESGCM(key) for name, key in self._keys.items()}
        self._derive = lru_cache(maxsize=4096)(self._derived)
        self._hashers: dict[str, Callable[[bytes], bytes]] = {}

    @classmethod
    def generate(cls) -> Keyring:
        """A new keyring of one random key and a random root."""
        return cls({_new_id(): os.urandom(KEY_BYTES)}, os.urandom(KEY_BYTES))

    @classmethod
    def load(
        cls, reference: str, *, base: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> Keyring:
        """The keyring that ``file:PATH`` or ``env:NAME`` refers to; a path is relative to `base`.

        One from a file looks into it again when it meets a key that it does not know, so that a
        running service learns of a rotation.

        Raises:
            KeyringError: nothing is there, or it is not a keyring.
        """
        kind, _, name = reference.partition(":")
        if kind == "file" and name:
            path = (base or Path()) / name
            try:
                return cls.parse(path.read_text("ascii"), file=path)
            except UnicodeDecodeError:
                raise _malformed("the key file is not ASCII text") from None
            except OSError as error:
                raise KeyringError(
                    "keyring.missing",
                    f"The key file {path} cannot be read ({error.strerror}).",
                    fix="Put the key file back, or point the configuration at it. Without it"
                    " nothing that is stored can be read.",
                ) from None
        if kind == "env" and name:
            text = (os.environ if environ is None else environ).get(name)
            if text is None:
                raise KeyringError(
                    "keyring.missing",
                    f"The environment variable {name} is not set.",
                    fix=f"Set {name} to the keyring. To make a first key: {_GENERATE}",
                )
            return cls.parse(text)
        raise KeyringError(
            "keyring.reference",
            "The key must be given as file:PATH or env:NAME.",
            fix="Write a reference, never the key itself.",
        )

    @classmethod
    def parse(cls, text: str, *, file: Path | None = None) -> Keyring:
        """The keyring that a text describes.

        Raises:
            KeyringError: the text is not a keyring; what it says is never repeated.
        """
        keys: dict[str, bytes] = {}
        root: bytes | None = None
        for word in _WORD.findall(_without_comments(text)):
            name, colon, encoded = word.rpartition(":")
            key = _decode(encoded)
            if name == "root":
                root = key
                continue
            name = name if colon else _fingerprint(key)
            if name in keys:
                raise _malformed("a key id stands there twice")
            keys[name] = key
        return cls(keys, root, file=file)

    def to_text(self) -> str:
        """The keyring as `parse` reads it. This is secret: write it to a file of mode 0600."""
        lines = [f"{name}:{_encode(key)}" for name, key in self._keys.items()]
        return "\n".join([*lines, f"root:{_encode(self._root)}", ""])

    @property
    def ids(self) -> tuple[str, ...]:
        """The key ids, the active one first."""
        return tuple(self._keys)

    def rotated(self) -> Keyring:
        """A keyring with a new active key before those that are there, and the same root."""
        return Keyring({_new_id(): os.urandom(KEY_BYTES), **self._keys}, self._root)

    def without(self, name: str) -> Keyring:
        """A keyring that has forgotten one key that is not active, and has the same root."""
        if name == self.active or name not in self._keys:
            raise KeyringError(
                "keyring.in-use",
                f"Key {name} is the active key, or is not in the keyring.",
                fix="Rotate first, then remove a key that no value uses.",
            )
        return Keyring({k: v for k, v in self._keys.items() if k != name}, self._root)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """AES-256-GCM under the active key; `context` (table, column, row) is authenticated."""
        nonce = os.urandom(NONCE_BYTES)
        name = self.active.encode()
        sealed = self._ciphers[self.active].encrypt(nonce, plain, context)
        return bytes((_FORMAT, len(name))) + name + nonce + sealed

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed.

        Raises:
            KeyringError: the key is not here, or the value or its place is not what was sealed.
        """
        name, start = _key_name(sealed)
        cipher = self._ciphers.get(name)
        if cipher is None:
            self.refresh()
            cipher = self._ciphers.get(name)
        if cipher is None:
            raise KeyringError(
                "keyring.unknown-key",
                f"A value was encrypted with key {name}, which is not in the keyring.",
                fix=f"Put key {name} back from your copy of the key file, after the active key.",
            )
        body = start + NONCE_BYTES
        try:
            return cipher.decrypt(sealed[start:body], sealed[body:], context)
        except (InvalidTag, ValueError):
            raise KeyringError(
                "keyring.wrong-key",
                f"A value does not open with key {name}: the key is another one of that name, or"
                " the value was changed or moved.",
                fix="Give the keyring that this store was written with; then run"
                " `adapter db check`.",
            ) from None

    def refresh(self) -> None:
        """Learn what was put into the key file since it was read; nothing is forgotten here.

        A file that is being written or was moved changes nothing: who needs a key that is not here
        is told which. One that was not changed is not read again.
        """
        if self._file is None:
            return
        try:
            found = self._file.stat()
            stands = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stands == self._seen:
                return
            newer = Keyring.parse(self._file.read_text("ascii"))
        except (OSError, UnicodeDecodeError, KeyringError):
            return
        self._seen = stands
        if newer._root == self._root:
            self._ciphers = {**self._ciphers, **newer._ciphers}
            self._keys = {**newer._keys, **self._keys}
            self.active = newer.active

    def prove_kept(self, sealed: bytes) -> None:
        """Prove that the key file still has the key that a value was sealed with.

        This process has it in memory, the next start would not. A file that cannot be read now may
        be meant so.

        Raises:
            KeyringError: it has not, for example because an older copy was put in its place.
        """
        if self._file is None:
            return
        name = _key_name(sealed)[0]
        try:
            kept = Keyring.parse(self._file.read_text("ascii"))
        except (OSError, UnicodeDecodeError):
            return
        if name not in kept.ids or kept._root != self._root:
            raise KeyringError(
                "keyring.not-kept",
                f"The key file {self._file} no longer has key {name}, without which nothing that is"
                " stored can be read after the next start.",
                fix="Put back the key file as it was after the last rotation, before the service"
                " ends.",
            )

    def key_of(self, sealed: bytes) -> str:
        """The id of the key that a value was sealed with."""
        return _key_name(sealed)[0]

    def lookup_hash(self, purpose: str, value: str | bytes) -> bytes:
        """HMAC-SHA256 of a value under a key of the purpose's own: equal values, equal hashes."""
        hasher = self._hashers.get(purpose)
        if hasher is None:
            hasher = self._hashers[purpose] = _hmac_sha256(self._derive(f"lookup {purpose}"))
        return hasher(value.encode() if isinstance(value, str) else value)

    def derive(self, purpose: str) -> bytes:
        """32 secret bytes, always the same for the same purpose (HKDF-SHA256, RFC 5869)."""
        return self._derive(f"token {purpose}")

    def _derived(self, purpose: str) -> bytes:
        info = b"social-prescribing-adapter " + purpose.encode()
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=info).derive(self._root)

    def __repr__(self) -> str:
        return f"Keyring(active={self.active!r}, keys={len(self._keys)})"

    def __reduce__(self) -> str:
        raise TypeError("a keyring is never pickled")


def _hmac_sha256(key: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SHA256 (RFC 2104) with both pads hashed once: half the time for short values."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(each ^ 0x36 for each in block))
    outer = hashlib.sha256(bytes(each ^ 0x5C for each in block))

    def digest(data: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(data)
        second.update(first.digest())
        return second.digest()

    return digest


def _key_name(sealed: bytes) -> tuple[str, int]:
    if len(sealed) < 2 or sealed[0] != _FORMAT or len(sealed) < 2 + sealed[1] + NONCE_BYTES:
        raise KeyringError(
            "keyring.not-sealed",
            "A stored value is not an encrypted value of this version.",
            fix="Run `adapter db check`; the store may have been changed by another program.",
        )
    end = 2 + sealed[1]
    return sealed[2:end].decode("ascii", "replace"), end


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _decode(encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("a key is not base64") from None
    if len(key) != KEY_BYTES:
        raise _malformed("a key is not 32 bytes long")
    return key


def _encode(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _fingerprint(key: bytes) -> str:
    return "k" + hmac.digest(key, b"key id", "sha256").hex()[:8]


def _new_id() -> str:
    return "k" + os.urandom(4).hex()


def _malformed(what: str) -> KeyringError:
    return KeyringError(
        "keyring.malformed",
        f"The keyring cannot be read: {what}.",
        fix=_FIRST_OR_COPY,
    )
