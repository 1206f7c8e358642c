"""Whose log line it is, where a fake and a plugin use one library in one process."""

from __future__ import annotations

from contextvars import ContextVar

OWN: ContextVar[bool] = ContextVar("OWN", default=False)
"""True in what a fake does for a connection: what is logged there the peer says, not the plugin."""
