"""The public plugin API: all that a plugin may import.

Hooks register, classes work. Start with `System` (what a peer can do), `Context` (what the core
gives), `hookimpl` (how to register) and the errors. `adapter.plugin.formats` holds `Format`, for
plugins that bring their own; `adapter.plugin.durable_files` writes files, for peers that share a
folder.
"""

from __future__ import annotations

from adapter.plugin.acts import Acted, Move, PostedForm
from adapter.plugin.capabilities import FULL, NOT_IMPLEMENTED, Capabilities, Support
from adapter.plugin.context import Context, Log, Site, State
from adapter.plugin.directory import Capacity, ListedProgram
from adapter.plugin.errors import (
    AdapterError,
    AuthError,
    ConfigError,
    DataError,
    GoneError,
    PluginError,
    SystemFault,
    TransientError,
)
from adapter.plugin.hookspecs import API_VERSION, hookimpl
from adapter.plugin.messages import (
    Check,
    Delivered,
    Inbound,
    Notice,
    Outbound,
    Receipt,
    Refusal,
)
from adapter.plugin.pages import Page, Visit
from adapter.plugin.system import (
    Adapts,
    Delivers,
    Finds,
    HttpEndpoint,
    Listener,
    ListsPrograms,
    Polls,
    Receives,
    ReportsCapacity,
    System,
    SystemConfig,
    SystemSpec,
)

__all__ = [
    "API_VERSION",
    "FULL",
    "NOT_IMPLEMENTED",
    "Acted",
    "AdapterError",
    "Adapts",
    "AuthError",
    "Capabilities",
    "Capacity",
    "Check",
    "ConfigError",
    "Context",
    "DataError",
    "Delivered",
    "Delivers",
    "Finds",
    "GoneError",
    "HttpEndpoint",
    "Inbound",
    "ListedProgram",
    "Listener",
    "ListsPrograms",
    "Log",
    "Move",
    "Notice",
    "Outbound",
    "Page",
    "PluginError",
    "Polls",
    "PostedForm",
    "Receipt",
    "Receives",
    "Refusal",
    "ReportsCapacity",
    "Site",
    "State",
    "Support",
    "System",
    "SystemConfig",
    "SystemFault",
    "SystemSpec",
    "TransientError",
    "Visit",
    "hookimpl",
]
