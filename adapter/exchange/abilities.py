"""What a system may declare that it can do, and what it must have for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter.plugin.system import (
    Delivers,
    Finds,
    ListsPrograms,
    Polls,
    Receives,
    ReportsCapacity,
    System,
)

ABILITIES: Mapping[str, type[Any]] = {
    "receives": Receives,
    "polls": Polls,
    "delivers": Delivers,
    "finds": Finds,
    "lists_programs": ListsPrograms,
    "reports_capacity": ReportsCapacity,
}
"""Each ability of `Capabilities` and the Protocol that a system with it has."""
WAYS: Mapping[str, type[Any]] = {"acts": Receives}
"""Ways of having an ability: they need its Protocol, and add none to it."""
DECLARED = (*ABILITIES, *WAYS)
"""All that a system may declare, in order."""


def protocol_of(ability: str) -> type[Any]:
    """What a system has that has an ability, or a way of having one."""
    return {**ABILITIES, **WAYS}[ability]


def undeclared(system: type[System]) -> tuple[list[str], list[str]]:
    """Abilities that a class declares and lacks, and those that it has and does not declare."""
    lacking, silent = [], []
    for ability, protocol in ABILITIES.items():
        declared = getattr(system.capabilities, ability).declared
        implemented = issubclass(system, protocol)
        if declared and not implemented:
            lacking.append(ability)
        if implemented and not declared:
            silent.append(ability)
    for way, protocol in WAYS.items():
        if getattr(system.capabilities, way).declared and not issubclass(system, protocol):
            lacking.append(way)
    return lacking, silent
