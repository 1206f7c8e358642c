"""The example plugin: peers that speak plain JSON over HTTP or in a shared folder, both ways."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from adapter.plugin import SystemSpec, hookimpl

if TYPE_CHECKING:
    from adapter.plugin.formats import Format


@hookimpl
def register_systems() -> list[SystemSpec]:
    """The two systems; the module of each is imported when a site uses it."""
    return [
        SystemSpec(
            name="reference",
            system="adapter_reference.system:Reference",
            summary="Example: referrals as JSON over HTTP (receives, polls, delivers, finds)",
        ),
        SystemSpec(
            name="reference-files",
            system="adapter_reference.shared_folder:ReferenceFiles",
            summary="Example: referrals as JSON files in a shared folder (polls, delivers, finds)",
        ),
    ]


@hookimpl
def register_formats() -> list[Format]:
    """The format ``reference``: one JSON object for each message."""
    from adapter_reference.format import ReferenceFormat

    return [ReferenceFormat()]


@hookimpl
def register_mapping_packs() -> list[Traversable]:
    """The pack ``reference``: this JSON to the canonical referral and back."""
    return [files("adapter_reference") / "mappings" / "reference"]


@hookimpl
def resolve_secret(reference: str) -> str | None:
    """``credential:NAME``: a credential that systemd gave to the service (LoadCredential=)."""
    kind, _, name = reference.partition(":")
    if kind != "credential":
        return None
    from adapter_reference.credentials import credential

    return credential(name)
