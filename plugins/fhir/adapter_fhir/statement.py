"""What a server offers: its CapabilityStatement, with the vendor's quirks laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter_fhir.quirks import Quirks

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What may be asked of a server.

    Attributes:
        version: the FHIR version that it states; empty if it states none.
        interactions: by type, for example ``{"Task": {"read", "update"}}``; None: not stated.
        searches: search parameters by type.
        conditional: types with conditional create.
    """

    version: str = ""
    interactions: Mapping[str, frozenset[str]] | None = None
    searches: Mapping[str, frozenset[str]] = field(default_factory=dict)
    conditional: frozenset[str] = frozenset()
    transaction: bool = True
    batch: bool = True
    quirks: Quirks = field(default_factory=Quirks)

    def creates(self, kind: str) -> bool:
        """Whether resources of a type may be created there."""
        if kind == "Task" and self.quirks.task != "full":
            return False
        if self.quirks.creates is not None:
            return kind in self.quirks.creates
        return self.interactions is None or "create" in self.interactions.get(kind, ())

    def updates(self, kind: str) -> bool:
        """Whether resources of a type may be updated there."""
        if kind == "Task" and self.quirks.task == "none":
            return False
        return self.interactions is None or bool(
            {"update", "patch"} & self.interactions.get(kind, frozenset())
        )

    def searched_by(self, kind: str, parameter: str) -> bool:
        """Whether a search parameter works; a server that states none is taken to have it."""
        if kind == "Task" and self.quirks.search is not None:
            return parameter in self.quirks.search
        stated = self.searches.get(kind)
        return not stated or parameter in stated

    def conditionally_creates(self, kind: str) -> bool:
        """Whether If-None-Exist is honoured for a type."""
        if self.quirks.conditional is not None:
            return self.quirks.conditional
        return self.interactions is None or kind in self.conditional


def offers_of(statement: Json, quirks: Quirks) -> Offers:
    """What a CapabilityStatement claims; a document without a server part claims everything.

    Search parameters that every resource has (`_lastUpdated`, `_id`) may be stated for all types at
    once (R4 CapabilityStatement.rest.searchParam).
    """
    servers = [
        each
        for each in statement.get("rest") or ()
        if isinstance(each, dict) and each.get("mode", "server") == "server"
    ]
    if not servers:
        return Offers(version=str(statement.get("fhirVersion", "")), quirks=quirks)
    server = servers[0]
    common = _names(server.get("searchParam"), "name")
    resources = [each for each in server.get("resource") or () if isinstance(each, dict)]
    system = _names(server.get("interaction"), "code")
    return Offers(
        version=str(statement.get("fhirVersion", "")),
        interactions={
            str(each.get("type")): _names(each.get("interaction"), "code") for each in resources
        },
        searches={
            str(each.get("type")): _names(each.get("searchParam"), "name") | common
            for each in resources
            if each.get("searchParam")
        },
        conditional=frozenset(
            str(each.get("type")) for each in resources if each.get("conditionalCreate") is True
        ),
        transaction=quirks.transaction
        if quirks.transaction is not None
        else "transaction" in system,
        batch=quirks.batch if quirks.batch is not None else bool({"batch", "transaction"} & system),
        quirks=quirks,
    )


def _names(items: Any, key: str) -> frozenset[str]:
    return frozenset(str(each.get(key)) for each in items or () if isinstance(each, dict))
