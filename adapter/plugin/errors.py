"""The errors that plugins raise and the core understands.

::

    AdapterError            code, message (for the operator), fix, detail (logs only, never PHI)
    ├── ConfigError         a person must edit the configuration; the site stops
    ├── AuthError           credentials no longer work; the site waits for a person
    ├── TransientError      try again later; `retry_after` seconds if the peer said so
    ├── GoneError           the peer said that the destination no longer exists (HTTP 410)
    ├── DataError           this one message is wrong; it is quarantined, others go on
    ├── SystemFault         the peer broke its own contract; evidence is kept, treated as transient
    └── PluginError         a plugin could not be loaded or broke the plugin contract

Codes are words, `room.what`, and each has a heading in docs/reference/errors.md.
"""

from __future__ import annotations


class AdapterError(Exception):
    """Something that a person can act on: what happened, and what to do about it."""

    def __init__(self, code: str, message: str, *, fix: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"


class ConfigError(AdapterError):
    """The configuration is wrong: a person must edit it."""


class AuthError(AdapterError):
    """The peer refused our credentials."""


class TransientError(AdapterError):
    """The peer could not take it now; the same message may be tried again."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fix: str = "",
        detail: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, message, fix=fix, detail=detail)
        self.retry_after = retry_after


class GoneError(AdapterError):
    """The destination said that it no longer exists."""


class DataError(AdapterError):
    """This message is wrong and will stay wrong until somebody changes it."""


class SystemFault(TransientError):  # noqa: N818 - the field says fault, and SystemError is taken
    """The peer broke its own contract, for example an error inside a success."""


class PluginError(AdapterError):
    """A plugin could not be loaded, or broke the plugin contract."""
