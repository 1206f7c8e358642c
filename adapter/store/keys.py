"""What the store asks of a keyring, so that it depends on no particular one."""

from __future__ import annotations

from typing import Protocol


class Keyring(Protocol):
    """Seals and opens values, and makes keyed hashes; see `adapter.security.keyring`."""

    @property
    def active(self) -> str:
        """The id of the key that seals."""
        ...

    def seal(self, plain: bytes, context: bytes, /) -> bytes:
        """Encrypt under the active key; `context` is authenticated, not stored."""
        ...

    def open(self, sealed: bytes, context: bytes, /) -> bytes:
        """Decrypt, or raise an `AdapterError` that says which key is wanted."""
        ...

    def prove_kept(self, sealed: bytes, /) -> None:
        """Raise an `AdapterError` if the next start would not have the key of this value."""
        ...

    def key_of(self, sealed: bytes, /) -> str:
        """The id of the key that sealed this."""
        ...

    def lookup_hash(self, purpose: str, value: str | bytes, /) -> bytes:
        """32 bytes: a keyed hash, the same for the same purpose and value."""
        ...

    def derive(self, purpose: str, /) -> bytes:
        """32 secret bytes, the same for the same purpose."""
        ...

    def refresh(self) -> None:
        """Learn of keys that were added since; asked often, and quick when there is none."""
        ...
