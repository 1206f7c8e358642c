"""Secure links by e-mail for agencies that have no software."""

from __future__ import annotations

from collections.abc import Iterable

from adapter.plugin import SystemSpec, hookimpl


@hookimpl
def register_systems() -> Iterable[SystemSpec]:
    """The one system of this plugin, imported when it is first used."""
    return [
        SystemSpec(
            name="link",
            system="adapter_link.system:Link",
            summary="Secure link by e-mail, for agencies that have no software",
        )
    ]
