"""The format `hostile`: the example's JSON under a name of its own."""

from __future__ import annotations

from adapter_reference.format import ReferenceFormat


class HostileFormat(ReferenceFormat):
    """Differs by its name alone, so that both plugins can be enabled together."""

    name = "hostile"
