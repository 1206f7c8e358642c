"""HL7 v2 referrals over MLLP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from adapter.plugin import SystemSpec, hookimpl

if TYPE_CHECKING:
    from adapter.plugin.formats import Format


@hookimpl
def register_systems() -> list[SystemSpec]:
    """The one system of this plugin; its module is imported when a site uses it."""
    return [
        SystemSpec(
            name="hl7v2",
            system="adapter_hl7v2.system:Hl7v2",
            summary="HL7 v2.3 to 2.9 over MLLP: REF, RRI, ORU, OMG, OSU, SIU",
        )
    ]


@hookimpl
def register_formats() -> list[Format]:
    """The format ``hl7v2``: messages in their delimiter encoding (ER7)."""
    from adapter_hl7v2.format import Hl7v2Format

    return [Hl7v2Format()]


@hookimpl
def register_commands() -> dict[str, Callable[..., Any]]:
    """``adapter hl7v2 send``: try a connection before a site is configured."""
    from adapter_hl7v2.commands import send

    return {"send": send}
