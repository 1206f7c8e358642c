"""The example's system under a name of its own: what is hostile is its peer and what that sends."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from adapter_hostile.format import HostileFormat
from adapter_reference.format import ReferenceFormat
from adapter_reference.system import Reference


class Hostile(Reference):
    """One site whose peer is a `adapter_hostile.server.HostileServer`, or as bad."""

    name = "hostile"
    capabilities = replace(Reference.capabilities, outbound_format=HostileFormat.name)
    format: ClassVar[ReferenceFormat] = HostileFormat()
