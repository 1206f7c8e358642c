"""How a vendor's FHIR server differs: one file for each, in ``personalities/``.

Sources: HAPI as measured; Epic, Oracle and athenahealth by their published capability statements;
OpenMRS and Medplum by their sources. `strict` is nobody's: it does all that the closed loop needs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

EVERY = (
    "read",
    "vread",
    "history-instance",
    "search-type",
    "create",
    "update",
    "patch",
    "delete",
)
TYPES = (
    "Appointment",
    "Basic",
    "Communication",
    "Condition",
    "Consent",
    "DocumentReference",
    "Goal",
    "HealthcareService",
    "Location",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "Questionnaire",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Subscription",
    "Task",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """What one maker's server does.

    Attributes:
        base: the path of its API.
        stale: the status for an If-Match that is not the newest; 0: If-Match does nothing.
        dangling: the status for a reference to nothing of its own; 0: it does not look.
        moves: True if the statuses of a Task move as the lifecycle allows, and no other way.
        keeps_outputs: True if an output of a Task can be added, and not taken away.
        validates: True if values that FHIR does not allow are refused.
        closes: True if a request is completed with its Task.
        conditional_create: True if If-None-Exist is honoured.
        update_creates: True if a PUT of an unknown id creates.
        unknown_parameter: what happens to a search parameter that it does not know.
        nothing_found: the code of the outcome in a searchset without matches; empty: none.
        json_asked: True if everything is 406 unless Accept names FHIR JSON.
        extensions: False if modifier extensions are refused (422).
        page, most: entries of a page if nobody says, and at most.
        signature: the header of a notification that holds its HMAC; empty: none.
        types: interactions by type; empty: all of them on every type that referrals need.
        searchable: parameters by type; a type that is not there: all that the fake knows.
        needs: parameters of which a search of the type must have one.
        drops: elements by type that are lost without a word.
    """

    name: str
    title: str
    base: str = "/fhir"
    stale: int = 412
    dangling: int = 0
    moves: bool = False
    keeps_outputs: bool = False
    validates: bool = False
    closes: bool = False
    conditional_create: bool = True
    update_creates: bool = False
    deletes: bool = True
    patch: bool = True
    transactions: bool = True
    batches: bool = True
    json_asked: bool = False
    extensions: bool = True
    unknown_parameter: Literal["refuse", "ignore"] = "refuse"
    nothing_found: str = ""
    page: int = 20
    most: int = 200
    subscriptions: Literal["none", "r4", "backport"] = "none"
    signature: str = ""
    extra_parameters: tuple[str, ...] = ()
    types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    searchable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drops: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def interactions(self, kind: str) -> tuple[str, ...]:
        """What may be done with a type; nothing if it is not served."""
        if self.types:
            return self.types.get(kind, ())
        if kind not in TYPES or (kind == "Subscription" and self.subscriptions == "none"):
            return ()
        lacking = {"delete"} if not self.deletes else set()
        if not self.patch:
            lacking.add("patch")
        return tuple(each for each in EVERY if each not in lacking)

    @property
    def served(self) -> tuple[str, ...]:
        """The types, in order."""
        return tuple(each for each in (self.types or TYPES) if self.interactions(each))


@cache
def personality(name: str) -> Personality:
    """The personality of that name.

    Raises:
        ValueError: there is none; the message names those that there are.
    """
    folder = resources.files("adapter_conformance.fakes") / "personalities"
    file = folder / f"{name}.toml"
    if not file.is_file():
        known = sorted(each.name.removesuffix(".toml") for each in folder.iterdir())
        raise ValueError(f"no personality {name}; there are: {', '.join(known)}")
    said: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    tables: dict[str, Any] = {
        key: {kind: tuple(names) for kind, names in said.pop(key).items()}
        for key in ("types", "searchable", "needs", "drops")
        if key in said
    }
    said["extra_parameters"] = tuple(said.get("extra_parameters", ()))
    return Personality(name=name, **said, **tables)
