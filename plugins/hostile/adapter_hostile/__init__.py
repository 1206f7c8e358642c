"""A peer that is up to no good, for tests: nasty data (`data`) and a nasty server (`server`)."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from adapter.plugin import SystemSpec, hookimpl

if TYPE_CHECKING:
    from adapter.plugin.formats import Format


@hookimpl
def register_systems() -> list[SystemSpec]:
    """The one system; its module is imported when a site uses it."""
    return [
        SystemSpec(
            name="hostile",
            system="adapter_hostile.system:Hostile",
            summary="For tests: nasty data from a nasty server",
        )
    ]


@hookimpl
def register_formats() -> list[Format]:
    """The format ``hostile``: one JSON object for each message."""
    from adapter_hostile.format import HostileFormat

    return [HostileFormat()]


@hookimpl
def register_mapping_packs() -> list[Traversable]:
    """The pack ``hostile``: this JSON to the canonical referral and back."""
    return [files("adapter_hostile") / "mappings" / "hostile"]
